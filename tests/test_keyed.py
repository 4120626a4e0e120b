from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from streams.keyed import CLOCK_KEY, KeyedDesk
from streams.merge import MOST_WAITING, PATIENCE_MS
from streams.outbox import Out
from streams.records import Mark, Origin, Removal, RulesChanged, ScoredMention, Sentiment, encode

START = datetime(2026, 1, 1, tzinfo=UTC)
ON_WIRE = msgspec.json.Decoder(ScoredMention | Removal | Mark | RulesChanged).decode


class Counted(msgspec.Struct):
    seen: list[str] = []
    silent: list[str] = []
    closed: int = 0


class CountByMinute:
    """A toy agent: it remembers ids, and each minute of event time says how many it has seen."""

    def begin(self):
        return Counted()

    def apply(self, key, state, value):
        if isinstance(value, Removal):
            state.seen = [one for one in state.seen if one != value.id]
        else:
            state.seen = [*state.seen, value.id]
        return []

    def concerns(self, state, value):
        return value.id in state.seen

    def relay(self, value):
        return [Out("relayed", 0, None, (value.version if isinstance(value, RulesChanged) else value.id).encode())]

    def pass_time(self, key, state, now, silent):
        state.silent = sorted(silent)
        minute = int((now - START) / timedelta(minutes=1))
        if minute > state.closed:
            state.closed = minute
            yield Out("said", 0, key.encode(), f"{minute}: {len(state.seen)}".encode())

    def due(self, state):
        return START + timedelta(minutes=state.closed + 1)

    def time_of(self, value):
        return value.time if isinstance(value, Mark) else getattr(value, "observed_at", None)

    def pass_on(self, mark):
        return [Out("marks", 0, None, mark.time.isoformat().encode())]

    def adopt(self, version):
        return version.split()

    def leave(self, key, state, now):
        state.seen = []
        return [Out("left", 0, key.encode(), None)]

    def dump(self, state):
        return msgspec.msgpack.encode(state)

    def load(self, row):
        return msgspec.msgpack.decode(row, type=Counted)


@dataclass
class Record:
    key: bytes | None
    value: bytes
    offset: int = field(default_factory=itertools.count().__next__)
    timestamp: int = 0
    """When the broker appended it, ms."""


def desk(rows=(), lanes: int = 1) -> KeyedDesk[Counted]:
    return KeyedDesk(
        CountByMinute(), agent="detect", lanes=lanes, decode=ON_WIRE, origin_of=lambda value, _: value.origin, rows=rows
    )


def said(brand: str, offset: int, seconds: float, lane: int = 0) -> Record:
    mention = ScoredMention(
        brand=brand,
        origin=Origin(0, lane, offset),
        id=f"{lane}.{offset}",
        source="x",
        observed_at=START + timedelta(seconds=seconds),
        sentiment=Sentiment(label="neutral"),
    )
    return Record(brand.encode(), encode(mention))


def mark(seconds: float | None, lane: int = 0, offset: int = 0, **fields: object) -> Record:
    time = None if seconds is None else START + timedelta(seconds=seconds)
    return Record(None, encode(Mark(origin=Origin(0, lane, offset), time=time, **fields)))


def turn(version: str, number: int, lane: int = 0) -> Record:
    """The lane is judged by other rules; a version is the keys that it names."""
    return Record(None, encode(RulesChanged(origin=Origin(0, lane, 0), version=version, number=number)))


def states(one: KeyedDesk[Counted]) -> dict[str, list[str]]:
    return {key: state.seen for key, state in one.states()}


def spoken(outs) -> list[tuple[str, bytes]]:
    return [(out.topic, out.value) for out in outs if out.topic == "said"]


def test_what_is_said_twice_is_counted_once():
    one = desk()

    one.handle([said("dell", 0, 1), said("dell", 1, 2), said("dell", 0, 1), said("dell", 1, 2)], 0)

    assert states(one) == {"dell": ["0.0", "0.1"]}


