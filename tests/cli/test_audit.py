"""`groundswell audit` against real workers, and against copies of what they left in which one thing is not as it was."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from click.testing import CliRunner

from agents.cli import main
from streams.broker import create_topics
from streams.core.books import BOOKS_KEY, Books
from streams.outbox import Out, Outbox
from streams.records import ON_SCORED, Mark, Removal, RulesChanged, ScoredMention
from streams.tables import BRANDS, SEEN
from streams.topics import DEAD_LETTERS, RAW, SCORED
from tests.cli.conftest import Terminal
from tests.faults.harness import QUICK_CHECKPOINT_S, Flow, new_story

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aiokafka.structs import ConsumerRecord
    from click.testing import Result

    from agents.cli.localkafka import LocalKafka
    from streams.settings import Settings
    from tests.faults.oracle import Published

pytestmark = pytest.mark.timeout(180)

COPIED = (RAW, SCORED, DEAD_LETTERS, SEEN, BRANDS)
STORY = 1500

_decode = msgspec.json.Decoder(ON_SCORED).decode


def run(settings: Settings, *arguments: str) -> Result:
    return Terminal(settings).run("audit", *arguments)


# -- beside running workers --------------------------------------------------------------------------


async def test_the_accounts_add_up_while_workers_run_and_die_and_at_the_end_they_are_the_oracles(
    kafka, prefix, tmp_path, capsys
):
    story = list(new_story(11).go_on(4000))
    early, afterwards = story[:3700], story[3700:]
    async with Flow(kafka, prefix, tmp_path) as flow:
        flow.start_worker("a")
        worker = flow.start_worker("b")
        await flow.shared()

        async def one_dies() -> None:
            await flow.told(len(early) // 4)
            await flow.kill(worker)
            flow.start_worker("b")

        tasks = [asyncio.create_task(flow.publish(early, 400)), asyncio.create_task(one_dies())]
        looks, seen = [], [0]
        while not all(task.done() for task in tasks) or len(looks) < 3 or not seen[-1]:
            looks.append(await asyncio.to_thread(run, flow.settings, "--json"))
            seen.append(json.loads(looks[-1].stdout)["records"])
        await asyncio.gather(*tasks)
        await flow.settled()
        between = datetime.now(UTC).isoformat()
        await flow.publish(afterwards)
        await flow.settled()
        halves = [await asyncio.to_thread(run, flow.settings, "--json", side, between) for side in ("--to", "--from")]
        at_the_end = await asyncio.to_thread(run, flow.settings, "--json")
        verdict = await flow.verdict()

    with capsys.disabled():
        print(f"\n  {len(looks)} audits while it ran, of {seen} records; then: {verdict}")
    assert [look.stderr for look in looks if look.exit_code] == []
    for brand in [brand for look in looks for brand in json.loads(look.stdout)["brands"]]:
        assert brand["scored"] == brand["applied"] + brand["late"] + brand["under_way"]
    assert seen == sorted(seen)
    assert [half.stderr for half in halves] == ["", ""]
    assert [json.loads(half.stdout)["records"] for half in halves] == [len(early), len(afterwards)]

    assert at_the_end.exit_code == 0, at_the_end.output
    assert not verdict.wrong
    found = json.loads(at_the_end.stdout)
    assert found["records"] == len(story)
    assert totals(found["partitions"]) == expected_classes(flow.published) == totals(found["sources"])
    brands = {one["brand"]: one for one in found["brands"]}
    late = Counter(brand for said in story if said.late for brand in said.brands)
    scored = Counter(brand for said in story for brand in said.brands)
    assert {brand: one["scored"] for brand, one in brands.items()} == scored
    assert {brand: one["late"] for brand, one in brands.items()} == {brand: late[brand] for brand in brands}
    assert {brand: one["applied"] + one["late"] for brand, one in brands.items()} == scored
    assert found["resent"] >= verdict.resent, "dead letters may be set aside again, too"


def totals(rows: list[dict]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in ("matched", "passed", "duplicate", "dead", "control")}


def expected_classes(published: Sequence[Published]) -> dict[str, int]:
    what = Counter(one.said.what for one in published)
    passed = what.pop("unmatched") + what.pop("excluded")
    return dict(what) | {"passed": passed}


# -- copies in which one thing is not as it was --------------------------------------------------------


@dataclass(frozen=True)
class Standing:
    """What workers left, by topic; `settings` are those of its broker and partition counts."""

    settings: Settings
    logs: dict[str, list[ConsumerRecord]]
    published: list[Published]

    def but(self, topic: str, change: Callable[[ConsumerRecord], list[ConsumerRecord]]) -> Standing:
        """The same, but each record of one topic replaced by some."""
        return replace(self, logs=self.logs | {topic: [one for record in self.logs[topic] for one in change(record)]})

    def twice(self, topic: str) -> Standing:
        """The same, but all of a topic is told a second time, after the first."""
        return replace(self, logs=self.logs | {topic: [*self.logs[topic], *self.logs[topic]]})

    def scored(self) -> list[ScoredMention | Removal]:
        """What was told of mentions."""
        told = [_decode(record.value) for record in self.logs[SCORED.name]]
        return [one for one in told if not isinstance(one, Mark | RulesChanged)]

    def example(self, what: str) -> Published:
        """One record of the input that fell into this class, from the middle of the story."""
        fits = [one for one in self.published if one.said.what == what]
        return fits[len(fits) // 2]

    async def audit(self, prefix: str, *arguments: str, expire: dict[str, int] | None = None) -> Result:
        """Copy it to topics of its own, let the first `expire` records of each partition of some topics go, and audit."""
        settings = self.settings.model_copy(update={"topic_prefix": prefix})
        await create_topics(settings)
        outbox = Outbox(settings)
        await outbox.on_start()
        names = {one.name: one.full_name(settings) for one in COPIED}
        try:
            for name, log in self.logs.items():
                await outbox.deliver(
                    Out(names[name], one.partition, one.key, one.value, tuple(one.headers)) for one in log
                )
        finally:
            await outbox.on_stop()
        for name, before in (expire or {}).items():
            await drop(settings, names[name], before)
        return await asyncio.to_thread(run, settings, *arguments)


async def drop(settings: Settings, topic: str, before: int) -> None:
    """What retention does."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka_bootstrap)
    await admin.start()
    try:
        places = [TopicPartition(topic, number) for number in range(settings.keyed_partitions)]
        await admin.delete_records({place: RecordsToDelete(before_offset=before) for place in places})
    finally:
        await admin.close()


