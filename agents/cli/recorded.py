"""Raw records to rehearse with, in the order of their event times: a file's, or the raw topic's."""

from __future__ import annotations

from array import array
from contextlib import AsyncExitStack
from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING, Protocol

import msgspec
from msgspec import Struct

from agents.cli.errors import CommandError
from agents.cli.read import reading
from agents.rehearsal import Spoken, record_of
from streams.records import Time, encode
from streams.topics import RAW, partition_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from datetime import datetime

    from aiokafka.structs import ConsumerRecord

    from agents.cli.read import Reader
    from agents.sources.csvmap import Line
    from agents.sources.recording import Recording, Survey
    from streams.settings import Settings

BATCH = 500
"""Records judged at once: rules and sentiment are quicker so, and the results are the same."""


class Recorded(Protocol):
    """Where raw records come from; `expired` is how many there were before these, which nobody has any more."""

    expired: int

    def batches(self, until: datetime | None) -> AsyncIterator[list[Spoken]]:
        """Yield all, each partition's in its order; `until` is the first event time that is not wanted."""

    def place(self, partition: int, offset: int) -> str:
        """Say where a record stands, for people."""


class FromFile:
    """A recorded file, each record in the partition in which Kafka would have it, appended when it was observed."""

    expired = 0

    def __init__(self, recording: Recording, settings: Settings) -> None:
        self._recording, self._partitions = recording, settings.raw_partitions
        self._topic = RAW.full_name(settings)
        self._lines = [array("q") for _ in range(self._partitions)]
        self._at_s = [0.0] * self._partitions

    def survey(self) -> Survey:
        """Look through the file first.

        Raises:
            CommandError: there is nothing in it, or nothing with a time.
        """
        survey = self._recording.survey()
        if survey.last is None:
            what = "no record has a time that can be read" if survey.records else "there is no record in it"
            raise CommandError(f"{self._recording.path}: {what}; each needs observed_at, such as 2026-01-31T12:00:00Z")
        self._survey = survey
        return survey

    async def batches(self, until: datetime | None) -> AsyncIterator[list[Spoken]]:
        """Yield the file's records, oldest first."""
        batch: list[Spoken] = []
        for number, line in self._recording.in_time(self._survey):
            if until is not None and line.at is not None and line.at >= until:
                break
            batch += self._spoken(number, line)
            if len(batch) >= BATCH:
                yield batch
                batch = []
        yield batch

    def place(self, partition: int, offset: int) -> str:
        """The line, where the record ends."""
        return f"{self._recording.path.name}, line {self._lines[partition][offset]}"

    def _spoken(self, number: int, line: Line) -> Iterator[Spoken]:
        value = line.content if isinstance(line.content, bytes) else encode(line.content)
        everywhere = range(self._partitions) if line.everywhere else (partition_of(line.key, self._partitions),)
        for partition in everywhere:
            if line.at is not None:
                self._at_s[partition] = max(self._at_s[partition], line.at.timestamp())
            at_s, offset = self._at_s[partition], len(self._lines[partition])
            self._lines[partition].append(number)
            yield Spoken(at_s, record_of(self._topic, partition, offset, int(at_s * 1000), line.key, value))


class FromTopic:
    """The raw topic as it stands, its partitions merged by event time."""

    def __init__(self, settings: Settings, ends: Mapping[int, int] | None = None) -> None:
        """`ends` is the first offset of each partition that is not wanted; otherwise all that there is."""
        self._settings, self._ends = settings, ends
        self.expired = 0

    async def batches(self, until: datetime | None) -> AsyncIterator[list[Spoken]]:
        """Yield every record.

        Raises:
            CommandError: no broker answers, it has no such topic, or nothing stands in it.
        """
        async with reading(self._settings, RAW) as reader:
            starts, ends = await reader.starts(), reader.ends
        if self._ends is not None:
            ends = {tp: min(end, self._ends.get(tp.partition, 0)) for tp, end in ends.items()}
        self.expired = sum(starts.values())
        if all(end <= starts[tp] for tp, end in ends.items()):
            raise CommandError(f"{RAW.full_name(self._settings)} holds nothing: give a file with --input")
        async with AsyncExitStack() as open_readers:
            lanes = []
            for tp, end in ends.items():
                alone = await open_readers.enter_async_context(reading(self._settings, RAW, {tp: end}))
                lanes.append(self._lane(alone, until))
            batch: list[Spoken] = []
            async for one in _merged(lanes):
                batch.append(one)
                if len(batch) >= BATCH:
                    yield batch
                    batch = []
            yield batch

    def place(self, partition: int, offset: int) -> str:
        """Partition and offset."""
        return f"{RAW.full_name(self._settings)}, partition {partition}, offset {offset}"

    async def _lane(self, reader: Reader, until: datetime | None) -> AsyncIterator[Spoken]:
        """One partition, and how far its time has come: what intake takes for ahead of the clock does not move it."""
        at_s, end_s = 0.0, float("inf") if until is None else until.timestamp()
        async for record in reader.to_end():
            observed_s = _observed_s(record)
            if observed_s <= record.timestamp / 1000 + self._settings.max_future_s:
                at_s = max(at_s, observed_s)
            if at_s >= end_s:
                return
            yield Spoken(at_s, record)


class _Witnessed(Struct):
    observed_at: Time


_decode = msgspec.json.Decoder(_Witnessed).decode


def _observed_s(record: ConsumerRecord) -> float:
    try:
        return _decode(record.value or b"").observed_at.timestamp()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return 0.0


async def _merged(lanes: Sequence[AsyncIterator[Spoken]]) -> AsyncIterator[Spoken]:
    """The lane that is furthest back goes on."""
    heads = [
        (one.at_s, number, one) for number, lane in enumerate(lanes) if (one := await anext(lane, None)) is not None
    ]
    heapify(heads)
    while heads:
        _, number, one = heads[0]
        yield one
        following = await anext(lanes[number], None)
        if following is None:
            heappop(heads)
        else:
            heapreplace(heads, (following.at_s, number, following))
