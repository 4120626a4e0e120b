"""The source `replay`: a file of recorded mentions (JSONL of Mentions, or any CSV) said again, in order of time."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from agents.sources.csvmap import TIMES, parse_mapping
from agents.sources.interface import Sourced, SourceError
from agents.sources.options import Options
from agents.sources.recording import Recording
from agents.sources.times import Clock, Placement
from streams.records import encode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from agents.sources.csvmap import Line


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
        self._recording = Recording(path, mapping)

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
        return self._recording.guessed

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Sourced]:
        """Yield the file's records, oldest first."""
        if cursor is not None and not cursor.isdecimal():
            raise SourceError(f"replay: the cursor {cursor!r} is not the index of a record")
        after = -1 if cursor is None else int(cursor)
        opened = self._clock.now()
        survey = await asyncio.to_thread(self._recording.survey, opened)
        lines = await asyncio.to_thread(self._recording.in_time, survey, opened)
        placement: Placement | None = None
        for index, (_, line) in enumerate(lines):
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
            yield Sourced(line.key, _said(line, shift, now), str(index), line.everywhere)


def _said(line: Line, shift: timedelta, now: datetime) -> bytes:
    if isinstance(line.content, bytes):
        return line.content
    fields = line.content | {"ingested_at": now}
    times = {field: fields[field] for field in TIMES if isinstance(fields.get(field), datetime)}
    return encode(fields | {field: time + shift for field, time in times.items()})
