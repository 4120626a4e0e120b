"""The source `replay`: a file of recorded mentions (JSONL of Mentions, or any CSV) said again, in order of time."""

from __future__ import annotations

import asyncio
import csv
from datetime import datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, Self

import msgspec

from agents.sources.csvmap import TIMES, ColumnMap, Line, parse_mapping, prefixed, readable, row_id
from agents.sources.interface import Sourced, SourceError
from agents.sources.options import Options
from agents.sources.times import Clock, Placement
from streams.records import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping

MOST_SORTED = 500_000
MOST_CHARACTERS = 16 * 1024 * 1024  # of one CSV field: a stray quote must not swallow the whole file
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")


class Survey(NamedTuple):
    """What a first pass over a file shows. `last` is its latest time that is not ahead of the clock."""

    records: int
    last: datetime | None
    in_order: bool


class Replay:
    """Says a recorded file again.

    The order of the file is kept if its times never go back; otherwise it is sorted by time, in
    memory and up to 500,000 records, because lateness is judged by `observed_at`, and most of an
    unsorted file would be late. A record whose time cannot be read, or is ahead of the clock, stays behind
    the one before it and goes out as it stood: intake sets it aside, with its reason.
    A cursor is the index of a record in the order in which they are said.
    """

    name = "replay"
    cursor_key: str | None = None
    about: ClassVar[str] = "a recorded file, JSONL of mentions or any CSV, at its own pace, faster, or at once"
    options: ClassVar[Mapping[str, str]] = {
        "file": "the file: .jsonl or .ndjson (one mention a line), .csv or .tsv (with a header)",
        "map": "columns of a CSV: text=body,observed_at=created_at,source='x'; usual names are guessed; FIELD= leaves one out",
        "times": "original (default), or shifted: as late as possible without running ahead of the clock",
        "speed": "event seconds a second, such as 60x; without it, as fast as the broker takes it",
    }

    def __init__(
        self,
        path: Path,
        *,
        mapping: Mapping[str, str] | None = None,
        times: Literal["original", "shifted"] = "original",
        speed: float | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Read what is needed to refuse at once what cannot work.

        Raises:
            SourceError: the file is missing or of no known kind, or the mapping does not fit it.
        """
        self.path, self.times, self.speed = path, times, speed
        self._clock = clock or Clock()
        self._columns: ColumnMap | None = None
        if path.suffix in DELIMITERS:
            header = next(self._rows(), None)
            if header is None:
                raise SourceError(f"{path}: empty; a header line with the columns' names was expected")
            self._columns = ColumnMap.fit(header, mapping or {}, path.name)
        elif path.suffix not in JSON_LINES:
            raise SourceError(f"{path}: the name must end in {', '.join((*JSON_LINES, *DELIMITERS))}")
        elif mapping:
            raise SourceError(f"{path}: a mapping is for the columns of a CSV; a line of JSON already names its fields")
        elif not path.is_file():
            raise SourceError(f"{path}: no such file")

    @classmethod
    def open(cls, options: Mapping[str, str]) -> Self:
        """Make one from `key=value` options; see `options`.

        Raises:
            SourceError: an option is unknown, missing or wrong, or the file is.
        """
        given = Options(cls.name, options, cls.options)
        times = given.one_of("times", ("original", "shifted"))
        return cls(
            Path(given.required("file")),
            mapping=parse_mapping(given.text("map", "")),
            times="shifted" if times == "shifted" else "original",
            speed=given.speed("speed"),
        )

    @property
    def guessed(self) -> tuple[str, ...]:
        """Which column was taken for which field because of its name, a sentence each."""
        return self._columns.guessed if self._columns else ()

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Sourced]:
        """Yield the file's records, oldest first."""
        if cursor is not None and not cursor.isdecimal():
            raise SourceError(f"replay: the cursor {cursor!r} is not the index of a record")
        after = -1 if cursor is None else int(cursor)
        opened = self._clock.now()
        survey = await asyncio.to_thread(self._survey, opened)
        lines = self._lines() if survey.in_order else await asyncio.to_thread(self._sorted, survey, opened)
        placement: Placement | None = None
        for index, line in enumerate(lines):
            if index <= after:
                continue
            now, shift = self._clock.now(), timedelta()
            if line.at is not None and survey.last is not None and line.at <= survey.last:
                placement = placement or Placement.of(
                    line.at, survey.last, now, speed=self.speed, shifted=self.times == "shifted"
                )
                shift = placement.shift
                if (wait_s := placement.wait_s(line.at, now)) > 0:
                    await self._clock.sleep(wait_s)
                    now = self._clock.now()
            yield Sourced(line.key, _said(line, shift, now), str(index))

    def _survey(self, now: datetime) -> Survey:
        records, last, in_order = 0, None, True
        for line in self._lines():
            records += 1
            if line.at is not None and line.at <= now:
                in_order = in_order and (last is None or line.at >= last)
                last = line.at if last is None else max(last, line.at)
        return Survey(records, last, in_order)

    def _sorted(self, survey: Survey, now: datetime) -> Iterator[Line]:
        if survey.records > MOST_SORTED:
            raise SourceError(
                f"{self.path}: not in order of time, and {survey.records:,} records are more than the "
                f"{MOST_SORTED:,} that are sorted in memory; sort the file by its time first"
            )
        timed: list[tuple[float, Line]] = []
        at_s = float("-inf")
        for line in self._lines():
            if line.at is not None and line.at <= now:
                at_s = line.at.timestamp()
            timed.append((at_s, line))
        timed.sort(key=itemgetter(0))
        return (line for _, line in timed)

    def _lines(self) -> Iterator[Line]:
        if self._columns is None:
            return self._json_lines()
        rows = self._rows()
        next(rows)
        return (self._columns.line(row, number) for number, row in enumerate(rows))

    def _rows(self) -> Iterator[list[str]]:
        csv.field_size_limit(MOST_CHARACTERS)
        try:
            # surrogateescape keeps bytes that are no UTF-8, so that a dead letter can show them
            with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                reader = csv.reader(file, delimiter=DELIMITERS[self.path.suffix])
                try:
                    yield from (row for row in reader if row)
                except csv.Error as broken:
                    raise SourceError(
                        f"{self.path}, line {reader.line_num}: {broken}; look for a quote that never ends"
                    ) from None
        except OSError as failed:
            raise SourceError(f"{self.path}: {failed.strerror}") from None

    def _json_lines(self) -> Iterator[Line]:
        try:
            with self.path.open("rb") as file:
                for number, stood in enumerate(file):
                    raw = stood.removeprefix(b"\xef\xbb\xbf" if number == 0 else b"").rstrip(b"\r\n")
                    if raw.strip():
                        yield _json_line(raw, number)
        except OSError as failed:
            raise SourceError(f"{self.path}: {failed.strerror}") from None


def _json_line(raw: bytes, number: int) -> Line:
    stand_in = row_id([raw.decode(errors="surrogateescape")], number)
    try:
        fields = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return Line(prefixed("replay", stand_in).encode(), None, raw)
    fields = {"source": "replay"} | fields
    if fields.get("id") is None:
        fields["id"] = prefixed(str(fields["source"]), stand_in)
    return readable(fields) or Line(str(fields["id"]).encode(), None, raw)


def _said(line: Line, shift: timedelta, now: datetime) -> bytes:
    if isinstance(line.content, bytes):
        return line.content
    fields = line.content | {"ingested_at": now}
    times = {field: fields[field] for field in TIMES if isinstance(fields.get(field), datetime)}
    return encode(fields | {field: time + shift for field, time in times.items()})
