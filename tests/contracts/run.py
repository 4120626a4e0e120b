"""A real run, in which everything happens that a contract speaks of, watched by consumers who know only the contract."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from streams.contracts import FOLDER
from streams.records import Alert, Mention, encode
from streams.topics import ALERTS, RAW, SCORED, TOPOLOGY
from tests.faults.harness import QUICK_CHECKPOINT_S, Flow, until
from tests.faults.unrest import Unrest, days_ago

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from aiokafka.structs import ConsumerRecord

    from agents.cli.localkafka import LocalKafka
    from streams.settings import Settings
    from tests.faults.oracle import Said

EXAMPLES = FOLDER / "examples"
WORKER = "tests.faults.tidy"
"""It writes each second the tombstones that others write each hour."""
UNCOMMITTED_S = 30
BRANDS = ("acme", "globex")
BURSTING = "acme"
COUNTED_BESIDES = {"acme": 2}
"""Of what `_odds_and_ends` tells."""
HOSTILE = "\x1b[2Jpan\u202eic\x07"


@dataclass
class Run:
    """What stands on the topics in the end, and what consumers made of it."""

    settings: Settings
    records: dict[str, list[ConsumerRecord]] = field(default_factory=dict)
    fired: Alert | None = None
    removed: str = ""
    followed: str = ""
    while_open: str = ""
    when_resolved: str = ""
    in_the_end: str = ""
    counted: dict[str, int] = field(default_factory=dict)
    told: Counter[str] = field(default_factory=lambda: Counter(COUNTED_BESIDES))

    def of(self, topic: str, **said: object) -> list[ConsumerRecord]:
        """The records of a topic whose value says so."""
        found = []
        for record in self.records[topic]:
            value = json.loads(record.value) if record.value else {}
            if all(value.get(name) == wanted for name, wanted in said.items()):
                found.append(record)
        return found


class Stranger:
    """One of the examples, run as anybody runs it: a process that knows the broker and the prefix."""

    def __init__(self, folder: Path, settings: Settings, script: str, *arguments: str) -> None:
        folder.mkdir(exist_ok=True)
        self._log = folder / f"{script}.txt"
        prefix = ("--prefix", settings.topic_prefix) if settings.topic_prefix else ()
        self._command = (str(EXAMPLES / script), settings.kafka_bootstrap, *arguments, *prefix)
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(sys.executable, *self._command, stdout=log, stderr=log)

    @property
    def said(self) -> str:
        return self._log.read_text()

    async def says(self, what: str, within_s: float = 30) -> None:
        async def it_does() -> bool:
            return what in self.said

        await until(f"it says {what!r}", it_does, within_s)

    async def kill(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def ends(self) -> str:
        await self.start()
        assert self._process is not None
        assert await self._process.wait() == 0, self.said
        return self.said


def people(story: Iterable[Said], hostile: str) -> Iterator[Said]:
    """The story, but its mentions have what live ones have, and some names are hostile."""
    for said in story:
        mention = msgspec.json.decode(said.value, type=Mention)
        name = mention.author_id + (hostile if mention.author_id.endswith("7") else "")
        url = f"https://social.example/{mention.author_id}/{mention.id.partition(':')[2]}"
        told = msgspec.structs.replace(
            mention,
            author_name=name,
            url=url,
            lang="en",
            posted_at=mention.observed_at,
            ingested_at=mention.observed_at,
        )
        yield said._replace(value=encode(told))


async def happen(kafka: LocalKafka, prefix: str, folder: Path, hostile: str = HOSTILE) -> Run:
    """Learn, fire, crash, remove, resolve, expire; and whatever else is told on the way."""
    story = Unrest(seed=7, begins=days_ago(40), brands=BRANDS, usual_s=60)
    async with Flow(
        kafka, prefix, folder, rules=story.rules, checkpoint_s=QUICK_CHECKPOINT_S, session_timeout_s=3
    ) as flow:
        run = Run(flow.settings)
        following = Stranger(folder, flow.settings, "open_alerts.py")
        counting = Stranger(folder, flow.settings, "count_mentions.py", str(folder / "counts.json"))
        try:
            await counting.start()
            await _happen(flow, story, run, following, counting, hostile)
        finally:
            await following.kill()
            await counting.kill()
        for topic in TOPOLOGY:
            run.records[topic.name] = await flow.eyes.read(topic.full_name(flow.settings))
        run.told.update(brand for published in flow.published for brand in published.said.brands)
    return run


async def _happen(flow: Flow, story: Unrest, run: Run, following: Stranger, counting: Stranger, hostile: str) -> None:
    folder, settings = flow._folder, flow.settings
    worker = flow.start_worker("a", module=WORKER)
    await flow.publish(people(story.past(), hostile))
    await flow.settled()
    await flow.stop(worker)
    await following.start()
    await following.says("0 open")

    worker = flow.start_worker("a", module=WORKER, checkpoint_s=UNCOMMITTED_S)
    await flow.publish(people(story.burst(BURSTING), hostile))

    async def it_burns() -> bool:
        return bool(await _alerts(flow))

    await until("an alert stands", it_burns, 60)
    await flow.kill(worker)  # nothing of it is committed: all of it is told again
    await counting.kill()
    await counting.start()
    flow.start_worker("a", module=WORKER)
    await flow.settled()

    [run.fired] = await _alerts(flow)
    run.removed = run.fired.evidence.samples[0].id
    gone = Mention(id=run.removed, source="unrest", op="delete", observed_at=story.now)
    await flow.send(gone.id.encode(), encode(gone))

    async def it_is_not_shown() -> bool:
        [alert] = await _alerts(flow)
        return run.removed not in {sample.id for sample in alert.evidence.samples}

    await until("the alert no longer shows it", it_is_not_shown, 60)
    run.while_open = await Stranger(folder / "open", settings, "open_alerts.py", "--once").ends()

    await flow.publish(people(story.calm(), hostile))
    await _odds_and_ends(flow, story)
    await flow.settled()
    await following.says("RESOLVED")
    run.when_resolved = await Stranger(folder / "resolved", settings, "open_alerts.py", "--once").ends()

    story.now += timedelta(days=31)
    await flow.publish(people(story.calm(timedelta(hours=1)), hostile))
    await flow.settled()
    run.in_the_end = await Stranger(folder / "end", settings, "open_alerts.py", "--once").ends()
    run.followed = following.said

    scored = SCORED.full_name(settings)
    ends = await flow.eyes.ends(scored)

    async def all_is_counted() -> bool:
        return await flow.eyes.behind(f"count-{scored}", ends) == 0

    await until("all is counted", all_is_counted, 60)
    brands = json.loads((folder / "counts.json").read_text())
    run.counted = {brand: one["count"] for brand, one in brands.items()}


async def _odds_and_ends(flow: Flow, story: Unrest) -> None:
    """An edit that turns to another brand, an account's removal, poison, an id that no header may hold; and a source."""
    now = story.now

    def said(name: str, **fields: object) -> Mention:
        return Mention(id=f"mine:{name}", source="mine", observed_at=now, **fields)

    told = [
        said("edited", text="acme, at last", author_id="ann", revision="1"),
        said("edited", text="globex, at last", author_id="ann", op="update", revision="2"),
        said("two\nlines", text="acme", author_id="ann"),
    ]
    for mention in told:
        await flow.send(mention.id.encode(), encode(mention))
    for partition in range(flow.settings.raw_partitions):
        gone = said("ann", op="account_removed", author_id="ann")
        await flow._producer.send_and_wait(
            RAW.full_name(flow.settings), encode(gone), gone.id.encode(), partition=partition
        )
    for key in (b"poison:1", None):
        await flow.send(key, b'{"id": 7}')
    posts = flow._folder / "posts.jsonl"
    posts.write_bytes(encode(said("source", text="nothing in particular")))
    environment = os.environ | {"GROUNDSWELL_TOPIC_PREFIX": flow.settings.topic_prefix}
    command = ("-m", "agents.cli", "--kafka", flow.settings.kafka_bootstrap, "listen", "replay", f"file={posts}")
    source = await asyncio.create_subprocess_exec(sys.executable, *command, env=environment)
    assert await source.wait() == 0


async def _alerts(flow: Flow) -> list[Alert]:
    rows = await flow.eyes.latest(ALERTS.full_name(flow.settings))
    return [msgspec.json.decode(row, type=Alert) for row in rows.values()]
