"""How the volume detector does on the Numenta Anomaly Benchmark's Twitter series, beside plain rules.

    python -m tests.bench.nab

The series are other people's and stand in no repository: `BENCH_DATA` names a folder (otherwise `shared/data` beside
this project's) with `nab/*.csv` and `nab/windows.json`. Where they are absent it says so and skips. A benchmark, not a
test: it asserts nothing.

The score is NAB's (Lavin and Ahmad 2015, "Evaluating Real-time Anomaly Detection Algorithms"): the first alarm in a
labelled window earns the more the earlier it comes, along a sigmoid; each alarm outside costs, the more the farther
behind the window before; a window without an alarm costs a whole point. The first 15 % of a file, at most 750 rows,
count for nothing. One threshold serves the whole corpus, the best one for each profile. 0 is who says nothing, 100 who
hits each window in its first row and nothing else.
"""

from __future__ import annotations

import csv
import json
import os
import random
from datetime import UTC, datetime
from itertools import chain
from math import exp, inf
from pathlib import Path
from time import thread_time
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from streams.core.detectors.counts import score_counts
from streams.core.detectors.interface import Heard
from streams.core.detectors.series import Series as SeriesState
from streams.core.detectors.series import SeriesParams, Usual
from streams.core.detectors.volume import VolumeDetector
from tests.bench.countrules import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Detect = Callable[["Series"], Sequence[float]]

DATA = Path(os.environ.get("BENCH_DATA") or Path(__file__).parents[3] / "shared" / "data") / "nab"
PROBATION, MOST_PROBATION = 0.15, 750
FAR_BEHIND = 3.0  # window widths
BIN_S, DAY_S = 300, 86_400


class Costs(NamedTuple):
    """One of NAB's application profiles: what a missed window costs, and an alarm outside any."""

    miss: float
    false: float


PROFILES = {"standard": Costs(1.0, 0.11), "low FP": Costs(1.0, 0.22), "low FN": Costs(2.0, 0.11)}


class Series(NamedTuple):
    """One file: when each row was, how many it counts, and the labelled windows (first row, last row)."""

    name: str
    at_s: list[int]
    counts: list[int]
    windows: list[tuple[int, int]]


class Alarm(NamedTuple):
    """A row at which a detector pages: its score, the window it lies in if any, and what it earns (1: the most) or costs (-1)."""

    score: float
    window: int | None
    worth: float


def alarms_of(scores: Sequence[float], windows: Sequence[tuple[int, int]]) -> list[Alarm]:
    """The rows with a score above 0, behind the probation, each with what it is worth."""
    start = probation(len(scores))
    return [Alarm(score, *_worth(row, windows)) for row, score in enumerate(scores) if score > 0 and row >= start]


def probation(rows: int) -> int:
    """How many rows count for nothing."""
    return int(min(PROBATION * rows, MOST_PROBATION))


def _worth(row: int, windows: Sequence[tuple[int, int]]) -> tuple[int | None, float]:
    behind = FAR_BEHIND
    for number, (first, last) in enumerate(windows):
        if first <= row <= last:
            return number, _sigmoid(-(last - row + 1) / (last - first + 1)) / _sigmoid(-1)
        if last < row:
            behind = (row - last) / (last - first)
    return None, -1.0 if behind >= FAR_BEHIND else _sigmoid(behind)


def _sigmoid(position: float) -> float:
    """From 1 well before the window's end (-1 is its width) over 0 at its end to -1 behind."""
    return 2 / (1 + exp(5 * position)) - 1


class Corpus(NamedTuple):
    """What one detector made of some files: their alarms, and which windows count."""

    alarms: list[list[Alarm]]
    windows: list[list[int]]

    @classmethod
    def judged(cls, files: Sequence[Series], detect: Detect) -> Corpus:
        """Let a detector see every file."""
        corpus = cls([], [])
        for file in files:
            corpus.alarms.append(alarms_of(detect(file), file.windows))
            start = probation(len(file.counts))
            corpus.windows.append([n for n, (_, last) in enumerate(file.windows) if last >= start])
        return corpus

    def points(self, threshold: float, costs: Costs) -> float:
        """NAB's raw score, if only scores from `threshold` on were alarms."""
        total = 0.0
        for alarms, windows in zip(self.alarms, self.windows, strict=True):
            best = dict.fromkeys(windows, -costs.miss)
            for alarm in alarms:
                if alarm.score < threshold:
                    continue
                if alarm.window is None:
                    total += alarm.worth * costs.false
                else:
                    best[alarm.window] = max(best[alarm.window], alarm.worth)
            total += sum(best.values())
        return total

    def best_threshold(self, costs: Costs) -> float:
        """The threshold with the highest score; the highest of equals."""
        levels = sorted({alarm.score for alarm in chain(*self.alarms)}, reverse=True)
        return max([inf, *levels], key=lambda level: self.points(level, costs))

    def score(self, threshold: float, costs: Costs) -> float:
        """0 for silence, 100 for perfection."""
        return self.normalised(self.points(threshold, costs), costs)

    def normalised(self, points: float, costs: Costs) -> float:
        """Points, from 0 to 100."""
        windows = sum(map(len, self.windows))
        return 100 * (points + windows * costs.miss) / (windows * (1 + costs.miss))

    def left_out(self, costs: Costs) -> float:
        """The score if each file is judged by the threshold that is best on the others."""
        points = 0.0
        for n in range(len(self.alarms)):
            others = Corpus(self.alarms[:n] + self.alarms[n + 1 :], self.windows[:n] + self.windows[n + 1 :])
            points += self.only(n).points(others.best_threshold(costs), costs)
        return self.normalised(points, costs)

    def only(self, file: int) -> Corpus:
        """One file."""
        return Corpus([self.alarms[file]], [self.windows[file]])


