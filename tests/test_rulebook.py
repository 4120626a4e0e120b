"""What a worker makes of the topic `rules`, on the real broker."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from streams.broker import create_topics
from streams.core.rules import load_rules
from streams.core.versions import UnknownVersionError
from streams.outbox import Out, Outbox
from streams.records import InForce, Ruleset, encode
from streams.rulebook import CURRENT, RuleBook, publish
from streams.settings import load_settings
from streams.topics import RULES
from tests.faults.harness import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from streams.settings import Settings

FIRST, SECOND = (f"ruleset: r\nbrands: [{{id: {brand}, match: {brand}}}]\n" for brand in ("dell", "hp"))
REFUSED = "ruleset: r\nbrands: [{id: dell, match: dell, colour: red}]\n"


@pytest.fixture
async def settings(kafka, prefix) -> Settings:
    found = load_settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix, raw_partitions=1, keyed_partitions=1)
    await create_topics(found)
    return found


@asynccontextmanager
async def worker(settings: Settings, text: str | None = None) -> AsyncIterator[RuleBook]:
    """As much of a worker as follows the rules, started with a file or without."""

    async def give_up(error: BaseException) -> None:
        raise error

    book = RuleBook(settings, (load_rules(text), text) if text else None, give_up=give_up)
    await book.start()
    try:
        await book.read_to_end()
        yield book
    finally:
        await book.stop()


async def write(settings: Settings, *records: tuple[bytes, bytes | None]) -> None:
    outbox = Outbox(settings)
    await outbox.on_start()
    await outbox.deliver(Out(RULES.full_name(settings), 0, key, value) for key, value in records)
    await outbox.on_stop()


def in_force(book: RuleBook) -> str | None:
    return book.versions.current and book.versions.current.brands[0].id


async def test_the_first_workers_file_is_published_and_from_then_on_the_topic_counts(settings, caplog):
    caplog.set_level("WARNING")
    async with worker(settings, FIRST) as one:
        assert in_force(one) == "dell"
    async with worker(settings, SECOND) as other, worker(settings) as without:
        assert (in_force(other), in_force(without)) == ("dell", "dell")
    assert f"the worker's file is version {load_rules(SECOND).version[:12]}" in caplog.text


async def test_without_a_file_and_without_a_version_nothing_is_in_force(settings):
    async with worker(settings) as one:
        assert in_force(one) is None


async def test_a_new_version_comes_into_force_while_it_runs_and_one_that_is_named_in_the_flow_is_waited_for(settings):
    async with worker(settings, FIRST) as one:
        second = load_rules(SECOND)
        await publish(settings, second, SECOND)

        await one.know(second.version)

        assert one.versions.of(second.version) == second

        async def it_is_in_force() -> bool:
            return in_force(one) == "hp"

        await until("it is in force", it_is_in_force, 10)
        with pytest.raises(UnknownVersionError, match="does not hold version ffffffffffff"):
            await one.know("f" * 64)


@pytest.mark.parametrize(
    ("reason", "key", "value"),
    [
        ("refused", CURRENT, encode(InForce(version="f" * 64))),
        ("unknown", CURRENT, encode(InForce(version="e" * 64))),
        ("unreadable", CURRENT, b"{"),
        ("unreadable", b"dell", encode(Ruleset(version="d" * 64, text=SECOND))),
    ],
)
async def test_what_nobody_can_use_is_counted_and_the_rules_stay_as_they_are_also_after_a_restart(
    settings, reason, key, value
):
    def counted() -> float:
        return REGISTRY.get_sample_value("groundswell_rules_refused_total", {"reason": reason}) or 0

    async with worker(settings, FIRST) as one:
        before = counted()
        await write(settings, (b"f" * 64, encode(Ruleset(version="f" * 64, text=REFUSED))), (key, value), (b"x", None))
        await one.read_to_end()

        async def it_is_counted() -> bool:
            return counted() == before + 1

        await until("it is counted", it_is_counted, 10)
        assert in_force(one) == "dell"
    async with worker(settings) as again:
        assert in_force(again) == "dell"
