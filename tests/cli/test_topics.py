from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from click.testing import CliRunner

from agents.cli import main
from streams.broker import wanted_topics
from streams.core.books import BOOKS_KEY, Books
from streams.logs import Handled
from streams.outbox import Out
from streams.pages import LOG_KEY, read_handled
from streams.settings import load_settings
from streams.tables import SEEN, STATE
from streams.topics import RAW, TOPOLOGY
from tests.faults.harness import Eyes, comes_true

if TYPE_CHECKING:
    from tests.cli.conftest import Terminal


def test_the_topology_needs_no_broker_and_has_a_line_for_each_topic_and_table() -> None:
    result = CliRunner(env={"GROUNDSWELL_TOPIC_PREFIX": "eu.", "KAFKA_BOOTSTRAP": "127.0.0.1:1"}).invoke(
        main, ["topology"]
    )
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    for topic in TOPOLOGY:
        assert [f"eu.{topic.name}"] in [line[:1] for line in lines]
    for table in STATE:
        assert (table.name, table.full_name(load_settings(topic_prefix="eu."))) in [(ls[0], ls[-1]) for ls in lines]


def test_the_topology_says_how_long_each_topic_is_kept() -> None:
    env = {"GROUNDSWELL_RAW_RETENTION_S": "43200"}
    said = CliRunner(env=env).invoke(main, ["topology"]).stdout.splitlines()
    kept = {line.split()[0]: line for line in said if line}
    assert kept["mentions.raw"].rstrip().endswith("0.5 days")
    assert kept["dead-letters"].rstrip().endswith("30 days")
    assert kept["alerts"].rstrip().endswith("latest of each key")


def test_topics_are_created_once_and_named(bare: Terminal) -> None:
    first, second = bare.run("topics", "create"), bare.run("topics", "create")
    assert sorted(first.stdout.split()) == sorted(wanted_topics(bare.settings))
    assert (second.exit_code, second.stdout, second.stderr) == (0, "", "All topics are there.\n")


def test_topics_with_other_partition_counts_are_refused_one_line_each(terminal: Terminal) -> None:
    env = terminal.env | {"GROUNDSWELL_RAW_PARTITIONS": "7"}
    result = CliRunner(env=env).invoke(main, ["topics", "create"])
    assert result.exit_code == 1
    assert f"topic {terminal.settings.topic_prefix}mentions.raw has 2 partitions, the settings say 7" in result.stderr


# -- a new epoch -------------------------------------------------------------------------------------


def handled(terminal: Terminal, partition: int, last: Handled) -> None:
    """Leave rows behind, as a worker does that has handled more of the log than there is."""
    seen = SEEN.full_name(terminal.settings)
    books = Books(offset=last.offset, scored={"acme": 3})
    terminal.write(
        Out(seen, partition, key, msgspec.msgpack.encode(row)) for key, row in ((BOOKS_KEY, books), (LOG_KEY, last))
    )


async def as_it_stands(terminal: Terminal) -> tuple[dict[int, Books], dict[int, Handled], dict[int, int]]:
    """Books and log rows by partition, and what is committed."""
    async with Eyes(terminal.settings.kafka_bootstrap) as eyes:
        rows = await eyes.latest(SEEN.full_name(terminal.settings))
        committed = await eyes.committed(terminal.settings.group)
    return (
        {at: msgspec.msgpack.decode(row, type=Books) for (at, key), row in rows.items() if key == BOOKS_KEY},
        {at: read_handled(row) for (at, key), row in rows.items() if key == LOG_KEY},
        {tp.partition: offset for tp, offset in committed.items()},
    )


async def last_appended_ms(terminal: Terminal, partition: int) -> int:
    """When the broker appended the last record of a raw partition, ms since 1970."""
    async with Eyes(terminal.settings.kafka_bootstrap) as eyes:
        raw = await eyes.read(RAW.full_name(terminal.settings))
    return max(record.timestamp for record in raw if record.partition == partition)


def test_a_new_epoch_begins_for_each_partition_whose_log_was_replaced_and_only_once(terminal: Terminal) -> None:
    raw = RAW.full_name(terminal.settings)
    handled(terminal, 1, Handled(41, 1000))

    first, second = terminal.run("topics", "new-epoch", "--yes"), terminal.run("topics", "new-epoch", "--yes")

    assert (first.exit_code, first.stdout) == (0, f"{raw}-1: epoch 1 begins at offset 0\n")
    assert (second.exit_code, second.stdout) == (0, "")
    assert "is the log that was read: nothing was changed" in second.stderr
    books, known, committed = asyncio.run(as_it_stands(terminal))
    assert books == {1: Books(epoch=1, offset=-1, scored={"acme": 3}, before=42)}
    assert known == {}
    assert committed == {1: 0}


def test_another_record_in_the_place_of_the_last_one_is_a_new_log_and_the_same_one_is_not(terminal: Terminal) -> None:
    raw = RAW.full_name(terminal.settings)
    terminal.write([Out(raw, partition, b"x:1", b"{}") for partition in (0, 1)])

    handled(terminal, 0, Handled(0, asyncio.run(last_appended_ms(terminal, 0))))
    handled(terminal, 1, Handled(0, 1000))

    assert terminal.run("topics", "new-epoch", "--yes").stdout == f"{raw}-1: epoch 1 begins at offset 0\n"


def test_of_a_log_that_was_cut_off_and_went_on_what_stood_before_is_not_told_again(terminal: Terminal) -> None:
    """Its last record handled is gone: partition 0 holds newer ones after the cut, partition 1 none yet."""
    raw = RAW.full_name(terminal.settings)
    for partition in (0, 1):
        terminal.write(Out(raw, partition, b"x:%d" % number, b"{}") for number in range(3))
        handled(terminal, partition, Handled(41, asyncio.run(last_appended_ms(terminal, partition))))
    terminal.write([Out(raw, 0, b"x:new", b"{}")])

    said = terminal.run("topics", "new-epoch", "--yes")

    assert said.stdout.splitlines() == [f"{raw}-{partition}: epoch 1 begins at offset 3" for partition in (0, 1)]
    assert asyncio.run(as_it_stands(terminal))[2] == {0: 3, 1: 3}


def test_no_epoch_begins_while_a_worker_runs(terminal: Terminal) -> None:
    handled(terminal, 0, Handled(41, 1000))
    settings = terminal.settings

    async def with_a_worker():
        raw, group = RAW.full_name(settings), settings.group
        worker = AIOKafkaConsumer(raw, bootstrap_servers=settings.kafka_bootstrap, group_id=group)

        async def is_in() -> bool:
            return TopicPartition(raw, 0) in worker.assignment()

        await worker.start()
        try:
            assert await comes_true(is_in, within_s=30)
            return await asyncio.to_thread(terminal.run, "topics", "new-epoch", "--yes")
        finally:
            await worker.stop()

    result = asyncio.run(with_a_worker())

    assert result.exit_code == 1
    assert "still run (1): stop them all first" in result.stderr
    assert asyncio.run(as_it_stands(terminal))[0][0].epoch == 0


def test_a_new_epoch_is_asked_for_twice(terminal: Terminal) -> None:
    handled(terminal, 0, Handled(41, 1000))

    assert terminal.run("topics", "new-epoch", answer="n\n").exit_code == 1
    assert asyncio.run(as_it_stands(terminal))[0][0].epoch == 0
