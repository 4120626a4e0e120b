"""A person who has spoken everywhere asks to be forgotten: afterwards no topic and no file holds a word of theirs."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
import pytest
import rocksdict
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from streams.broker import wanted_topics
from streams.records import Mention, encode
from streams.topics import ALERTS, DEAD_LETTERS, RAW, SCORED, SPIKES
from tests.faults import oracle
from tests.faults.harness import Flow, comes_true, until
from tests.faults.oracle import Said
from tests.faults.receiver import Receiver
from tests.faults.unrest import Unrest, days_ago

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.timeout(420)]

SOON = {
    "segment.ms": "1000",
    "max.compaction.lag.ms": "1000",
    "min.cleanable.dirty.ratio": "0.01",
    "delete.retention.ms": "0",
    "file.delete.delay.ms": "100",
}
"""What takes a day on a broker in earnest."""
RETENTION_MS = 15_000
LOGS = (RAW.name, SCORED.name, SPIKES.name)

SAID, AUTHOR, NAME = (secrets.token_hex(16) for _ in range(3))
THEIRS = tuple(word.encode() for word in (SAID, AUTHOR, NAME))
AUTHOR_ID = f"did:x:{AUTHOR}"

POISON = {
    b"poison:1": encode({"id": "poison:1", "source": 7, "author_id": AUTHOR_ID, "text": SAID}),
    b"poison:2": b'{"id": "poison:2", "reply to": "' + AUTHOR_ID.encode() + b'", "they said": "' + SAID.encode(),
}
"""Of the first intake can tell whose it is; of the second nobody can."""


def theirs(story: Iterable[Said], brand: str) -> Iterator[Said]:
    """The story, but whoever is angry is them."""
    for number, said in enumerate(story):
        mention = msgspec.json.decode(said.value, type=Mention)
        if "so angry" in mention.text or "hate it" in mention.text:
            word = msgspec.structs.replace(
                mention,
                id=f"net:{AUTHOR_ID}/{number}",
                text=f"{mention.text}, {SAID}",
                author_id=AUTHOR_ID,
                author_name=NAME,
                url=f"https://x.example/{NAME}/{number}",
            )
            yield Said(word.id.encode(), encode(word), "matched", (brand,), ((word.id, brand, ""),))
        else:
            yield said


async def hurry(flow: Flow, *, retention_ms: int | None = None) -> None:
    """Let the broker compact at once; and with a retention, let the plain logs' end."""
    prefix, soon = flow.settings.topic_prefix, SOON | ({"retention.ms": str(retention_ms)} if retention_ms else {})
    admin = AIOKafkaAdminClient(bootstrap_servers=flow.settings.kafka_bootstrap)
    await admin.start()
    try:
        await admin.alter_configs(
            [
                ConfigResource(
                    ConfigResourceType.TOPIC, name, config | (soon if name.removeprefix(prefix) in LOGS else SOON)
                )
                for name, (_, config) in wanted_topics(flow.settings).items()
            ]
        )
    finally:
        await admin.close()


async def groundswell(flow: Flow, *arguments: str) -> tuple[int | None, str]:
    """Run a command; return its exit code and what it said."""
    settings = flow.settings
    environment = {**os.environ, "GROUNDSWELL_TOPIC_PREFIX": settings.topic_prefix}
    command = ["-m", "agents.cli", "--kafka", settings.kafka_bootstrap, *arguments]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode().replace(settings.topic_prefix, "")


async def topics_that_hold(flow: Flow) -> dict[str, int]:
    """How many records of which topics hold something of theirs, replaced ones included."""
    found = {}
    for name in wanted_topics(flow.settings):
        records = await flow.eyes.read(name)
        parts = ((one.key, one.value, *(value for _, value in one.headers)) for one in records)
        if count := sum(holds(b"".join(filter(None, some))) for some in parts):
            found[name.removeprefix(flow.settings.topic_prefix)] = count
    return found


def files_that_hold(*folders: Path) -> list[Path]:
    """Files with something of theirs. Random words are compressed by nobody who keeps literals, as RocksDB's Snappy does."""
    return [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith("index") and holds(content_of(path))
    ]


def content_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # compacted away while we looked
        return b""


def rows_in(folder: Path) -> Iterator[bytes]:
    for path in folder.rglob("*.db"):
        yield from (rocksdict.Rdict(str(path), rocksdict.Options(raw_mode=True))).values()


def holds(content: bytes) -> bool:
    return any(word in content for word in THEIRS)


async def test_who_has_spoken_everywhere_is_found_nowhere_once_forgotten_and_counts_stay(kafka, prefix, tmp_path, say):
    story = Unrest(seed=5, begins=days_ago(9), brands=("acme", "globex"), usual_s=60)
    async with Receiver() as receiver, Flow(kafka, prefix, tmp_path, rules=story.rules, **receiver.settings) as flow:
        await receiver.hide()
        await hurry(flow)
        folders = [tmp_path / home for home in "ab"]
        brokers = [path for path in (kafka.data_dir / "log").iterdir() if path.name.startswith(prefix)]
        flow.start_worker("a", module="tests.faults.tidy")
        await flow.publish(story.past())
        await flow.publish(theirs(story.burst("acme"), "acme"))
        for key, value in POISON.items():
            await flow.send(key, value)
        await flow.settled()
        assert files_that_hold(folders[0])
        flow.start_worker("b", module="tests.faults.tidy")
        await flow.shared()
        await flow.settled()

        everywhere = {topic.name for topic in (RAW, SCORED, DEAD_LETTERS, SPIKES, ALERTS)}
        everywhere |= {f"groundswell-{table}-changelog" for table in ("brands", "incidents", "deliveries")}

        async def they_stand_everywhere() -> bool:
            return (await topics_that_hold(flow)).keys() == everywhere

        await until("they stand everywhere", they_stand_everywhere, 60)
        before = await topics_that_hold(flow)
        assert files_that_hold(*folders)

        code, said = await groundswell(flow, "forget", AUTHOR_ID, "--yes", "--purge")
        assert code == 0, said
        code, accounts = await groundswell(flow, "audit")
        assert code == 0, accounts
        assert not (await topics_that_hold(flow)).keys() & set(LOGS)
        await hurry(flow, retention_ms=RETENTION_MS)  # a cut log keeps the bytes of its last segment until they expire
        others = story.calm(timedelta(days=5))
        left: list[object] = []

        async def nothing_is_left() -> bool:
            await flow.publish(islice(others, 10))
            try:
                left[:] = [*files_that_hold(*brokers, *folders), *(await topics_that_hold(flow)).items()]
            except FileNotFoundError as gone:  # a folder was dropped while we looked
                left[:] = [gone]
            return not left

        assert await comes_true(nothing_is_left, 180), left
        await flow.settled()
        standing = await flow.standing()
        for worker in flow.workers:
            await flow.stop(worker)

    say(f"{sum(before.values()):,} records in {len(before)} topics held something of theirs; then none")
    say(said.replace("\n", "\n  ").strip())
    assert not [row for folder in folders for row in rows_in(folder) if holds(row)]
    assert not files_that_hold(tmp_path)
    assert oracle._miscounts([one.said for one in flow.published], standing) == ([], 0)
