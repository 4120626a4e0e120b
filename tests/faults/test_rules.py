"""Rules are part of the log: another version in mid-stream, workers killed around it, and every mention judged by exactly one.

The oracle takes from intake's books which version judges from which offset on, and works out anew what that version says of
each mention. Whatever was told, re-sends included, must agree.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

import aiohttp
import msgspec
import pytest

from agents.cli.localkafka import free_port
from agents.detect import Detect
from streams.core.books import BOOKS_KEY, Books
from streams.core.parse import parse
from streams.core.rules import load_rules
from streams.core.versions import Versions
from streams.outbox import Out, Outbox
from streams.records import ON_SCORED, Alert, InForce, Mention, Ruleset, ScoredMention, encode
from streams.rulebook import CURRENT, publish
from streams.topics import ALERTS, RULES
from tests.faults.harness import Flow, until
from tests.faults.oracle import Said
from tests.faults.unrest import Unrest, days_ago

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.faults.harness import Process

pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

DOOMED = "tests.faults.doomed"
DIES_WITHIN_S = 60
PER_SECOND = 200
SETTINGS = {"checkpoint_s": 5.0, "session_timeout_s": 2, "bundle_records": 25}
"""Rows stay behind what is told, a worker that is started again waits not long for the one that died, and new rules not for all
that waits."""

STORY = ("acme", "globex", "hooli")
WATCHED = "watch:\n  - {when: brand:%s, detect: negativity, severity: warning}\n"
FIRST = (
    "ruleset: turns\nbrands:\n"
    "  - {id: acme, match: acme}\n  - {id: globex, match: globex}\n  - {id: hooli, match: hooli}\n"
    "issues:\n  - {id: fire, match: fire}\n" + WATCHED % "hooli"
)
SECOND = (
    "ruleset: turns\nbrands:\n"
    "  - {id: acme, match: acme, exclude: street}\n  - {id: globex, match: globex}\n  - {id: initech, match: initech}\n"
    "issues:\n  - {id: fire, match: fire OR smoke}\n" + WATCHED % "acme"
)
REFUSED = "ruleset: turns\nbrands:\n  - {id: acme, match: 'acme AND'}\n"


def said(story: Unrest, seed: int, count: int) -> Iterator[Said]:
    """What the two versions disagree about, a tenth of a second of event time apart."""
    chance = random.Random(seed)
    for number in range(count):
        story.now += timedelta(seconds=0.1)
        about = " and ".join(chance.sample(("acme", "globex", "hooli", "initech", "nothing"), 2))
        text = f"{about}: {chance.choice(('fire', 'smoke', 'street', 'phone'))} {number}"
        mention = Mention(id=f"turns:{seed}.{number}", source="turns", observed_at=story.now, text=text)
        yield Said(mention.id.encode(), encode(mention), "judged")


class Judged:
    """What stands, against what the version at each offset says."""

    def __init__(self, flow: Flow, books: dict[int, Books], versions: Versions) -> None:
        self.versions: Counter[str] = Counter()
        self.expected: dict[tuple[int, int], dict[str, tuple[str, ...]]] = {}
        self.by: dict[tuple[int, int], str] = {}
        for one in flow.published:
            if one.said.what == "duplicate":
                continue
            version = books[one.partition].version_at(one.offset)
            [match] = versions.of(version).match_many([parse(one.said.key, one.said.value)])
            at = one.partition, one.offset
            self.by[at] = version
            self.expected[at] = {brand.brand: brand.issues for brand in match.brands}
            self.versions[version] += 1
        self.counts = Counter(brand for brands in self.expected.values() for brand in brands)
        self.told = 0

    def wrong(self, scored: Sequence, tallies: dict[str, int]) -> list[str]:
        found = defaultdict(lambda: defaultdict(set))
        for record in scored:
            if isinstance(one := msgspec.json.decode(record.value, type=ON_SCORED), ScoredMention):
                found[one.origin.partition, one.origin.offset][one.brand].add((one.rules_version, one.issues))
                self.told += 1
        checks = {
            "judged by two versions": [at for at, brands in found.items() if len(by(brands)) > 1],
            "judged by another version than the books say": [
                at for at, brands in found.items() if by(brands) - {self.by.get(at)}
            ],
            "lost": [at for at, brands in self.expected.items() if brands.keys() - found[at].keys()],
            "told what nobody said": [at for at, brands in found.items() if brands.keys() - self.expected[at].keys()],
            "other issues": [
                at
                for at, brands in self.expected.items()
                if any({issues for _, issues in found[at][brand]} != {told} for brand, told in brands.items())
            ],
            "miscounted": [
                (brand, tallies.get(brand, 0), self.counts[brand])
                for brand in sorted(self.counts.keys() | tallies.keys())
                if tallies.get(brand, 0) != self.counts[brand]
            ],
        }
        return [f"{name}: {len(places)}, such as {places[:3]}" for name, places in checks.items() if places]


def by(brands: dict[str, set[tuple[str, tuple[str, ...]]]]) -> set[str]:
    return {version for told in brands.values() for version, _ in told}


async def died(flow: Flow, worker: Process) -> None:
    assert await worker.ended(DIES_WITHIN_S) == -9, worker.words
    flow.given_up(worker)


async def alerts_of(flow: Flow) -> dict[bytes, Alert]:
    latest = await flow.eyes.latest(ALERTS.full_name(flow.settings))
    found = {key: msgspec.json.decode(value, type=Alert) for (_, key), value in latest.items()}
    return {key: alert for key, alert in found.items() if alert.brand == "hooli"}


async def deliver(flow: Flow, *records: tuple[bytes, bytes]) -> None:
    outbox = Outbox(flow.settings)
    await outbox.on_start()
    await outbox.deliver(Out(RULES.full_name(flow.settings), 0, key, value) for key, value in records)
    await outbox.on_stop()


@pytest.mark.parametrize(
    "dooms",
    [
        # It dies with the first of four partitions turned, and again when it has just told two of them anew.
        pytest.param(("turned mentions.scored 1", "turned mentions.scored 2"), id="killed-twice"),
        pytest.param(
            (
                "turned mentions.scored 1",
                "logged seen 3",
                "turned mentions.scored 2",
                "half-told mentions.scored 3",
                "told brands 3",
                "turned spikes 1",
            ),
            id="killed-six-times",
            marks=pytest.mark.long,
        ),
    ],
)
async def test_every_mention_is_judged_by_one_version_wherever_the_worker_is_killed_while_another_comes_into_force(
    kafka, prefix, tmp_path, say, dooms
):
    """A brand comes, a brand goes, an issue changes; and what goes takes its alert and its gauges with it."""
    first, second = load_rules(FIRST), load_rules(SECOND)
    story, port = Unrest(seed=3, begins=days_ago(5), brands=STORY, usual_s=120), free_port()
    async with Flow(kafka, prefix, tmp_path, rules=FIRST, **SETTINGS) as flow:
        worker = flow.start_worker("a", module=DOOMED, doom=dooms[0])
        await flow.publish([*story.past(), *story.burst("hooli")])

        async def an_alert_is_open() -> bool:
            return [one.status for one in (await alerts_of(flow)).values()] == ["firing"]

        await until("an alert is open", an_alert_is_open, 60)
        publishing = asyncio.create_task(flow.publish(said(story, 1, 1400), PER_SECOND))
        await flow.told(at_least=len(flow.published) + 300)  # the first version judges some, too
        await publish(flow.settings, second, SECOND)
        for doom in dooms[1:]:
            await died(flow, worker)
            worker = flow.start_worker("a", module=DOOMED, doom=doom)
        await died(flow, worker)
        flow.start_worker("a", http_port=port, checkpoint_s=0.5)
        await publishing

        # Somebody else writes what nobody can use: all stays as it is.
        refused = Ruleset(version="f" * 64, text=REFUSED)
        await deliver(flow, (b"f" * 64, encode(refused)), (CURRENT, encode(InForce(version=refused.version))))
        await flow.publish([*said(story, 2, 400), *story.calm(timedelta(minutes=10))])
        await flow.settled(120)
        standing, found = await flow.standing(), await alerts_of(flow)
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
            page = await answer.text()

    books = {
        partition: msgspec.msgpack.decode(row, type=Books)
        for (partition, key), row in standing.seen.items()
        if key == BOOKS_KEY
    }
    judged = Judged(flow, books, Versions(first, second))
    tallies = {
        key.decode(): state.tally.applied + state.tally.late
        for (_, key), row in standing.brands.items()
        if not key.startswith(b"\0")
        for state in [Detect(flow.settings, Versions(), 0).load(msgspec.msgpack.decode(row)[2])]
    }
    wrong = judged.wrong(standing.scored, tallies)
    counts = ", ".join(f"{judged.versions[one.version]:,} by {one.version[:6]}" for one in (first, second))
    say(f"{len(dooms)} kills: {len(judged.by):,} judged, {counts}; {judged.told:,} told; wrong: {wrong or 'nothing'}")
    assert not wrong
    assert all(len(one.turns) == 2 for one in books.values()), "each partition has turned once"
    assert all(judged.versions[one.version] > 100 for one in (first, second))
    assert [(one.status, one.resolved_because) for one in found.values()] == [("resolved", "rule_removed")]
    assert 'groundswell_brand_mentions{brand="acme"}' in page
    assert 'brand="hooli"' not in page
    assert 'rule="hooli.match"' not in page
    assert 'groundswell_rules_refused_total{reason="refused"} 1.0' in page
    assert f'version="{second.version[:12]}"' in page
