"""From which offset on which version of the rules judges, and that a restart changes nothing about it."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.books import BOOKS_KEY, MOST_TURNS, Books
from streams.core.epochs import begin_epoch
from streams.core.intake import Intake, NoRulesError, ToBrand
from streams.core.rules import load_rules
from streams.core.versions import UnknownVersionError, Versions
from streams.records import Origin, RulesChanged, ScoredMention
from tests.core.test_intake import POLICY, RULES, post, score_many

FIRST = RULES
TEXT = "ruleset: test\nbrands: [{id: dell, match: dell AND fire}, {id: acer, match: acer}]"
SECOND = load_rules(TEXT)
EVERY = "my dell, my hp, my acer"


def intake(versions: Versions, rows=(), untold_from: int = 0, ahead: int = 100) -> Intake:
    policy = POLICY._replace(ahead=ahead)
    return Intake(0, versions, score_many, policy, sorted(dict(rows).items()), untold_from=untold_from)


def judged(verdicts) -> dict[int, set[tuple[str, str]]]:
    """Which brands were told of an offset, by which version."""
    found: dict[int, set[tuple[str, str]]] = {}
    for one in verdicts:
        if isinstance(one, ToBrand) and isinstance(one.record, ScoredMention):
            found.setdefault(one.record.origin.offset, set()).add((one.brand, one.record.rules_version))
    return found


def by_first(offset: int) -> dict[int, set[tuple[str, str]]]:
    return {offset: {("dell", FIRST.version), ("hp", FIRST.version)}}


def by_second(offset: int) -> dict[int, set[tuple[str, str]]]:
    return {offset: {("acer", SECOND.version)}}


@pytest.fixture
def versions() -> Versions:
    """Both are known, the first is in force."""
    both = Versions(FIRST, SECOND)
    both.put_in_force(FIRST.version)
    return both


def test_a_version_that_comes_into_force_judges_from_the_next_offset_on_and_everybody_is_told_first(versions):
    one = intake(versions)
    one.adopt(0, 0)
    before, _ = one.judge([post(0, EVERY)])
    versions.put_in_force(SECOND.version)

    assert one.adopt(1, 1), "the books must say so before anything is told"
    after, _ = one.judge([post(1, EVERY)])

    assert (judged(before), judged(after)) == (by_first(0), by_second(1))
    assert after[0] == ToBrand(None, RulesChanged(origin=Origin(0, 0, 1), version=SECOND.version, number=2))


def test_a_partition_in_which_nothing_comes_turns_as_well(versions):
    one = intake(versions)
    one.adopt(0, -1)
    versions.put_in_force(SECOND.version)
    one.adopt(0, -1)

    assert [turn.record.version for turn in one.turns()] == [SECOND.version]
    assert one.turns() == [], "once"


def test_what_is_judged_again_is_judged_by_the_version_of_the_first_time_however_bundles_are_cut(versions):
    one = intake(versions)
    one.adopt(0, 1)
    one.judge([post(0, EVERY), post(1, EVERY)])
    versions.put_in_force(SECOND.version)
    one.adopt(2, 2)
    rows = one.changed_rows()
    first_time, _ = one.judge([post(2, EVERY)])
    rows = {key: row for key, row in rows if key == BOOKS_KEY}
    books = msgspec.msgpack.decode(rows[BOOKS_KEY], type=Books)
    books.offset = -1  # as they stood before anything was judged

    again = intake(versions, {BOOKS_KEY: msgspec.msgpack.encode(books)}, untold_from=3)
    again.adopt(0, 2)
    verdicts, _ = again.judge([post(offset, EVERY) for offset in range(3)])

    assert judged(verdicts) == by_first(0) | by_first(1) | by_second(2)
    assert judged(first_time) == by_second(2)


def test_after_a_crash_a_new_version_waits_for_what_may_have_been_told(versions):
    one = intake(versions, ahead=10)
    one.adopt(0, 3)
    rows = one.changed_rows()
    one.judge([post(offset, EVERY) for offset in range(4)])  # told, and never written down
    versions.put_in_force(SECOND.version)

    again = intake(versions, rows, untold_from=50, ahead=10)
    assert not again.adopt(0, 3)
    assert judged(again.judge([post(offset, EVERY) for offset in range(4)])[0]).keys() == {0, 1, 2, 3}
    again.adopt(13, 13)
    assert again.books.rules == FIRST.version
    again.adopt(14, 14)
    assert (again.books.rules, again.books.turns[-1].since) == (SECOND.version, 14)


def test_it_waits_for_nothing_that_was_not_there_when_the_partition_was_taken_over(versions):
    one = intake(versions)
    one.adopt(0, 0)
    rows = one.changed_rows()
    versions.put_in_force(SECOND.version)

    again = intake(versions, rows, untold_from=1)
    again.adopt(0, 0)
    assert again.books.rules == FIRST.version
    again.adopt(1, 1)
    assert again.books.rules == SECOND.version


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans(), st.booleans()), max_size=15))
def test_wherever_it_is_killed_no_offset_is_ever_judged_by_two_versions(steps):
    """Each step: so many records are judged and told; another version may come into force; it may be killed, unwritten."""
    versions = Versions(FIRST, SECOND)
    rows: dict[bytes, bytes] = {}
    worker, offset, end = intake(versions, ahead=3), 0, 0
    seen: dict[int, set[str]] = {}
    for count, other, killed in steps:
        if other:
            versions.put_in_force(FIRST.version if versions.current == SECOND else SECOND.version)
        if worker.adopt(offset, offset + count - 1):
            rows |= {key: row for key, row in worker.changed_rows() if row is not None}
        verdicts, _ = worker.judge(
            [post(n, f"{EVERY} {n} on fire", as_id=f"x:{n}") for n in range(offset, offset + count)]
        )
        for at, told in judged(verdicts).items():
            seen.setdefault(at, set()).update(version for _, version in told)
        offset += count
        end = max(end, offset)
        if killed:
            worker = intake(versions, rows, untold_from=end, ahead=3)
            offset = worker.books.offset + 1

    assert {at: found for at, found in seen.items() if len(found) > 1} == {}
    assert all(found == {worker.books.version_at(at)} for at, found in seen.items())


def test_a_new_epoch_goes_on_with_the_version_of_the_old_one_and_with_its_number(versions):
    one = intake(versions)
    one.adopt(0, 0)
    one.judge([post(0, EVERY)])

    books = begin_epoch(dict(one.changed_rows()), begin=7)

    assert [tuple(turn) for turn in books.turns] == [(7, FIRST.version, 1)]


def test_turns_of_long_ago_are_forgotten_but_never_renumbered():
    books = Books()
    for number in range(MOST_TURNS + 5):
        books.turn_to(f"v{number}", since=number)

    assert len(books.turns) == MOST_TURNS
    assert books.turns[-1].number == MOST_TURNS + 5
    assert books.version_at(0) == books.turns[0].version


def test_without_any_rules_nothing_is_judged_and_it_is_said_what_to_do():
    with pytest.raises(NoRulesError, match="groundswell rules publish"):
        intake(Versions()).adopt(0, 0)


def test_a_version_that_cannot_be_had_changes_nothing_and_says_why(versions):
    versions.add("f" * 64, "ruleset: test\nbrands: [{id: dell, match: 'dell AND'}]")
    versions.add("e" * 64, TEXT)
    for name, why in (("f" * 64, "is refused"), ("e" * 64, f"is {SECOND.version[:12]}"), ("d" * 64, "does not hold")):
        with pytest.raises(UnknownVersionError, match=why):
            versions.put_in_force(name)

    assert versions.current == FIRST
