"""`groundswell status` against real workers: two, one, none, and topics that are not as they should be."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from click.testing import CliRunner

from agents.cli import main
from agents.cli.condition import Condition, add_brands
from streams.core.rules import load_rules
from streams.records import Alert, BrandStats, Evidence, Figures, Mention, encode
from streams.topics import RAW
from tests.cli.conftest import Terminal
from tests.faults.harness import QUICK_CHECKPOINT_S, Flow, new_story
from tests.faults.oracle import RULES

if TYPE_CHECKING:
    from click.testing import Result

    from streams.settings import Settings

pytestmark = pytest.mark.timeout(180)

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
RULES_VERSION = load_rules(RULES).version


def run(settings: Settings, *arguments: str) -> Result:
    return Terminal(settings).run("status", *arguments)


async def look(settings: Settings, *, well: bool) -> dict:
    result = await asyncio.to_thread(run, settings, "--json")
    assert result.exit_code == (0 if well else 1), result.output
    found = json.loads(result.stdout)
    assert found["well"] == well
    return found


async def test_two_workers_then_one_then_none_and_a_lag_that_nobody_works_off(kafka, prefix, tmp_path):
    async with Flow(kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S, session_timeout_s=3) as flow:
        flow.start_worker("a")
        flow.start_worker("b")
        await flow.shared()
        story = list(new_story(21).go_on(800))
        await flow.publish(story)
        await flow.settled()

        two = await look(flow.settings, well=True)
        assert two["group_state"] == "Stable"
        assert [one["partitions"] for one in two["workers"]] == [8, 8]
        raw = [one for one in two["progress"] if one["topic"] == prefix + RAW.name]
        assert sum(one["committed"] for one in raw) == len(story)
        assert [(one["lag"], one["lag_s"], one["agent"]) for one in raw] == [(0, 0.0, "intake")] * 4
        owners = {one["worker"] for one in two["progress"]}
        assert owners == {one["id"] for one in two["workers"]}
        assert all(datetime.fromisoformat(one["checkpoint_at"]) < datetime.now(UTC) for one in raw)
        assert [one["source"] for one in two["sources"]] == ["crowd"]
        assert two["rules"] == [RULES_VERSION]
        dead = sum(one.what == "dead" for one in story)
        assert (two["dead_letters"]["total"], two["dead_letters"]["share"]) == (dead, round(dead / len(story), 4))
        assert (two["forgotten"], two["expired"]) == (0, 0)
        assert {one["id"] for one in two["brokers"] if one["controller"]} == {1}

        await flow.kill(flow.workers[0])
        await flow.shared()
        one = await look(flow.settings, well=True)
        assert [worker["partitions"] for worker in one["workers"]] == [16]

        await flow.kill(flow.workers[0])
        await flow.shared(among=0)
        idle = await look(flow.settings, well=await behind(flow) == 0)
        assert idle["group_state"] == "Empty"
        assert idle["workers"] == []

        before = datetime.now(UTC)
        mention = Mention(id="crowd:late", source="crowd", observed_at=before, text="acme")
        where = await flow.send(mention.id.encode(), encode(mention))
        await flow.send(mention.id.encode(), encode(mention))
        await look(flow.settings, well=False)
        stuck = await look(flow.settings, well=False)
        [at] = [row for row in stuck["progress"] if row["topic"] == prefix + RAW.name and row["lag"]]
        assert (at["partition"], at["lag"], at["worker"]) == (where.partition, 2, None)
        assert 0 < at["lag_s"] <= (datetime.now(UTC) - before).total_seconds()
        assert f"no worker runs in group {prefix}groundswell" in stuck["wrong"][0]

        shown = await asyncio.to_thread(run, flow.settings)
        assert shown.exit_code == 1
        assert "error: no worker runs in group" in shown.stderr
        [row] = [
            line.split() for line in shown.stdout.splitlines() if line.startswith(f"{RAW.name}/{where.partition} ")
        ]
        assert (row[1], row[4]) == ("nobody", "2")
        for said in (
            f"Kafka at {kafka.bootstrap}: broker 1 at ",
            f"Topics: {len(two['topics'])} of {len(two['topics'])}; records: mentions.raw {len(story) + 2:,}, ",
            f"Group {prefix}groundswell: Empty, 0 workers",
            "sources, last heard  crowd ",
            f"rules                {RULES_VERSION[:12]}",
            "brands               6; still learning: acme until ",
            "open alerts          0, critical 0",
            f"dead letters         {dead:,}, {dead / len(story):.1%} of all, ",
            "lost to us           0 expired before they were read; 0 forgotten early",
        ):
            assert f"\n{said}" in f"\n{shown.stdout}"
        assert shown.stdout.isascii()


async def behind(flow: Flow) -> int:
    """Marks may have been told after the last reader's last commit."""
    result = await asyncio.to_thread(run, flow.settings, "--json")
    return sum(one["lag"] for one in json.loads(result.stdout)["progress"])


