from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.books import CLASSES
from streams.core.intake import Intake, Policy, RawRecord, SetAside, ToBrand, TooManyRejected
from streams.core.rules import load_rules
from streams.core.versions import Versions
from streams.records import Mention, Removal, ScoredMention, Sentiment

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
RULES = load_rules("""
ruleset: test
brands:
  - {id: dell, role: own, match: 'dell', exclude: '"farmer in the dell"', own_accounts: ["x:dellcares"]}
  - {id: hp, role: competitor, match: 'hp'}
""")
POLICY = Policy(
    allowed_lateness=timedelta(minutes=15),
    max_future=timedelta(minutes=5),
    rejected_share=0.5,
    rejected_window=100,
    remembered=10_000,
)


def score_many(texts, langs, names):
    return [Sentiment(label="negative" if "bad" in text else "neutral", compound=0.0) for text in texts]


def in_force(desk: Intake, offset: int = 0) -> Intake:
    """It has turned to the rules in force, and told so."""
    desk.adopt(offset, offset)
    desk.turns()
    return desk


def intake(rows=()) -> Intake:
    return in_force(Intake(0, Versions(RULES), score_many, POLICY, rows))


def post(offset: int, text: str | None, *, as_id: str | None = None, at: datetime = NOW, **fields) -> RawRecord:
    mention = Mention(id=as_id or f"x:{offset}", source="x", observed_at=at, text=text, **fields)
    return RawRecord(offset, NOW, mention.id.encode(), msgspec.json.encode(mention))


def told(verdicts) -> list[tuple[str | None, type]]:
    return [(one.brand, type(one.record)) for one in verdicts if isinstance(one, ToBrand)]


def test_a_mention_is_told_to_each_brand_that_it_matched():
    verdicts, counts = intake().judge([post(0, "my dell is bad, my hp too")])

    assert told(verdicts) == [("dell", ScoredMention), ("hp", ScoredMention)]
    assert {one.record.sentiment.label for one in verdicts} == {"negative"}
    assert counts["matched"] == 1


def test_unmatched_and_excluded_mentions_are_counted_and_dropped():
    verdicts, counts = intake().judge([post(0, "nice weather"), post(1, "the farmer in the dell")])

    assert verdicts == []
    assert (counts["unmatched"], counts["excluded"]) == (1, 1)


def test_the_same_mention_at_another_offset_is_a_redelivery():
    verdicts, counts = intake().judge([post(0, "dell", as_id="x:a"), post(1, "dell", as_id="x:a")])

    assert told(verdicts) == [("dell", ScoredMention)]
    assert (counts["matched"], counts["duplicate"]) == (1, 1)


def test_a_rejected_record_claims_nothing():
    bad = RawRecord(0, NOW, b"x:a", b'{"id":"x:a","source":"x","observed_at":"never","text":"dell"}')

    verdicts, counts = intake().judge([bad, post(1, "dell", as_id="x:a")])

    assert isinstance(verdicts[0], SetAside)
    assert told(verdicts) == [("dell", ScoredMention)]
    assert (counts["dead"], counts["matched"]) == (1, 1)


def test_an_edit_goes_to_its_new_brands_and_leaves_the_old_ones():
    one = intake()
    one.judge([post(0, "dell", as_id="x:a")])

    verdicts, _ = one.judge([post(1, "hp", as_id="x:a", op="update", revision="2")])

    assert told(verdicts) == [("dell", Removal), ("hp", ScoredMention)]
    assert verdicts[0].record.why == "no_longer_matched"


def test_a_deletion_goes_to_the_brands_on_record_and_if_there_are_none_to_everybody():
    one = intake()
    one.judge([post(0, "dell and hp", as_id="x:a")])

    known, _ = one.judge([post(1, None, as_id="x:a", op="delete")])
    unknown, counts = one.judge([post(2, None, as_id="x:never-seen", op="delete")])

    assert told(known) == [("dell", Removal), ("hp", Removal)]
    assert told(unknown) == [(None, Removal)]
    assert counts["control"] == 1


def test_the_removal_of_an_account_goes_to_every_brand_that_it_touched():
    one = intake()
    one.judge([post(0, "dell", author_id="did:1"), post(1, "hp", author_id="did:1"), post(2, "hp", author_id="did:2")])

    verdicts, _ = one.judge([post(3, None, op="account_removed", author_id="did:1")])

    assert told(verdicts) == [("dell", Removal), ("hp", Removal)]
    assert {gone.record.author_id for gone in verdicts} == {"did:1"}