@pytest.fixture(scope="module")
def standing(kafka: LocalKafka, tmp_path_factory: pytest.TempPathFactory) -> Standing:
    async def live() -> Standing:
        folder = tmp_path_factory.mktemp("audited")
        async with Flow(kafka, f"audited{id(kafka)}.", folder, checkpoint_s=QUICK_CHECKPOINT_S) as flow:
            flow.start_worker("a")
            await flow.shared()
            await flow.publish(new_story(12).go_on(STORY))
            await flow.settled()
            worker = flow.workers[0]
            await flow.stop(worker)
            logs = {one.name: await flow.eyes.read(one.full_name(flow.settings)) for one in COPIED}
            return Standing(flow.settings, logs, flow.published)

    return asyncio.run(live())


def about(one: Published, record: ConsumerRecord) -> bool:
    origin = _decode(record.value).origin
    return not isinstance(_decode(record.value), Mark | RulesChanged) and (origin.partition, origin.offset) == (
        one.partition,
        one.offset,
    )


def changed(record: ConsumerRecord, value: bytes) -> ConsumerRecord:
    return replace(record, value=value)


async def test_an_untouched_copy_adds_up(standing, prefix):
    result = await standing.audit(prefix)
    assert result.exit_code == 0, result.output
    assert "It adds up: 1,500 records" in result.stdout