def test_an_empty_system_is_well_and_is_left_as_it_is(terminal: Terminal) -> None:
    result = terminal.run("status", "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert (found["workers"], found["sources"], found["brands"], found["open_alerts"]) == ([], [], 0, 0)
    assert {one["lag"] for one in found["progress"]} == {0}
    assert "All is well" in terminal.run("status").stdout


def test_missing_topics_are_named_and_not_created(bare: Terminal) -> None:
    for _ in range(2):
        result = bare.run("status")
        assert result.exit_code == 1
        assert "mentions.raw does not exist (nor do 11 others): run `groundswell topics create`" in result.stderr
    assert asyncio.run(names(bare)) == []


async def names(terminal: Terminal) -> list[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=terminal.settings.kafka_bootstrap)
    await admin.start()
    try:
        return [name for name in await admin.list_topics() if name.startswith(terminal.settings.topic_prefix)]
    finally:
        await admin.close()


def test_other_partition_counts_than_the_settings_say_are_named(terminal: Terminal) -> None:
    settings = terminal.settings.model_copy(update={"raw_partitions": 3})
    result = run(settings)
    assert result.exit_code == 1
    assert "mentions.raw has 2 partitions, the settings say 3" in result.stderr


def test_no_broker_is_said_in_words_and_in_json() -> None:
    for arguments in ([], ["--json"]):
        result = CliRunner().invoke(main, ["--kafka", "127.0.0.1:1", "status", *arguments])
        assert result.exit_code == 1
        assert "error: no Kafka broker answers at 127.0.0.1:1" in result.stderr
    assert json.loads(result.stdout)["well"] is False


def test_a_brand_learns_until_its_own_time_has_come_so_far_and_alerts_are_open_until_they_are_resolved() -> None:
    condition = Condition(NOW, "kafka:9092")
    figures = Figures(start=NOW, span_s=60)

    def stats(brand: str, until: datetime | None) -> BrandStats:
        return BrandStats(
            brand=brand, at=NOW, minute=figures, hour=figures, day=figures, applied=1, late=0, learning_until=until
        )

    def alert(status: str, severity: str) -> Alert:
        evidence = Evidence(window_s=60, observed=1, expected=0, score=1)
        return Alert(
            id=severity,
            brand="acme",
            status=status,
            change="fired",
            step=1,
            severity=severity,
            title="",
            started_at=NOW,
            at=NOW,
            detectors=(),
            evidence=evidence,
        )

    young, old = stats("young", NOW + timedelta(days=1)), stats("old", None)
    add_brands(
        condition,
        {one.brand: one for one in (young, old)},
        {"1": alert("firing", "critical"), "2": alert("firing", "info"), "3": alert("resolved", "critical")},
    )
    assert (condition.brands, [one.brand for one in condition.learning]) == (2, ["young"])
    assert (condition.open_alerts, condition.open_critical) == (2, 1)
