from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from click.testing import CliRunner

from agents.cli import main
from agents.cli.forget import _report
from agents.cli.traces import Traces, cut_off, pattern_of, take_away, traces_in, whole_pattern_of
from streams.outbox import Out
from streams.records import Mention, encode
from streams.tables import BRANDS, STATE
from streams.topics import ALERTS, DEAD_LETTERS, RAW, SCORED, TOPOLOGY
from tests.faults.harness import QUICK_CHECKPOINT_S, Flow

if TYPE_CHECKING:
    from streams.tables import Table
    from streams.topics import Topic
    from tests.cli.conftest import Terminal

ANN = "https://m.example/users/ann"


def traces(terminal: Terminal, topic: Topic | Table, author: str = ANN) -> Traces:
    return asyncio.run(traces_in(terminal.settings, topic, author))


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


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'{"user" : "7"', id="JSON, cut off"),
        pytest.param(b"\x93\xa17\xa1y", id="a row"),
        pytest.param(b"7", id="a key"),
    ],
)
def test_an_id_that_stands_for_itself_names_its_author(content):
    assert whole_pattern_of("7").search(content)


@pytest.mark.parametrize(
    "content", [b'{"partition":7}', b'{"text":"7 reasons"}', b'{"id":"x:7"}', rb'{"text":"a \"7\" in quotes"}', b"x:7"]
)
def test_an_id_that_is_part_of_something_longer_may_be_a_mere_word(content):
    assert pattern_of("7").search(content)
    assert not whole_pattern_of("7").search(content)


def test_however_json_escapes_an_id_it_names_its_author():
    for author in ("jörg", 'a"b', ANN):
        for content in (
            json.dumps([author]),
            json.dumps([author], ensure_ascii=False),
            json.dumps([author]).replace("/", "\\/"),
        ):
            assert whole_pattern_of(author).search(content.encode())


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
    cited = b'{"text": "as ' + ANN.encode() + b' said"}'
    write(terminal, DEAD_LETTERS, (b"0/0/1", b'{"who": "' + ANN.encode() + b'"'), (b"0/0/2", b"{"), (b"0/0/3", cited))
    asyncio.run(take_away(terminal.settings, [traces(terminal, DEAD_LETTERS)]))
    left = traces(terminal, DEAD_LETTERS)
    assert (left.standing, left.replaced, left.alike) == (0, 1, 1)
    assert traces(terminal, DEAD_LETTERS, "{").replaced == 0


def test_a_purge_cuts_a_log_just_behind_them_but_not_beyond_what_workers_have_handled(terminal: Terminal) -> None:
    write(terminal, RAW, (b"a", ANN.encode()), (b"b", b"x"), (b"c", ANN.encode()), (b"d", b"@" + ANN.encode()))
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
        group_id=settings.group,
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


@pytest.mark.timeout(120)
async def test_who_is_forgotten_stands_in_the_logs_alone_until_those_expire(kafka, prefix, tmp_path):
    word = Mention(id="m:1", source="m", observed_at=datetime.now(UTC), text="acme, I hate it", author_id=ANN)
    async with Flow(kafka, prefix, tmp_path, checkpoint_s=QUICK_CHECKPOINT_S) as flow:
        flow.start_worker("a")
        await flow.send(word.id.encode(), encode(word))
        await flow.settled()
        env = {"KAFKA_BOOTSTRAP": kafka.bootstrap, "GROUNDSWELL_TOPIC_PREFIX": prefix}
        result = await asyncio.to_thread(CliRunner(env=env).invoke, main, ["forget", ANN, "--yes", "--json"])
        raw = await flow.eyes.read(RAW.full_name(flow.settings))
    assert result.exit_code == 0, result.output
    removals = [(one, msgspec.json.decode(one.value, type=Mention).observed_at) for one in raw if b"forget:" in one.key]
    asked = min(removals, key=lambda removal: removal[1])
    said_at = {round(at.timestamp() * 1000) for _, at in removals} - {0}
    assert said_at == {asked[0].timestamp}, "it goes by the broker's clock"
    assert result.stderr == "Nothing of them stands but what expires.\n"
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["topic"] for one in found] == [one.full_name(flow.settings) for one in (*TOPOLOGY, *STATE)]
    standing = {one["topic"].removeprefix(prefix): one for one in found if one["standing"]}
    assert {RAW.name, SCORED.name} <= standing.keys()
    assert all(one["gone_by"].endswith(" UTC") for one in standing.values())


def test_where_they_stand_for_good_it_says_so_and_fails(capsys):
    def left(topic: Topic, standing: int, gone_by: datetime | None) -> Traces:
        return Traces(topic, topic.name, standing, 1, 0, {}, (), gone_by)

    with pytest.raises(SystemExit) as left_with:
        _report([left(RAW, 2, datetime(2026, 3, 2, 9, tzinfo=UTC)), left(ALERTS, 3, None)], as_json=False)
    assert left_with.value.code == 1
    said = capsys.readouterr()
    assert (
        said.out
        == "mentions.raw: 2 standing, 1 replaced, gone by 2026-03-02 09:00 UTC\nalerts: 3 standing, 1 replaced\n"
    )
    assert said.err == "They still stand in alerts (3).\n"