def volume(file: Series) -> list[float]:
    """Groundswell's: the score of each bin at which it would page."""
    return [one.anomaly_score for one in score_counts(_binned(file))]


def _binned(file: Series) -> list[tuple[int, int]]:
    return [(at_s // BIN_S, count) for at_s, count in zip(file.at_s, file.counts, strict=True)]


def read_series(folder: Path) -> list[Series]:
    """The files that `windows.json` names."""
    labelled = json.loads((folder / "windows.json").read_text())
    return [_read(folder / Path(name).name, spans) for name, spans in sorted(labelled.items())]


def _read(path: Path, spans: list[list[str]]) -> Series:
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    at_s = [_seconds(row["timestamp"]) for row in rows]
    windows = [(at_s.index(_seconds(first)), at_s.index(_seconds(last))) for first, last in spans]
    return Series(path.stem.removeprefix("Twitter_volume_"), at_s, [int(row["value"]) for row in rows], windows)


def _seconds(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def altered(file: Series, *, share: float, days: float) -> Series:
    """The same events as another brand might have had them: a random share of the mentions, heard of from some days on."""
    rng, cut = random.Random(f"{file.name} {share} {days}"), int(days * DAY_S / BIN_S)
    counts = [sum(rng.random() < share for _ in range(count)) for count in file.counts[cut:]]
    return Series(file.name, file.at_s[cut:], counts, [(first - cut, last - cut) for first, last in file.windows])


def judge(files: Sequence[Series], name: str, detect: Detect) -> None:
    """Print a detector's scores: each profile with its best threshold, left out, and by file."""
    corpus = Corpus.judged(files, detect)
    best = {profile: corpus.score(corpus.best_threshold(costs), costs) for profile, costs in PROFILES.items()}
    standard = PROFILES["standard"]
    threshold = corpus.best_threshold(standard)
    each = [f"{file.name} {corpus.only(n).score(threshold, standard):.0f}" for n, file in enumerate(files)]
    shown = "   ".join(f"{profile} {score:5.1f}" for profile, score in best.items())
    print(f"  {name:30} {shown}   left out {corpus.left_out(standard):5.1f}   {'  '.join(each)}")


def measure(files: Sequence[Series]) -> None:
    """Print what a bin costs and what a series weighs."""
    file = max(files, key=lambda one: sum(one.counts))
    began_s = thread_time()
    for _ in score_counts(_binned(file)):
        pass
    us = (thread_time() - began_s) / len(file.counts) * 1e6
    usual, series = Usual(SeriesParams()), SeriesState()
    began_s = thread_time()
    for bin_, count in _binned(file):
        usual.learn(series, bin_, count)
    learned_us = (thread_time() - began_s) / len(file.counts) * 1e6
    print(
        f"  a bin: {learned_us:.1f} us to learn, {us:.1f} us with judging and episodes; a series: {_bytes(file)} bytes"
    )


def _bytes(file: Series) -> int:
    detector = VolumeDetector()
    state = detector.start(file.at_s[0])
    for at_s, count in zip(file.at_s, file.counts[: 5 * 288], strict=False):
        for n in range(min(count, 20)):
            detector.heard(state, Heard(at_s, f"{at_s}:{n}", "neutral"))
        detector.passed(state, at_s)
    return len(msgspec.msgpack.encode(state))


def main() -> None:
    """Print the tables; `tests.bench.detection` begins with them."""
    if not (DATA / "windows.json").exists():
        print(f"NAB skipped: no {DATA}/windows.json; BENCH_DATA=FOLDER names the folder that has nab/")
        return
    files = read_series(DATA)
    print(f"Numenta Anomaly Benchmark, {len(files)} Twitter series, {sum(len(one.windows) for one in files)} windows")
    for name, detect in {"groundswell volume": volume, **{name: _plain(rule) for name, rule in RULES.items()}}.items():
        judge(files, name, detect)
    print("  the same events, other brands, as it stands:")
    for share, days in ((0.5, 0.0), (0.25, 0.0), (1.0, 1.5), (0.5, 1.5), (0.25, 1.5)):
        corpus = Corpus.judged([altered(file, share=share, days=days) for file in files], volume)
        print(f"    {share:.0%} of the mentions, {days} days later: {corpus.score(0, PROFILES['standard']):5.1f}")
    measure(files)


def _plain(rule: Callable[[Sequence[int]], list[float]]) -> Detect:
    return lambda file: rule(file.counts)


if __name__ == "__main__":
    main()
