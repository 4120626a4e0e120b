"""The order of writes, with everything around the ledger faked but able to fail."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from aiokafka.errors import KafkaTimeoutError
from faust.types import TP

from streams.consumer import Bundle
from streams.ledger import LONGEST_PAUSE_S, ROW_BYTES_PER_S, Ledger, _pause_s
from streams.logs import Handled, LogReplacedError
from streams.outbox import Out
from streams.pages import LOG_KEY
from streams.settings import Settings
from streams.topics import RAW

HERE = TP("mentions.raw", 0)


class Echo:
    """A desk that says each record's value on, and keeps how many it has heard in one row."""

    def __init__(self, rows):
        self.heard = int(dict(rows).get(b"heard", b"0"))
        self.changed = False
        self.waits_from = None

    def handle(self, records, now_s):
        self.heard += len(records)
        self.changed = True
        return [Out("scored", 0, None, record.value) for record in records]

    def idle(self, now_s):
        return [Out("scored", 0, None, b"idle")]

    def covered(self, position):
        return position if self.waits_from is None else self.waits_from

    def changed_rows(self):
        changed, self.changed = self.changed, False
        return [(b"heard", str(self.heard).encode())] if changed else []


class World:
    """A broker, a table and a consumer of one partition; `log` is what they saw, in order."""

    def __init__(self):
        self.log: list[str] = []
        self.writes = 0
        self.rows: dict[bytes, bytes] = {}
        self.refuse: set[str] = set()
        self.turns: set[int] = set()
        self.gave_up = None
        self.ours = True
        self.consumer = SimpleNamespace(
            positions={HERE: 0},
            released={},
            accept=lambda bundle: bundle.records,
            owns=lambda tp, generation: self.ours and generation == self.consumer_generation_id,
            ready_partitions=lambda topic: [HERE],
            caught_up=lambda tp: True,
            start_over=self.start_over,
        )
        self.consumer_generation_id = 7
        self.outbox = self
        table = SimpleNamespace(
            name="seen",
            rows=lambda partition: iter(self.rows.items()),
            row=lambda partition, key: self.rows.get(key),
            write=self.write,
        )
        self.ledger = Ledger(
            self, Settings(), reads=RAW, table=table, open_desk=lambda partition, rows: Echo(rows), prepare=self.prepare
        )

    async def prepare(self, desk, offset, records):
        if offset in self.turns:
            desk.changed = True
            self.log.append(f"turn at {offset}")
        return offset in self.turns

    async def deliver(self, outs):
        outs = list(outs)
        if "outputs" in self.refuse:
            raise KafkaTimeoutError
        self.log += [f"out {out.value.decode()}" for out in outs]

    async def write(self, outbox, partition, rows):
        if "rows" in self.refuse:
            raise KafkaTimeoutError
        self.rows |= dict(rows)
        self.writes += 1
        self.log += [f"row {value.decode()}" for key, value in rows if key != LOG_KEY]

    def start_over(self, tp):
        self.consumer.positions[tp] = self.consumer.released.get(tp, 0)

    async def give_up(self, error):
        self.gave_up = error

    async def read(self, *bundles):
        async def stream():
            for bundle in bundles:
                yield bundle

        await self.ledger.keep(stream())

    @property
    def desk(self):
        return dict(self.ledger.desks())[HERE.partition]

    @property
    def released(self):
        return self.consumer.released.get(HERE)


def bundle(*values: str, start: int = 0, generation: int = 7, appended_ms: int = 1000) -> Bundle:
    records = [
        SimpleNamespace(offset=start + n, value=value.encode(), timestamp=appended_ms) for n, value in enumerate(values)
    ]
    return Bundle(HERE, records, generation, start)


@pytest.fixture
def world() -> World:
    return World()


async def test_outputs_then_rows_then_the_offset(world):
    await world.read(bundle("a", "b"))

    assert world.log == ["out a", "out b"]
    assert world.released is None, "nothing is released before the rows stand"

    await world.ledger.checkpoint()

    assert world.log == ["out a", "out b", "row 2"]
    assert world.released == 2


async def test_what_the_next_records_are_judged_by_stands_in_the_rows_before_anything_of_them_is_told(world):
    world.turns = {1}

    await world.read(bundle("a"), bundle("b", start=1))

    assert world.log == ["out a", "turn at 1", "row 1", "out b"]
    assert world.released == 1, "of what came before"


async def test_where_the_rows_do_not_stand_nothing_is_told(world):
    world.turns, world.refuse = {0}, {"rows"}

    await world.read(bundle("a"))

    assert world.log == ["turn at 0"]
    assert isinstance(world.gave_up, KafkaTimeoutError)


async def test_handed_over_while_it_is_prepared_nothing_is_told(world):
    world.turns, world.ours = {0}, False

    await world.read(bundle("a"))

    assert world.log == ["turn at 0"]
    assert world.released is None


async def test_a_partition_that_rests_is_prepared_as_well(world):
    await world.read(bundle("a"))
    world.turns = {1}

    await world.ledger._tick()

    assert world.log == ["out a", "turn at 1", "row 1", "out idle"]


async def test_a_checkpoint_covers_many_bundles_with_one_row(world):
    await world.read(bundle("a"), bundle("b", start=1), bundle("c", start=2))
    await world.ledger.checkpoint()

    assert world.log == ["out a", "out b", "out c", "row 3"]
    assert world.released == 3


async def test_what_the_desk_keeps_waiting_is_not_released(world):
    await world.read(bundle("a", "b", "c"))
    world.desk.waits_from = 1
    await world.ledger.checkpoint()
    assert world.released == 1

    world.desk.waits_from = None
    await world.ledger.checkpoint()
    assert world.released == 3