def test_a_new_epoch_of_the_raw_log_starts_its_offsets_anew():
    one = desk()
    later = msgspec.structs.replace(ON_WIRE(said("dell", 0, 3).value), origin=Origin(1, 0, 0), id="new")

    one.handle([said("dell", 5, 1), Record(b"dell", encode(later))], 0)

    assert states(one) == {"dell": ["0.5", "new"]}


def test_lanes_have_watermarks_of_their_own():
    one = desk(lanes=2)

    one.handle([said("dell", 9, 1, lane=0), said("dell", 3, 1, lane=1), said("dell", 3, 1, lane=1)], 0)

    assert states(one) == {"dell": ["0.9", "1.3"]}


def test_time_is_the_lowest_progress_of_all_lanes():
    one = desk(lanes=2)

    assert spoken(one.handle([said("dell", 0, 10, lane=0), mark(600, lane=0)], 0)) == []
    assert spoken(one.handle([mark(130, lane=1)], 0)) == [("said", b"2: 1")]


def test_a_lane_that_holds_nothing_holds_nobody_back():
    one = desk(lanes=2)

    assert spoken(one.handle([mark(None, lane=1), said("dell", 0, 10), mark(70)], 0)) == [("said", b"1: 1")]


def test_a_row_that_is_born_behind_time_catches_up_at_once():
    assert spoken(desk().handle([mark(60), said("dell", 0, 0)], 0)) == [("said", b"1: 1")]


def test_a_lane_that_begins_to_speak_does_not_take_time_back():
    one = desk(lanes=2)
    one.handle([mark(None, lane=1), said("dell", 0, 10), mark(130)], 0)

    assert spoken(one.handle([mark(20, lane=1), mark(190), mark(190, lane=1)], 0)) == [("said", b"3: 1")]


def test_a_value_for_everybody_is_handed_on_once():
    one = desk()
    gone = Removal(origin=Origin(0, 0, 2), why="deleted", id="never seen")

    assert [out.value for out in one.handle([Record(None, encode(gone))], 0)] == [b"never seen"]


def test_time_never_goes_back():
    one = desk()
    one.handle([said("dell", 0, 10), mark(600)], 0)

    assert spoken(one.handle([mark(70)], 0)) == []


def test_progress_is_passed_on_at_most_once_a_second_of_event_time():
    outs = desk().handle([mark(1), mark(1.5), mark(2.1), mark(2.2)], 0)

    assert [out.value for out in outs] == [b"2026-01-01T00:00:01+00:00", b"2026-01-01T00:00:02.100000+00:00"]


def test_a_removal_for_everybody_touches_only_the_rows_that_it_concerns():
    one = desk()
    one.handle([said("dell", 0, 1), said("hp", 1, 1)], 0)
    one.changed_rows()

    gone = Removal(origin=Origin(0, 0, 2), why="deleted", id="0.0")
    one.handle([Record(None, encode(gone))], 0)

    assert states(one) == {"dell": [], "hp": ["0.1"]}
    assert [key for key, _ in one.changed_rows()] == [b"dell"]


def test_lanes_are_applied_in_the_order_of_time_whichever_comes_first():
    """While a backlog is read, one raw partition is hours ahead of another."""
    first = [said("dell", offset, 3600 * offset, lane=0) for offset in range(4)]
    second = [said("dell", offset, 3600 * offset + 1800, lane=1) for offset in range(4)]
    one, other = desk(lanes=2), desk(lanes=2)

    one.handle([*first, *second, mark(20_000, 0), mark(20_000, 1)], 0)
    other.handle([*second, *first, mark(20_000, 1), mark(20_000, 0)], 0)

    in_order = [f"{lane}.{offset}" for offset in range(4) for lane in range(2)]
    assert states(one) == states(other) == {"dell": in_order}


