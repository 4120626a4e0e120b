from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from agents.cli.read import reading
from agents.intake import IntakeDesk
from streams.core.intake import Intake, Policy
from streams.core.rules import load_rules
from streams.core.versions import Versions
from streams.outbox import Out
from streams.topics import DEAD_LETTERS, RAW
from tests.core.test_intake import in_force

if TYPE_CHECKING:
    from collections.abc import Sequence

    from click.testing import Result

    from tests.cli.conftest import Terminal

RULES = load_rules("ruleset: r\nbrands: [{id: dell, match: dell}]")
POLICY = Policy(timedelta(minutes=15), timedelta(minutes=5), rejected_share=1, rejected_window=1000, remembered=1000)
NOT_JSON, NOT_UTF8, EMPTY = b"{\x1b[2Jnot json", b'{"id":"\xff"}', None


def reject(terminal: Terminal, partition: int, *values: bytes | None, first_offset: int = 0) -> list[Out]:
    """What intake itself writes to dead-letters about these raw records; also written."""
    intake = in_force(Intake(partition, Versions(RULES), lambda *_: [], POLICY, iter(())))
    records = [
        SimpleNamespace(
            offset=first_offset + number,
            timestamp=1_769_860_800_000,
            key=None if value is EMPTY else b"x:%d" % number,
            value=value,
            headers=(),
        )
        for number, value in enumerate(values)
    ]
    dead = DEAD_LETTERS.full_name(terminal.settings)
    outs = [out for out in IntakeDesk(terminal.settings, intake).handle(records, 0.0) if out.topic == dead]
    terminal.write(outs)
    return outs


def in_raw(terminal: Terminal) -> list[tuple[int, bytes, bytes, str]]:
    async def read() -> Sequence:
        async with reading(terminal.settings, RAW) as reader:
            return [record async for record in reader.to_end()]

    found = [(r.partition, r.key, r.value, dict(r.headers)["dlq.attempts"].decode()) for r in asyncio.run(read())]
    return sorted(found)


def listed(result: Result) -> list[dict]:
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_dead_letters_are_listed_with_reason_place_and_key(terminal: Terminal) -> None:
    reject(terminal, 1, NOT_JSON, NOT_UTF8, first_offset=40)
    result = terminal.run("dead-letters", "list")
    assert "  not_json  1/40  key x:0\n" in result.stdout
    assert "  not_utf8  1/41  key x:1\n" in result.stdout
    assert "2 dead letters: not_json 1, not_utf8 1\n" in result.stderr


def test_values_are_shown_so_that_they_cannot_touch_the_terminal(terminal: Terminal) -> None:
    reject(terminal, 0, NOT_JSON, NOT_UTF8, EMPTY)
    said = terminal.run("dead-letters", "list").stdout
    assert "\n  {not json\n" in said
    assert '\n  {"id":"\\xff"}\n' in said
    assert "\n  (nothing)\n" in said
    assert "\x1b" not in said


def test_the_limit_keeps_the_latest_and_the_reason_only_its_own(terminal: Terminal) -> None:
    for partition in (0, 1):
        reject(terminal, partition, NOT_JSON, NOT_JSON, NOT_UTF8)
    result = terminal.run("dead-letters", "list", "--limit", "2", "--json")
    assert [(one["partition"], one["offset"]) for one in listed(result)] == [(1, 1), (1, 2)]
    assert "6 dead letters: not_json 4, not_utf8 2; the latest 2 are shown" in result.stderr
    assert len(listed(terminal.run("dead-letters", "list", "--reason", "not_utf8", "--json"))) == 2


def test_a_letter_written_twice_by_a_killed_worker_is_one_letter(terminal: Terminal) -> None:
    terminal.write(reject(terminal, 0, NOT_JSON))
    assert len(listed(terminal.run("dead-letters", "list", "--json"))) == 1
    assert "1 dead letter sent back" in terminal.run("dead-letters", "replay", "--yes").stdout


def test_a_replay_sends_the_original_bytes_back_where_they_came_from_and_counts_the_try(terminal: Terminal) -> None:
    reject(terminal, 0, NOT_JSON)
    reject(terminal, 1, NOT_UTF8, b"{}")
    result = terminal.run("dead-letters", "replay", "--yes")
    assert result.stdout == f"3 dead letters sent back to {RAW.full_name(terminal.settings)}.\n"
    assert in_raw(terminal) == [(0, b"x:0", NOT_JSON, "1"), (1, b"x:0", NOT_UTF8, "1"), (1, b"x:1", b"{}", "1")]


def test_a_letter_that_was_taken_away_is_neither_shown_nor_sent_back(terminal: Terminal) -> None:
    gone, stays = reject(terminal, 0, NOT_JSON, NOT_UTF8)
    terminal.write([gone._replace(value=None, headers=())])
    (shown,) = listed(terminal.run("dead-letters", "list", "--json"))
    assert shown["reason"] == "not_utf8"
    terminal.run("dead-letters", "replay", "--yes")
    assert [value for _, _, value, _ in in_raw(terminal)] == [stays.value]


def test_a_letter_that_has_been_tried_is_counted_on(terminal: Terminal) -> None:
    (out,) = reject(terminal, 0, NOT_JSON)
    again = (("dlq.original-offset", b"7"), ("dlq.attempts", b"4"))
    terminal.write([out._replace(headers=(*dict(out.headers, **dict(again)).items(),))])
    assert "sent back 4 times" in terminal.run("dead-letters", "list").stdout
    terminal.run("dead-letters", "replay", "--partition", "0", "--offset", "7", "--yes")
    assert in_raw(terminal) == [(0, b"x:0", NOT_JSON, "5")]


@pytest.mark.parametrize(
    ("which", "count"),
    [
        (["--reason", "not_json"], 2),
        (["--partition", "1"], 2),
        (["--partition", "1", "--offset", "1"], 1),
        (["--reason", "empty"], 0),
    ],
)
def test_a_replay_sends_only_what_was_asked_for(terminal: Terminal, which: list[str], count: int) -> None:
    for partition in (0, 1):
        reject(terminal, partition, NOT_JSON, NOT_UTF8)
    assert terminal.run("dead-letters", "replay", "--yes", *which).exit_code == 0
    assert len(in_raw(terminal)) == count


def test_a_record_with_neither_key_nor_value_can_be_sent_back(terminal: Terminal) -> None:
    reject(terminal, 0, EMPTY)
    assert terminal.run("dead-letters", "replay", "--reason", "empty", "--yes").exit_code == 0
    assert in_raw(terminal) == [(0, None, b"", "1")]


def test_nothing_is_sent_before_somebody_says_yes(terminal: Terminal) -> None:
    reject(terminal, 0, NOT_JSON)
    for answer, code in (("n\n", 1), ("", 130)):
        result = terminal.run("dead-letters", "replay", answer=answer)
        assert result.exit_code == code
        assert "Send 1 dead letter back" in result.stdout
    assert in_raw(terminal) == []
    assert terminal.run("dead-letters", "replay", answer="y\n").exit_code == 0
    assert len(in_raw(terminal)) == 1


def test_what_intake_did_not_write_is_left_out_and_named(terminal: Terminal, caplog: pytest.LogCaptureFixture) -> None:
    terminal.write([Out(DEAD_LETTERS.full_name(terminal.settings), 1, b"k", b"v", ())])
    assert listed(terminal.run("dead-letters", "list", "--json")) == []
    assert "dead-letters 1/0: not by intake" in caplog.text


def test_an_offset_without_its_partition_is_a_usage_error(terminal: Terminal) -> None:
    assert terminal.run("dead-letters", "replay", "--offset", "3").exit_code == 2