async def test_a_copy_in_which_everything_was_told_twice_adds_up(standing, prefix):
    result = await standing.twice(SCORED.name).twice(DEAD_LETTERS.name).audit(prefix)
    assert result.exit_code == 0, result.output
    letters = [one for one in standing.logs[DEAD_LETTERS.name] if one.value is not None]
    assert f"{len(standing.scored()) + len(letters):,} re-sends ignored" in result.stdout


async def test_a_mention_that_was_not_told_to_its_brand_is_named(standing, prefix):
    lost = standing.example("matched")
    result = await standing.but(SCORED.name, lambda one: [] if about(lost, one) else [one]).audit(prefix, "--json")
    assert result.exit_code == 1
    where = f"raw {lost.partition}/{lost.offset}, {lost.said.key.decode()}, matched"
    assert f"error: it does not add up: {where}: mentions.scored holds no record of it for " in result.stderr
    first, *others = json.loads(result.stdout)["problems"]
    assert (first["partition"], first["offset"]) == (lost.partition, lost.offset)
    assert [one["offset"] for one in others] == [None] * len(others), "only totals beside it"
    assert any("mentions.scored holds" in one["missing"] and "are booked" in one["missing"] for one in others)


async def test_a_deletion_that_nobody_was_told_of_is_named(standing, prefix):
    lost = standing.example("control")
    result = await standing.but(SCORED.name, lambda one: [] if about(lost, one) else [one]).audit(prefix)
    assert result.exit_code == 1
    where = f"raw {lost.partition}/{lost.offset}, {lost.said.key.decode()}, control"
    assert f"{where}: mentions.scored holds no removal for " in result.stderr


async def test_a_dead_letter_that_is_missing_is_named(standing, prefix):
    lost = standing.example("dead")
    key = f"0/{lost.partition}/{lost.offset}".encode()
    result = await standing.but(DEAD_LETTERS.name, lambda one: [] if one.key == key else [one]).audit(prefix)
    assert result.exit_code == 1
    where = f"raw {lost.partition}/{lost.offset}, {lost.said.key.decode()}, dead"
    assert f"error: it does not add up: {where}: dead-letters holds nothing of it" in result.stderr


async def test_a_redelivery_that_was_told_again_is_named(standing, prefix):
    copy = standing.example("duplicate")
    wrong = []

    def once_more(record: ConsumerRecord) -> list[ConsumerRecord]:
        one = _decode(record.value)
        if isinstance(one, ScoredMention) and one.id == copy.said.key.decode() and not wrong:
            origin = replace_origin(one, copy.offset)
            wrong.append(changed(record, msgspec.json.encode(origin)))
            return [record, wrong[0]]
        return [record]

    result = await standing.but(SCORED.name, once_more).audit(prefix)
    assert result.exit_code == 1
    assert f"raw {copy.partition}/{copy.offset}, {copy.said.key.decode()}, duplicate: said already at" in result.stderr


def replace_origin(one: ScoredMention, offset: int) -> ScoredMention:
    return msgspec.structs.replace(one, origin=msgspec.structs.replace(one.origin, offset=offset))


@pytest.mark.parametrize("error", [1, -1])
async def test_a_brand_that_counted_once_too_often_or_too_rarely_is_named(standing, prefix, error):
    def miscounted(row: ConsumerRecord) -> list[ConsumerRecord]:
        if row.key != b"acme":
            return [row]
        number, marks, state = msgspec.msgpack.decode(row.value, strict=False)
        tally, *learned = msgspec.msgpack.decode(state, strict=False)
        tally["applied"] += error
        content = msgspec.msgpack.encode((number, marks, msgspec.msgpack.encode((tally, *learned))))
        return [changed(row, content)]

    result = await standing.but(BRANDS.name, miscounted).audit(prefix)
    assert result.exit_code == 1
    assert "error: it does not add up: brand acme: its row has counted " in result.stderr


