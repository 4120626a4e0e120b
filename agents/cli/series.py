"""`groundswell score-series`."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import click

from agents.cli.errors import CommandError
from streams.core.detectors.counts import params_for, score_counts

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TextIO

COLUMNS = ["timestamp", "value"]
OFF_GRID = 0.25
"""So much of a bin may a row be early or late."""


class Row(NamedTuple):
    """A row as it was written, and as it was read."""

    line: int
    timestamp: str
    value: str
    at_s: float
    mentions: int


@click.command()
@click.option(
    "--input",
    "source",
    type=click.File(encoding="utf-8-sig"),
    required=True,
    metavar="FILE",
    help="CSV with the columns timestamp and value, a row for each bin; - is standard input.",
)
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8"),
    default="-",
    metavar="FILE",
    help="Where the scores go. Otherwise standard output.",
)
@click.option("--timezone", default="UTC", metavar="NAME", help="Whose days and weekends they are. Otherwise UTC.")
def score_series(source: TextIO, output: TextIO, timezone: str) -> None:
    """Run the volume detector over a history of counts.

    Writes timestamp, value, score and anomaly_score. `score` is about -ln(probability) of so much in a bin, in whole
    numbers; each is made from this row and those before it. `anomaly_score` is the score where the detector would
    page, and 0 elsewhere: while it learns (three days), while it has spoken already, and, for about a day, of what is
    no louder than what it has just spoken of.

    Bins have the length that most rows lie apart, which must divide an hour. Bins left out held no mentions.

    \b
    Example:
      groundswell score-series --input counts.csv --output scores.csv
    """  # noqa: D301
    try:
        ZoneInfo(timezone)
    except (LookupError, OSError, ValueError) as error:
        raise click.BadParameter(f"{timezone!r} is no time zone; give a name such as Europe/Berlin") from error
    rows = _read(source)
    bin_s = _bin_s(rows)
    bins = _bins(rows, bin_s)
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([*COLUMNS, "score", "anomaly_score"])
    judged = score_counts(zip(bins, (row.mentions for row in rows), strict=True), bin_s, timezone)
    writer.writerows((row.timestamp, row.value, *one) for row, one in zip(rows, judged, strict=True))


def _read(source: Iterable[str]) -> list[Row]:
    lines = csv.reader(source)
    header = [name.strip() for name in next(lines, [])]
    if not set(COLUMNS) <= set(header):
        raise _refused(1, f"the columns are {', '.join(header) or 'none'}", "name them timestamp and value")
    at, value = (header.index(name) for name in COLUMNS)
    rows = [_row(lines.line_num, fields, at, value) for fields in lines if fields]
    for earlier, later in pairwise(rows):
        if later.at_s <= earlier.at_s:
            what = "is there twice" if later.at_s == earlier.at_s else f"comes after {earlier.timestamp}"
            raise _refused(later.line, f"{later.timestamp} {what}", "sort the rows by time, one for each bin")
    return rows


def _row(line: int, fields: list[str], at: int, value: int) -> Row:
    if len(fields) <= max(at, value):
        raise _refused(line, f"{len(fields)} fields", "each row needs a timestamp and a value")
    timestamp, text = fields[at].strip(), fields[value].strip()
    try:
        when = datetime.fromisoformat(timestamp)
    except ValueError:
        raise _refused(line, f"timestamp {timestamp!r}", "write it as 2026-01-31 23:55:00") from None
    try:
        count = float(text)
    except ValueError:
        count = -1.0
    if count < 0 or not count.is_integer() or count > 1e9:
        raise _refused(line, f"value {text!r}", "a count is a whole number from 0 on")
    at_s = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    return Row(line, timestamp, text, at_s, int(count))


def _bin_s(rows: list[Row]) -> int:
    """The seconds that most rows lie apart."""
    apart = Counter(round(later.at_s - earlier.at_s) for earlier, later in pairwise(rows))
    bin_s = max(apart, key=lambda seconds: (apart[seconds], -seconds), default=300)
    try:
        params_for(bin_s)
    except ValueError:
        message = f"most rows lie {bin_s} s apart"
        raise _refused(
            None, message, "count in bins of an hour, or of a whole part of one, such as 5 minutes"
        ) from None
    return bin_s


def _bins(rows: list[Row], bin_s: int) -> list[int]:
    """Each row's bin, counted from the first row's, so that it matters little when a minute begins."""
    bins: list[int] = []
    for row in rows:
        since = (row.at_s - rows[0].at_s) / bin_s
        if abs(since - round(since)) > OFF_GRID:
            raise _refused(row.line, f"{row.timestamp} lies between two bins of {bin_s} s", "give all rows one rhythm")
        bins.append(int(rows[0].at_s // bin_s) + round(since))
        if len(bins) > 1 and bins[-1] == bins[-2]:
            raise _refused(row.line, f"{row.timestamp} is the second row of its bin", "add their values up")
    return bins


def _refused(line: int | None, found: str, remedy: str) -> CommandError:
    return CommandError(f"{'' if line is None else f'line {line}: '}{found}; {remedy}")