def test_what_has_no_time_does_not_say_that_its_lane_is_empty():
    one = desk(lanes=2)
    gone = Record(None, encode(Removal(origin=Origin(0, 1, 0), why="deleted", id="x")))

    one.handle([gone, said("dell", 0, 60), said("dell", 1, 30, lane=1), mark(60, 1)], 0)

    assert states(one) == {"dell": ["1.1", "0.0"]}


def test_a_lane_keeps_its_order_whatever_its_mentions_say():
    one = desk(lanes=2)

    one.handle([said("dell", 0, 500), said("dell", 1, 400), mark(450, 1), mark(600, 1)], 0)

    assert states(one) == {"dell": ["0.0", "0.1"]}


def test_where_every_lane_is_read_to_its_end_nobody_waits_for_one_that_is_seldom_spoken_in():
    one = desk(lanes=2)
    one.handle([mark(0, 1, idle=True), said("dell", 0, 600), mark(600, 0, idle=True)], 0)
    assert states(one) == {}, "the other lane has not looked since: whoever works on it may be dead"

    one.handle([mark(1, 1, idle=True)], 0)
    assert states(one) == {"dell": ["0.0"]}

    one.handle([said("dell", 1, 605), mark(5, 1, idle=True)], 0)
    assert states(one) == {"dell": ["0.0"]}, "a lane goes on by the clock from where the furthest was"
    one.handle([mark(6, 1, idle=True)], 0)
    assert states(one) == {"dell": ["0.0", "0.1"]}


def test_what_waits_is_not_covered_by_the_rows():
    one = desk(lanes=2)
    records = [mark(0, 1), said("dell", 0, 60), said("dell", 0, 30, lane=1), said("dell", 1, 90)]
    for offset, record in enumerate(records):
        record.offset = offset

    one.handle(records, 0)

    assert states(one) == {"dell": ["1.0"]}
    assert one.covered(4) == 1
    one.handle([mark(90, 1)], 0)
    assert one.covered(5) == 5


def test_a_lane_that_nobody_works_on_holds_a_page_back_for_seconds_only():
    one = desk(lanes=2)
    one.handle([mark(0, 1), said("dell", 0, 60)], 0)

    def after(ms: int) -> dict[str, list[str]]:
        late = mark(60 + ms / 1000)
        late.timestamp = ms
        one.handle([late], 0)
        return states(one)

    assert after(PATIENCE_MS) == {}
    assert after(PATIENCE_MS + 1) == {"dell": ["0.0"]}


def test_no_more_waits_than_fits_into_memory():
    one = desk(lanes=2)

    one.handle([mark(0, 1), *(said("dell", offset, 60 + offset) for offset in range(MOST_WAITING + 2))], 0)

    assert states(one) == {"dell": ["0.0", "0.1"]}


def test_a_source_is_silent_once_half_of_the_lanes_say_so_and_a_restart_remembers_it():
    one = desk(lanes=3)
    everywhere = [mark(0, lane) for lane in range(3)]
    one.handle([*everywhere, said("dell", 0, 1), mark(61, 0, silent=("x",)), mark(61, 1), mark(61, 2)], 0)
    assert [state.silent for _, state in one.states()] == [[]]

    one.handle([mark(122, 1, silent=("x",)), mark(122, 2), mark(122, 0, silent=("x",))], 0)
    again = desk(one.changed_rows(), lanes=3)
    again.handle([mark(200, 0, silent=("x",)), mark(200, 1, silent=("x",)), mark(200, 2)], 0)
    assert [state.silent for _, state in again.states()] == [["x"]]


LOG = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["dell", "hp"]), st.integers(0, 400), st.integers(0, 1)),
        st.tuples(st.none(), st.integers(0, 400), st.integers(0, 1)),
        st.tuples(st.sampled_from(["rules dell hp", "rules dell", "rules hp"]), st.none(), st.integers(0, 1)),
    ),
    min_size=1,
    max_size=40,
)


