"""How intake tells the time: by what it hears, and by the clock only once it has read to the end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec
import pytest

from agents.intake import IntakeDesk
from streams.core.intake import Intake, Policy
from streams.core.rules import load_rules
from streams.core.versions import Versions
from streams.records import Mark, Mention, Sentiment
from streams.settings import Settings
from tests.core.test_intake import in_force

START = datetime(2026, 1, 1, tzinfo=UTC)
RULES = load_rules("ruleset: r\nbrands:\n  - {id: acme, role: own, match: acme}\n")
POLICY = Policy(timedelta(minutes=15), timedelta(minutes=5), 1.0, 1000, 10_000)


def desk(rows=()) -> IntakeDesk:
    def score_many(texts, langs, names):
        return [Sentiment(label="neutral") for _ in texts]

    return IntakeDesk(Settings(), in_force(Intake(0, Versions(RULES), score_many, POLICY, rows)))


def post(offset: int, seconds: float, text: str = "acme"):
    mention = Mention(id=f"x:{offset}", source="x", observed_at=START + timedelta(seconds=seconds), text=text)
    value = msgspec.json.encode(mention)
    return SimpleNamespace(
        offset=offset, key=mention.id.encode(), value=value, timestamp=START.timestamp() * 1000 + 10**9, headers=()
    )


def told(outs) -> list[dict[str, bytes]]:
    """The headers of all but marks."""
    return [headers for out in outs if (headers := dict(out.headers))["ce_type"] != b"groundswell.progress"]


def junk(offset: int):
    return SimpleNamespace(offset=offset, key=b"k", value=b"{", timestamp=START.timestamp() * 1000, headers=())


def marked(outs) -> float | None:
    """Seconds after START that the marks among `outs` tell; the same to each keyed partition."""
    marks = [out for out in outs if out.key is None]
    assert [out.partition for out in marks] == [0, 1, 2, 3]
    (time,) = {msgspec.json.decode(out.value, type=Mark).time for out in marks}
    return None if time is None else (time - START).total_seconds()


def test_the_trace_that_a_mention_belongs_to_is_handed_on_with_it_and_with_no_other():
    trace = ("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    first, other, hostile = post(0, 1), post(1, 2), post(2, 3)
    first.headers = (("x", b"1"), trace)
    hostile.headers = (("traceparent", b"00-0af7\r\nX: y"),)
    gone = Mention(id="x:0", source="x", observed_at=START, op="delete")
    deleted = SimpleNamespace(**vars(first) | {"offset": 3, "value": msgspec.json.encode(gone)})

    headers = told(desk().handle([first, other, hostile, deleted], 0))

    assert [one["ce_type"] for one in headers] == [b"groundswell.mention.scored"] * 3 + [b"groundswell.mention.removed"]
    assert [one.get("traceparent") for one in headers] == [trace[1], None, None, trace[1]]


def test_a_partition_that_never_held_anything_says_so():
    assert marked(desk().idle(0)) is None


def test_read_to_the_end_time_goes_on_by_the_clock():
    one = desk()
    one.handle([post(0, 100)], 0)

    assert marked(one.idle(30)) == 130
    assert marked(one.idle(90)) == 190


def test_junk_does_not_hold_time_back():
    one = desk()
    one.handle([post(0, 100)], 0)
    for second in range(1, 61):
        one.handle([junk(second)], second)

    assert marked(one.idle(62)) == pytest.approx(162)


def test_a_mention_behind_the_clock_does_not_take_time_back():
    one = desk()
    one.handle([post(0, 100)], 0)
    one.idle(60)
    one.handle([post(1, 150)], 61)

    assert marked(one.idle(70)) == 170


def test_after_a_restart_time_goes_on_from_where_it_had_come_while_all_was_quiet():
    one = desk()
    one.handle([post(0, 100)], 0)
    one.idle(600)

    again = desk(one.changed_rows())

    assert marked(again.idle(5000)) == 700
    assert marked(again.idle(5010)) == 710


def test_quiet_time_is_written_once_a_minute_not_once_a_second():
    one = desk()
    one.handle([post(0, 100)], 0)
    one.changed_rows()
    written = 0
    for second in range(1, 121):
        one.idle(second)
        written += bool(one.changed_rows())

    assert written <= 3


def test_marks_are_told_once_a_second_but_history_is_told_every_five_minutes_of_its_own():
    one = desk()
    one.handle([post(0, 0)], 0)

    assert [out for out in one.handle([post(1, 10)], 0.5) if out.key is None] == []
    assert marked(one.handle([post(2, 400)], 0.6)) == 400


def test_a_record_sent_back_and_rejected_again_keeps_the_count_of_its_attempts():
    tried = junk(0)
    tried.headers = (("dlq.attempts", b"2"),)

    (letter,) = [out for out in desk().handle([tried], 0) if out.topic == "dead-letters"]

    assert dict(letter.headers)["dlq.attempts"] == b"2"
    assert letter.value == b"{"


def test_a_dead_letter_too_large_to_be_kept_whole_says_how_large_it_was():
    huge = junk(0)
    huge.value = b"x" * (5 * 1024 * 1024)

    (letter,) = [out for out in desk().handle([huge], 0) if out.topic == "dead-letters"]

    assert dict(letter.headers)["dlq.reason"] == b"too_large"
    assert dict(letter.headers)["dlq.original-size"] == str(len(huge.value)).encode()
    assert len(letter.value) < 4 * 1024 * 1024
