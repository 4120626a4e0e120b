"""What a real worker says over HTTP, and that nothing else in it listens."""

from __future__ import annotations

import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiokafka.partitioner import murmur2
from prometheus_client.parser import text_string_to_metric_families

from agents.cli.localkafka import free_port
from streams.records import Mention, encode
from streams.tables import STATE
from streams.topics import SCORED
from tests.faults.harness import Flow, Process, new_story, until
from tests.faults.oracle import BRANDS, RULES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from streams.settings import Settings

MENTIONS = 300
UP_WITHIN_S = 60

linux = pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux says in /proc who listens")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as one:
        yield one


@pytest.fixture
def ask(session) -> Callable:
    """Status and body; 0: nobody answers."""

    async def ask(port: int, path: str) -> tuple[int, object]:
        try:
            async with session.get(f"http://127.0.0.1:{port}{path}") as answer:
                return answer.status, await (
                    answer.json() if answer.content_type == "application/json" else answer.text()
                )
        except aiohttp.ClientError:
            return 0, None

    return ask


def samples(page: str, name: str) -> Iterator[tuple[dict[str, str], float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == name:
                yield sample.labels, sample.value


def brands_of(page: str) -> set[str]:
    return {labels["brand"] for labels, _ in samples(page, "groundswell_brand_mentions")}


async def becomes_ready(ask: Callable, port: int) -> list[str]:
    """Return the reasons that it gave until it was."""
    reasons: list[str] = []

    async def is_ready() -> bool:
        status, told = await ask(port, "/ready")
        if status == 503 and (not reasons or reasons[-1] != told["reason"]):
            reasons.append(told["reason"])
            assert (await ask(port, "/metrics"))[0] == 200
            assert (await ask(port, "/live"))[0] == 200
        return status == 200

    await until("it is ready", is_ready, UP_WITHIN_S)
    return reasons


async def knows(ask: Callable, port: int, brands: set[str]) -> str:
    page = ""

    async def has_them() -> bool:
        nonlocal page
        _, page = await ask(port, "/metrics")
        return brands_of(page) == brands

    await until(f"it tells of {brands or 'no brand'}", has_them, UP_WITHIN_S)
    return page


async def test_a_worker_answers_before_it_is_ready_and_what_it_tells_has_no_fault_that_promtool_knows(
    kafka, prefix, tmp_path, ask
):
    port = free_port()
    async with Flow(kafka, prefix, tmp_path, http_port=port, checkpoint_s=0.2) as flow:
        flow.start_worker("a")
        reasons = await becomes_ready(ask, port)
        assert reasons
        assert set(reasons) <= {"starting", "recovering", "rebalancing"}
        said = list(new_story(3).go_on(MENTIONS))
        await flow.publish(said)
        await flow.send(b"x:heard", said_by_a_source())
        await flow.settled()
        page = await knows(ask, port, set(BRANDS))

        assert dict(_one(page, "groundswell_mentions_received_total")) == {(): MENTIONS + 1}
        judged = _one(page, "groundswell_mentions_judged_total")
        assert sum(judged.values()) == MENTIONS + 1
        used = _one(page, "groundswell_rule_matches_total")
        assert {rule for (rule,) in used} == {f"{brand}.{what}" for brand in BRANDS for what in ("match", "exclude")}
        assert min(value for (rule,), value in used.items() if rule.endswith(".match")) > 0
        assert max(_one(page, "groundswell_lag_seconds").values()) < 5
        assert _one(page, "groundswell_table_rows")["brands",] >= len(BRANDS)
        assert _one(page, "groundswell_latency_seconds_count")["counted",] > 0
        assert _one(page, "groundswell_source_delay_seconds_count")[()] > 0
        assert _one(page, "groundswell_notifier_failures_total") == {("log",): 0}
        assert _one(page, "groundswell_findings_total") == dict.fromkeys(
            [("volume",), ("negativity",), ("emerging_terms",), ("hazard",), ("source_silent",)], 0
        )
        assert _one(page, "groundswell_records_missing_total") == dict.fromkeys(read_topics(flow.settings), 0)
        assert _one(page, "groundswell_bundles_reread_total").keys() == read_topics(flow.settings)
        check(page)


def read_topics(settings: Settings) -> set[tuple[str]]:
    return {(settings.topic_prefix + table.follows,) for table in STATE}


def said_by_a_source() -> bytes:
    now = datetime.now(UTC)
    seen = now - timedelta(seconds=2)
    return encode(Mention(id="x:heard", source="x", text="acme", observed_at=seen, ingested_at=now))


def _one(page: str, name: str) -> dict[tuple[str, ...], float]:
    return {tuple(labels.values()): value for labels, value in samples(page, name)}


def check(page: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not here: it comes with the Debian package prometheus")
    done = subprocess.run([promtool, "check", "metrics"], input=page.encode(), capture_output=True, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")


async def test_a_brand_whose_partition_moves_to_another_worker_disappears_from_the_first(kafka, prefix, tmp_path, ask):
    first, second = free_port(), free_port()
    async with Flow(kafka, prefix, tmp_path, checkpoint_s=0.2) as flow:
        flow.start_worker("a", http_port=first)
        await becomes_ready(ask, first)
        await flow.publish(new_story(4).go_on(MENTIONS))
        await knows(ask, first, set(BRANDS))
        flow.start_worker("b", http_port=second)
        await flow.shared()
        await becomes_ready(ask, second)
        await becomes_ready(ask, first)
        _, told = await ask(first, "/ready")
        kept = told["partitions"][SCORED.full_name(flow.settings)]
        its = {
            brand
            for brand in BRANDS
            if (murmur2(brand.encode()) & 0x7FFFFFFF) % SCORED.partitions(flow.settings) in kept
        }
        assert its != set(BRANDS)
        assert brands_of((await ask(first, "/metrics"))[1]) <= its


def listens_at(pid: int) -> set[int]:
    """The TCP ports at which a process listens, from /proc."""
    sockets = set()
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        try:
            sockets.add(str(fd.readlink()))
        except FileNotFoundError:
            continue
    ports = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            _, local, _, state, *rest = line.split()
            if state == "0A" and f"socket:[{rest[5]}]" in sockets:
                ports.add(int(local.rpartition(":")[2], 16))
    return ports


@linux
@pytest.mark.parametrize("module", ["agents.cli worker", "faust -A agents.main worker"])
async def test_a_worker_listens_at_its_own_port_and_at_no_other(kafka, prefix, tmp_path, ask, module):
    port = free_port()
    async with Flow(kafka, prefix, tmp_path) as flow:  # makes the topics
        rules = tmp_path / "rules.yaml"
        environment = {
            "GROUNDSWELL_KAFKA_BOOTSTRAP": kafka.bootstrap,
            "GROUNDSWELL_TOPIC_PREFIX": flow.settings.topic_prefix,
            "GROUNDSWELL_RULES": str(rules),
            "GROUNDSWELL_DATA_DIR": str(tmp_path / "data"),
            "GROUNDSWELL_HTTP_PORT": str(port),
        }
        rules.write_text(RULES)
        worker = Process("alone", 1, module.split(), environment, tmp_path)
        try:
            await becomes_ready(ask, port)
            assert listens_at(worker.pid) == {port}
        finally:
            await worker.kill()