async def test_a_mention_that_its_brand_never_counted_is_named(standing, prefix):
    """As if the row had been lost: what is written down as handled stands in no row."""
    result = await standing.but(BRANDS.name, lambda row: [] if row.key == b"hooli" else [row]).audit(prefix, "--json")
    assert result.exit_code == 1
    assert "hooli's row has counted up to" in result.stderr
    found = json.loads(result.stdout)
    named = {one["id"] for one in found["problems"] if one["offset"] is not None}
    told = {one.id for one in standing.scored() if one.brand == "hooli"}
    assert named <= told
    assert len(found["problems"]) + found["problems_not_named"] > len(told)


async def test_a_raw_record_that_was_booked_twice_shows_in_the_totals(standing, prefix):
    def misbooked(row: ConsumerRecord) -> list[ConsumerRecord]:
        if row.key != BOOKS_KEY or row.partition != 2:
            return [row]
        books = msgspec.msgpack.decode(row.value, type=Books)
        for counts in books.classes.values():
            counts["unmatched"] += 1
        return [changed(row, msgspec.msgpack.encode(books))]

    result = await standing.but(SEEN.name, misbooked).audit(prefix)
    assert result.exit_code == 1
    assert "error: it does not add up: raw partition 2: it holds " in result.stderr
    assert "raw partition 2, source crowd: passed " in result.stdout


async def test_what_has_expired_is_counted_and_the_rest_still_proves_what_is_lost(standing, prefix):
    """So little that of each raw partition something told stands in each keyed one, in whatever order they were handled."""
    begun = {RAW.name: 10, SCORED.name: 30}
    result = await standing.audit(prefix, "--json", expire=begun)
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert 4 * 10 < found["expired"] < STORY
    lost = next(one for one in reversed(standing.published) if one.said.what == "matched")
    result = await standing.but(SCORED.name, lambda one: [] if about(lost, one) else [one]).audit(
        prefix + "b.", expire=begun
    )
    assert result.exit_code == 1
    assert f"raw {lost.partition}/{lost.offset}, {lost.said.key.decode()}, matched" in result.stderr


async def test_a_span_of_time_looks_at_its_own_records_only(standing, prefix):
    lost = standing.example("matched")
    broken = standing.but(SCORED.name, lambda one: [] if about(lost, one) else [one])
    within = await broken.audit(prefix, "--since", "1h")
    assert within.exit_code == 1
    assert f"raw {lost.partition}/{lost.offset}, " in within.stderr
    assert "totals are left out" in within.stdout
    settings = standing.settings.model_copy(update={"topic_prefix": prefix})
    assert re.search(r"^acme +\d+ +- +- +-", within.stdout, re.MULTILINE), within.stdout
    before = await asyncio.to_thread(run, settings, "--to", "2020-01-01T00:00Z", "--json")
    assert before.exit_code == 0, before.output
    assert json.loads(before.stdout)["records"] == 0


async def test_with_another_author_key_than_the_workers_it_refuses(standing, prefix, monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_AUTHOR_KEY", "another")
    result = await standing.audit(prefix)
    assert result.exit_code == 1
    assert result.stderr == "error: GROUNDSWELL_AUTHOR_KEY is not the workers': use their settings\n"


@pytest.mark.parametrize(
    "wrong",
    [
        ("--since", "soon"),
        ("--since", "nans"),
        ("--since", "0s"),
        ("--since=-1h",),
        ("--since", "999999d"),
        ("--from", "then"),
        ("--from", "2026-03-02", "--to", "2026-03-01"),
        ("--since", "1h", "--to", "2020-01-01"),
        ("--since", "1h", "--from", "2026-01-01"),
    ],
)
def test_a_time_that_makes_no_sense_is_a_usage_error(wrong):
    assert CliRunner().invoke(main, ["audit", *wrong]).exit_code == 2