def log_of(steps) -> list[Record]:
    offsets, turns = [0, 0], [0, 0]
    records = []
    for brand, seconds, lane in steps:
        if seconds is None:
            turns[lane] += 1
            records.append(turn(brand.removeprefix("rules "), turns[lane], lane))
        elif brand is None:
            records.append(mark(seconds, lane, offsets[lane]))
        else:
            records.append(said(brand, offsets[lane], seconds, lane))
            offsets[lane] += 1
        records[-1].offset, records[-1].timestamp = len(records) - 1, 1000 * len(records)
    return records


@given(LOG, st.data())
def test_the_same_log_says_the_same_however_it_is_cut_and_wherever_the_worker_is_killed(steps, data):
    """Rows are written one by one, the clock last; a kill may come between any two of them."""
    records = log_of(steps)
    expected = desk(lanes=2)
    everything = expected.handle(records, 0)

    rows: dict[bytes, bytes] = {}
    worker = desk(lanes=2)
    outs: list[Out] = []
    position = committed = 0
    for _ in range(data.draw(st.integers(0, 5))):
        position, begin = data.draw(st.integers(position, len(records))), position
        outs += worker.handle(records[begin:position], 0)
        if data.draw(st.booleans()):
            changed = worker.changed_rows()
            written = data.draw(st.integers(0, len(changed)))
            rows |= dict(changed[:written])
            if written == len(changed):
                committed = worker.covered(position)
            else:
                worker, position = desk(sorted(rows.items()), lanes=2), committed
        elif data.draw(st.booleans()):
            worker, position = desk(sorted(rows.items()), lanes=2), committed
    outs += worker.handle(records[position:], 0)

    assert states(worker) == states(expected)
    assert set(spoken(outs)) == set(spoken(everything))
    assert worker.rules == expected.rules


def test_other_rules_are_acted_on_once_every_lane_is_judged_by_them_and_handed_on():
    one = desk(lanes=2)
    one.handle([turn("dell hp", 1, lane=0), turn("dell hp", 1, lane=1)], 0)
    one.handle([said("dell", 0, 1), said("hp", 0, 1, lane=1), said("hp", 1, 2), mark(2, lane=1)], 0)

    assert one.handle([turn("dell", 2, lane=0)], 0) == []
    assert (one.rules, states(one)["hp"]) == ("dell hp", ["1.0", "0.1"])

    outs = one.handle([turn("dell", 2, lane=1)], 0)
    assert [(out.topic, out.key, out.value) for out in outs] == [("left", b"hp", None), ("relayed", None, b"dell")]
    assert (one.rules, states(one)) == ("dell", {"dell": ["0.0"], "hp": []})


def test_the_very_first_rules_are_acted_on_as_soon_as_any_lane_names_them():
    one = desk(lanes=2)

    assert [out.value for out in one.handle([turn("dell", 1)], 0)] == [b"dell"]


def test_rules_that_are_told_again_change_nothing():
    one = desk()
    one.handle([turn("hp", 1), turn("dell", 2), said("dell", 0, 1)], 0)

    assert one.handle([turn("hp", 1), turn("dell", 2)], 0) == []
    assert (one.rules, states(one)) == ("dell", {"dell": ["0.0"]})


def test_a_brand_that_goes_and_comes_back_counts_no_mention_twice():
    one = desk()
    told = [said("hp", 0, 1), turn("dell", 2), turn("dell hp", 3), said("hp", 1, 2)]
    one.handle([turn("hp", 1), *told], 0)
    again = desk(sorted(one.changed_rows()))

    again.handle(told, 0)

    assert (again.rules, states(again)) == ("dell hp", {"hp": ["0.1"]})


def test_the_clock_is_written_last_so_that_it_is_never_ahead_of_a_row():
    one = desk()
    one.handle([said("dell", 0, 1), said("hp", 1, 1), mark(70)], 0)

    assert [key for key, _ in one.changed_rows()][-1] == CLOCK_KEY
