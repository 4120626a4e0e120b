"""A file of recorded mentions: JSONL of Mentions, or any CSV. The source `replay` says it again, `groundswell backtest` judges it."""

from __future__ import annotations

import csv
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agents.sources.csvmap import ColumnMap, Line, prefixed, readable, row_id
from agents.sources.interface import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

MOST_SORTED = 500_000
MOST_CHARACTERS = 16 * 1024 * 1024  # of one CSV field: a stray quote must not swallow the whole file
DELIMITERS = {".csv": ",", ".tsv": "\t"}
JSON_LINES = (".jsonl", ".ndjson")


class Survey(NamedTuple):
    """What a first pass over a file shows. `last` is its latest time that is not after the moment asked about."""

    records: int
    last: datetime | None
    in_order: bool


class Recording:
    """A file, each record with the number of its line (where it ends)."""

    def __init__(self, path: Path, mapping: Mapping[str, str] | None = None) -> None:
        """Read what is needed to refuse at once what cannot work.

        Raises:
            SourceError: the file is missing or of no known kind, or the mapping does not fit it.
        """
        self.path = path
        self._columns: ColumnMap | None = None
        if path.suffix in DELIMITERS:
            _, header = next(self._rows(), (0, None))
            if header is None:
                raise SourceError(f"{path}: empty; a header line with the columns' names was expected")
            self._columns = ColumnMap.fit(header, mapping or {}, path.name)
        elif path.suffix not in JSON_LINES:
            raise SourceError(f"{path}: the name must end in {', '.join((*JSON_LINES, *DELIMITERS))}")
        elif mapping:
            raise SourceError(f"{path}: a mapping is for the columns of a CSV; a line of JSON already names its fields")
        elif not path.is_file():
            raise SourceError(f"{path}: no such file")

    @property
    def guessed(self) -> tuple[str, ...]:
        """Which column was taken for which field because of its name, a sentence each."""
        return self._columns.guessed if self._columns else ()

    def lines(self) -> Iterator[tuple[int, Line]]:
        """Every record, in the order of the file."""
        if self._columns is None:
            return self._json_lines()
        rows = self._rows()
        next(rows)
        return ((at, self._columns.line(row, number)) for number, (at, row) in enumerate(rows))

    def survey(self, until: datetime | None = None) -> Survey:
        """Look through the whole file; times after `until` count as none."""
        records, last, in_order = 0, None, True
        for _, line in self.lines():
            records += 1
            if line.at is not None and (until is None or line.at <= until):
                in_order = in_order and (last is None or line.at >= last)
                last = line.at if last is None else max(last, line.at)
        return Survey(records, last, in_order)

    def in_time(self, survey: Survey, until: datetime | None = None) -> Iterator[tuple[int, Line]]:
        """Every record, in order of time: the file's own order if its times never go back, else sorted in memory.

        A record without a time, or with one after `until`, stays behind the one before it.

        Raises:
            SourceError: it would have to be sorted, and is too long for that.
        """
        if survey.in_order:
            return self.lines()
        if survey.records > MOST_SORTED:
            raise SourceError(
                f"{self.path}: not in order of time, and {survey.records:,} records are more than the "
                f"{MOST_SORTED:,} that are sorted in memory; sort the file by its time first"
            )
        timed: list[tuple[float, tuple[int, Line]]] = []
        at_s = float("-inf")
        for numbered in self.lines():
            at = numbered[1].at
            if at is not None and (until is None or at <= until):
                at_s = at.timestamp()
            timed.append((at_s, numbered))
        timed.sort(key=itemgetter(0))
        return (numbered for _, numbered in timed)

    def _rows(self) -> Iterator[tuple[int, list[str]]]:
        csv.field_size_limit(MOST_CHARACTERS)
        try:
            # surrogateescape keeps bytes that are no UTF-8, so that a dead letter can show them
            with self.path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
                reader = csv.reader(file, delimiter=DELIMITERS[self.path.suffix])
                try:
                    yield from ((reader.line_num, row) for row in reader if row)
                except csv.Error as broken:
                    raise SourceError(
                        f"{self.path}, line {reader.line_num}: {broken}; look for a quote that never ends"
                    ) from None
        except OSError as failed:
            raise SourceError(f"{self.path}: {failed.strerror}") from None

    def _json_lines(self) -> Iterator[tuple[int, Line]]:
        try:
            with self.path.open("rb") as file:
                for number, stood in enumerate(file):
                    raw = stood.removeprefix(b"\xef\xbb\xbf" if number == 0 else b"").rstrip(b"\r\n")
                    if raw.strip():
                        yield number + 1, _json_line(raw, number)
        except OSError as failed:
            raise SourceError(f"{self.path}: {failed.strerror}") from None


def _json_line(raw: bytes, number: int) -> Line:
    def stand_in() -> str:
        return row_id([raw.decode(errors="surrogateescape")], number)

    try:
        fields = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        return Line(prefixed("replay", stand_in()).encode(), None, raw)
    fields = {"source": "replay"} | fields
    if fields.get("id") is None:
        fields["id"] = prefixed(str(fields["source"]), stand_in())
    return readable(fields) or Line(str(fields["id"]).encode(), None, raw)