def test_lateness_is_judged_against_the_partitions_own_time_not_the_clock():
    verdicts, _ = intake().judge(
        [
            post(0, "dell", at=NOW - timedelta(days=3)),
            post(1, "dell", at=NOW - timedelta(days=2)),
            post(2, "dell", at=NOW - timedelta(days=2, minutes=15)),
            post(3, "dell", at=NOW - timedelta(days=2, minutes=16)),
        ]
    )

    assert [one.record.late for one in verdicts] == [False, False, False, True]


def test_a_mention_from_the_future_is_set_aside_and_moves_no_time():
    one = intake()

    verdicts, _ = one.judge(
        [post(0, "dell", at=NOW + timedelta(minutes=6)), post(1, "dell", at=NOW + timedelta(minutes=4))]
    )

    assert verdicts[0].why.reason == "time_future"
    assert not verdicts[1].record.late
    assert one.time() == NOW + timedelta(minutes=4)


def test_the_brands_own_posts_are_told_as_such():
    verdicts, _ = intake().judge([post(0, "we are looking into it", author_id="dellcares")])

    assert [(one.brand, one.record.author_role) for one in verdicts] == [("dell", "own")]


def test_when_most_input_is_rejected_it_stops_and_says_what_to_do():
    one = intake()
    bad = [RawRecord(offset, NOW, b"k", b"not json") for offset in range(100)]

    with pytest.raises(
        TooManyRejected, match=r"partition 0.*\(not_json: .*GROUNDSWELL_DEAD_LETTER_SHARE.*dead-letters list"
    ):
        one.judge(bad)


def test_a_few_bad_records_among_many_good_ones_stop_nothing():
    records = [post(n, "dell") if n % 3 else RawRecord(n, NOW, b"k", b"not json") for n in range(600)]

    _, counts = intake().judge(records)

    assert (counts["dead"], counts["matched"]) == (200, 400)


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["dell", "hp bad", "dell hp", "nothing", "farmer in the dell", None]),
        st.integers(0, 6),
        st.sampled_from(["create", "create", "create", "update", "delete"]),
        st.integers(0, 2),
    ),
    min_size=1,
    max_size=40,
)


def log_of(events) -> list[RawRecord]:
    records = []
    for offset, (text, number, op, revision) in enumerate(events):
        if text is None:
            records.append(RawRecord(offset, NOW, b"k", b"{}"))
        else:
            records.append(post(offset, text, as_id=f"x:{number}", op=op, revision=str(revision)))
    return records


@given(EVENTS, st.data())
def test_killed_anywhere_and_read_again_it_tells_everything_once_more_at_most_and_counts_everything_once(events, data):
    """The rows of the last checkpoint are all that survives; the log is read again from any offset not after it."""
    records = log_of(events)
    policy = POLICY._replace(rejected_share=1.0)
    straight = in_force(Intake(0, Versions(RULES), score_many, policy))
    expected, _ = straight.judge(records)

    rows: dict[bytes, bytes] = {}
    heard: list = []
    worker = in_force(Intake(0, Versions(RULES), score_many, policy))
    position = 0
    for _ in range(data.draw(st.integers(0, 4))):
        end = data.draw(st.integers(position, len(records)))
        heard += worker.judge(records[position:end])[0]
        position = end
        if data.draw(st.booleans()):
            changed = worker.changed_rows()
            if data.draw(st.booleans()) and changed:
                changed = changed[:-1]  # killed before the books, which are written last
            rows |= dict(changed)
        if data.draw(st.booleans()):
            worker = in_force(Intake(0, Versions(RULES), score_many, policy, sorted(rows.items())))
            position = data.draw(st.integers(0, worker.books.offset + 1))
    heard += worker.judge(records[position:])[0]

    assert set(map(repr, heard)) == set(map(repr, expected))
    assert worker.books.classes == straight.books.classes
    assert worker.books.scored == straight.books.scored


@given(EVENTS)
def test_every_record_falls_into_exactly_one_class(events):
    one = in_force(Intake(0, Versions(RULES), score_many, POLICY._replace(rejected_share=1.0)))

    _, counts = one.judge(log_of(events))

    assert sum(counts.values()) == len(events)
    booked = Counter()
    for classes in one.books.classes.values():
        booked.update(classes)
    assert {name: booked[name] for name in CLASSES} == counts
