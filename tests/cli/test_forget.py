from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from agents.cli.traces import Traces, cut_off, pattern_of, take_away, traces_in
from streams.outbox import Out
from streams.tables import BRANDS
from streams.topics import ALERTS, DEAD_LETTERS, RAW

if TYPE_CHECKING:
    from streams.tables import Table
    from streams.topics import Topic
    from tests.cli.conftest import Terminal

ANN = "https://m.example/users/ann"


def traces(terminal: Terminal, topic: Topic | Table, author: str = ANN) -> Traces:
    return asyncio.run(traces_in(terminal.settings, topic, pattern_of(author)))


def write(terminal: Terminal, topic: Topic | Table, *records: tuple[bytes, bytes | None]) -> None:
    name = topic.full_name(terminal.settings)
    terminal.write(Out(name, 0, key, value) for key, value in records)


# -- what names an author ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"author_id":"https://m.example/users/ann"}', id="JSON"),
        pytest.param(rb'{"author_id":"https:\/\/m.example\/users\/ann"}', id="JSON with escaped slashes"),
        pytest.param(b"x:https://m.example/users/ann/7", id="in an id"),
        pytest.param(b"\x93\xa1x\xbbhttps://m.example/users/anna\xa1y", id="a row, and a letter follows"),
    ],
)
def test_an_author_is_found_however_they_are_spelt(content):
    assert pattern_of(ANN).search(content)


def test_an_author_beyond_ascii_is_found_in_escaped_json_as_well():
    assert pattern_of("jörg").search(json.dumps({"author_id": "jörg"}).encode())
    assert pattern_of("jörg").search(json.dumps({"author_id": "jörg"}, ensure_ascii=False).encode())


@pytest.mark.parametrize("content", [b'"https://m.example/users/anna"', b'"https://m.example/users/an"', b"ann"])
def test_somebody_whose_name_begins_alike_is_somebody_else(content):
    assert not pattern_of(ANN).search(content)


# -- where they stand ----------------------------------------------------------------------------


def test_in_a_log_each_record_stands_until_it_expires(terminal: Terminal) -> None:
    write(terminal, RAW, (b"a", b"x"), (b"b", ANN.encode()), (b"c", b"x"), (ANN.encode(), b"x"), (b"d", b"x"))
    found = traces(terminal, RAW)
    assert (found.standing, found.replaced, found.others) == (2, 0, 2)
    assert found.gone_by


def test_in_a_compacted_topic_only_the_latest_of_each_key_stands(terminal: Terminal) -> None:
    for topic in (ALERTS, BRANDS):
        write(
            terminal, topic, (b"1", ANN.encode()), (b"2", ANN.encode()), (b"3", ANN.encode()), (b"1", b""), (b"3", None)
        )
        found = traces(terminal, topic)
        assert (found.standing, found.replaced, found.gone_by) == (1, 2, None)
        write(terminal, topic, (b"2", b""))
        found = traces(terminal, topic)
        assert (found.standing, found.replaced) == (0, 3)
        assert found.gone_by


def test_a_dead_letter_that_names_them_is_taken_away_and_the_others_stay(terminal: Terminal) -> None:
    write(terminal, DEAD_LETTERS, (b"0/0/1", b"{" + ANN.encode()), (b"0/0/2", b"{"))
    asyncio.run(take_away(terminal.settings, [traces(terminal, DEAD_LETTERS)]))
    assert traces(terminal, DEAD_LETTERS).standing == 0
    assert traces(terminal, DEAD_LETTERS, "{").replaced == 0


def test_a_purge_cuts_a_log_just_behind_them_but_not_beyond_what_workers_have_handled(terminal: Terminal) -> None:
    write(terminal, RAW, (b"a", ANN.encode()), (b"b", b"x"), (b"c", ANN.encode()), (b"d", b"x"))
    begins = []
    for handled in (0, 2, 4):
        asyncio.run(commit(terminal, handled))
        asyncio.run(cut_off(terminal.settings, [traces(terminal, RAW)]))
        begins.append(asyncio.run(begin(terminal)))
    assert begins == [0, 2, 3]


async def commit(terminal: Terminal, offset: int) -> None:
    settings = terminal.settings
    worker = AIOKafkaConsumer(
        bootstrap_servers=settings.kafka_bootstrap,
        group_id=settings.topic_prefix + settings.app_id,
        enable_auto_commit=False,
    )
    await worker.start()
    try:
        tp = TopicPartition(RAW.full_name(settings), 0)
        worker.assign([tp])
        await worker.commit({tp: offset})
    finally:
        await worker.stop()


async def begin(terminal: Terminal) -> int:
    tp = TopicPartition(RAW.full_name(terminal.settings), 0)
    eyes = AIOKafkaConsumer(bootstrap_servers=terminal.settings.kafka_bootstrap)
    await eyes.start()
    try:
        return (await eyes.beginning_offsets([tp]))[tp]
    finally:
        await eyes.stop()


# -- the command ---------------------------------------------------------------------------------


def test_where_no_worker_runs_nothing_is_done_and_it_says_so(terminal: Terminal) -> None:
    result = terminal.run("forget", ANN, "--yes")
    assert result.exit_code == 1
    assert "no worker of group" in result.stderr
    assert traces(terminal, RAW).standing == 0


def test_nobody_is_forgotten_before_somebody_says_yes(terminal: Terminal) -> None:
    result = terminal.run("forget", ANN, answer="n\n")
    assert result.exit_code == 1
    assert "nothing was done" in result.stderr
    assert terminal.run("forget", " ").exit_code == 2
