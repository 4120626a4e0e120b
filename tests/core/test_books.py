"""What intake's books hold beside the counts, and that a restart keeps it."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from streams.core.intake import Intake, ToBrand
from streams.core.versions import Versions
from streams.records import Mention
from tests.core.test_intake import NOW, POLICY, RULES, in_force, intake, post, score_many, told

SMALL = POLICY._replace(remembered=64)
MANY = 600
"""More than the memory keeps in one block."""


def restarted(desk: Intake, policy=POLICY) -> Intake:
    """What was written down, opened again."""
    rows = {key: row for key, row in desk.changed_rows() if row is not None}
    return in_force(Intake(0, Versions(RULES), score_many, policy, sorted(rows.items())))


def removal_of(author: str, offset: int):
    gone = Mention(id=f"x:gone{offset}", source="x", observed_at=NOW, op="account_removed", author_id=author)
    return post(offset, None)._replace(value=msgspec.json.encode(gone))


def test_the_latest_time_heard_of_each_source_is_kept():
    desk = intake()
    early, late = NOW - timedelta(hours=1), NOW - timedelta(minutes=1)
    desk.judge([post(0, "weather", at=late), post(1, "weather", at=early)])
    assert restarted(desk).books.heard == {"x": late}


def test_the_rules_that_judged_last_are_named():
    desk = intake()
    desk.judge([post(0, "weather")])
    assert restarted(desk).books.rules == RULES.version


def test_after_a_restart_too_a_removed_account_is_told_to_everybody_where_memory_was_lost():
    desk = in_force(Intake(0, Versions(RULES), score_many, SMALL))
    desk.judge([post(offset, "dell", author_id="ann") for offset in range(MANY)])
    assert desk.forgotten > 0
    desk = restarted(desk, SMALL)
    assert desk.forgotten == desk.books.forgotten > 0
    verdicts, _ = desk.judge([removal_of("bob", MANY)])
    assert [one.brand for one in verdicts if isinstance(one, ToBrand)] == [None]


def test_while_all_is_remembered_a_removed_account_is_told_to_its_brands_only():
    desk = intake()
    desk.judge([post(0, "dell", author_id="ann"), post(1, "hp", author_id="bob")])
    verdicts, _ = restarted(desk).judge([removal_of("bob", 2)])
    assert [brand for brand, _ in told(verdicts)] == ["hp"]


def test_a_source_that_has_fallen_silent_is_named_until_it_speaks_again():
    desk = intake()
    desk.judge([post(n, "weather", at=NOW - timedelta(hours=8, minutes=200 - n)) for n in range(200)])
    assert desk.mark(desk.time()).silent == ()

    desk.quiet_until(NOW)
    assert desk.mark(desk.time()).silent == ("x",)
    assert restarted(desk).mark(NOW).silent == ("x",)

    desk.judge([post(200, "weather", at=NOW)])
    assert desk.mark(desk.time()).silent == ()