def test_big_rows_are_written_less_often_but_never_half_a_minute_apart():
    assert _pause_s(1.0, 200_000) == 1.0
    assert _pause_s(1.0, 5 * ROW_BYTES_PER_S) == 5.0
    assert _pause_s(1.0, 10**10) == LONGEST_PAUSE_S


async def test_after_outputs_that_failed_the_worker_gives_up_and_reads_no_further(world):
    world.refuse = {"outputs"}

    await world.read(bundle("a"), bundle("b", start=1))

    assert isinstance(world.gave_up, KafkaTimeoutError)
    assert world.log == []
    assert world.consumer.positions[HERE] == 0


async def test_once_it_gave_up_nothing_more_is_written(world):
    await world.read(bundle("a"))
    world.refuse = {"outputs"}
    await world.read(bundle("b", start=1))
    world.refuse = set()

    await world.ledger.checkpoint()

    assert world.log == ["out a"]
    assert world.released is None


async def test_rows_that_failed_release_nothing(world):
    await world.read(bundle("a"))
    world.refuse = {"rows"}

    with pytest.raises(KafkaTimeoutError):
        await world.ledger.checkpoint()

    assert world.released is None


async def test_a_zombie_drops_what_it_has_and_writes_nothing(world):
    await world.read(bundle("a"))
    world.ours = False

    await world.read(bundle("b", start=1))
    await world.ledger.checkpoint()

    assert world.log == ["out a"]
    assert world.released is None


async def test_a_partition_that_comes_back_is_opened_from_its_rows_not_from_memory(world):
    await world.read(bundle("a", "b"))
    await world.ledger.checkpoint()
    await world.read(bundle("lost", start=2))

    world.ledger.forget()
    world.consumer_generation_id = 8
    await world.read(bundle("c", start=2, generation=8))
    await world.ledger.checkpoint()

    assert world.log[-1] == "row 3"


async def test_a_desk_that_cannot_go_on_stops_the_worker_instead_of_skipping(world):
    def fail(records, now_s):
        raise ValueError("cannot")

    await world.read(bundle("a"))
    ((_, desk),) = world.ledger.desks()
    desk.handle = fail

    await world.read(bundle("b", start=1), bundle("c", start=2))

    assert str(world.gave_up) == "cannot"
    assert world.consumer.positions[HERE] == 1


async def test_a_partition_read_to_its_end_is_told_so_even_if_it_never_held_anything(world):
    await world.ledger._tick()

    assert world.log == ["out idle"]


async def test_what_was_dropped_from_memory_is_read_again_not_released(world):
    await world.read(bundle("a"))
    await world.ledger.checkpoint()
    await world.read(bundle("b", start=1))

    world.ours = False
    await world.ledger.checkpoint()
    world.ours = True

    assert world.consumer.positions[HERE] == 1, "b was in memory only"
    await world.read(bundle("b", start=1))
    await world.ledger.checkpoint()
    assert world.log[-1] == "row 2"
    assert world.released == 2


async def test_a_delivery_that_outlives_a_hand_over_does_not_count_as_handled(world):
    deliver = world.deliver

    async def slow(outs):
        await deliver(outs)
        world.ledger.forget()  # a rebalance came and went meanwhile
        world.consumer.positions[HERE] = 0

    world.deliver = slow
    await world.read(bundle("a", "b"))

    assert world.consumer.positions[HERE] == 0


async def test_rows_say_which_record_was_handled_last_also_when_they_change_without_one(world):
    await world.read(bundle("a", "b", appended_ms=2000))
    await world.ledger.checkpoint()
    world.ledger.forget()
    world.consumer.positions[HERE] = 5  # three records that changed no row were committed since
    await world.ledger._tick()
    ((_, desk),) = world.ledger.desks()
    desk.changed = True
    await world.ledger.checkpoint()

    assert world.ledger.last_handled(0) == Handled(1, 2000)


async def test_where_the_log_was_replaced_what_was_told_of_the_old_one_is_written_down_before_the_worker_stops(world):
    def refuse(bundle):
        raise LogReplacedError(HERE.topic, "starts over")

    await world.read(bundle("a", "b"))
    world.consumer.accept = refuse

    await world.read(bundle("x"))

    assert isinstance(world.gave_up, LogReplacedError)
    assert world.log == ["out a", "out b", "row 2"]


async def test_a_partition_that_rests_is_written_now_and_then_and_before_it_is_handed_over(world):
    """Or nobody would notice what a worker that was cut off has written in between, and the next owner would take it."""
    await world.read(bundle("a"))
    await world.ledger.checkpoint()
    await world.ledger.checkpoint()
    assert world.writes == 1

    await world.ledger.checkpoint(at_any_rate=True)
    assert world.writes == 2

    (page,) = world.ledger._pages.values()
    page.written_at -= Settings().session_timeout_s
    await world.ledger.checkpoint()
    assert world.writes == 3


async def test_what_was_replaced_is_let_go_of_twice_soon_after_a_start_and_then_each_hour(world, monkeypatch):
    class EnoughError(Exception):
        pass

    slept, tidied = [], []

    async def sleep(pause_s):
        if len(slept) == 4:
            raise EnoughError
        slept.append(pause_s)

    async def tidy():
        tidied.append(sum(slept))

    monkeypatch.setattr(world.ledger, "sleep", sleep)
    monkeypatch.setattr(world.ledger, "tidy", tidy)
    with pytest.raises(EnoughError):
        await Ledger._tidies.fun(world.ledger)
    assert tidied == [300, 600, 600 + 3600, 600 + 7200]
