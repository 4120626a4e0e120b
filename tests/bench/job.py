"""What every contender is given, and how it is measured."""

from __future__ import annotations

import cProfile
import os
import pstats
import resource
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from time import perf_counter, thread_time
from typing import TYPE_CHECKING

import msgspec
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from streams.core.rules import load_rules
from streams.core.sentiment import REMEMBERED
from streams.records import Sentiment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.rules import BrandMatch, Rules
    from streams.records import Mention

RAW_PARTITIONS = 4


class Job(msgspec.Struct):
    """One run. The raw topic is `prefix` + `mentions.raw`; `app_id` is this run's alone.

    What was measured is written to the file `result`: Faust paints on standard output.
    """

    contender: str
    bootstrap: str
    prefix: str
    app_id: str
    records: int
    rules: str
    data_dir: str
    result: str
    profile: bool = False

    def load_rules(self) -> Rules:
        return load_rules(Path(self.rules).read_text(encoding="utf-8"))


class Measured(msgspec.Struct):
    """What a run took. `startup_cpu_s` was spent before the first record and is in nothing else.

    `pace_s` is the CPU time of one and the same piece of work, done just before and just after: CPU time
    itself grows by half and more where neighbours share the core's caches.
    """

    records: int
    seconds: float
    cpu_s: float
    startup_cpu_s: float
    pace_s: float

    @property
    def per_second(self) -> float:
        return self.records / self.seconds

    def cpu_us(self, pace_s: float) -> float:
        """CPU microseconds of a record, all threads, as they would be at the pace of `pace_s`."""
        return self.cpu_s / self.records * 1e6 * pace_s / self.pace_s


class Judge:
    """The same rules and the same stock VADER for the contenders that are not Groundswell, a mention at a time."""

    def __init__(self, job: Job) -> None:
        self._rules = job.load_rules()
        self._score = lru_cache(REMEMBERED)(SentimentIntensityAnalyzer().polarity_scores)
        self.version = self._rules.version

    def __call__(self, mention: Mention) -> tuple[Sequence[BrandMatch], Sentiment | None]:
        brands = self._rules.match_many([mention])[0].brands
        if not brands:
            return (), None
        compound = self._score(mention.text or mention.title or "")["compound"]
        return brands, Sentiment(
            "negative" if compound <= -0.05 else "positive" if compound >= 0.05 else "neutral", compound, compound
        )


class Watch:
    """Starts with the first record handled, stops when the last one is durable."""

    def __init__(self, job: Job) -> None:
        self._result = Path(job.result)
        self._began_s = self._cpu_began_s = self._startup_cpu_s = self._pace_s = 0.0
        self._profile = cProfile.Profile() if job.profile else None

    def first(self) -> None:
        """Say so with every record; only the first counts."""
        if not self._began_s:
            self._startup_cpu_s, self._pace_s = _cpu_s(), _pace_s()
            self._began_s, self._cpu_began_s = perf_counter(), _cpu_s()
            if self._profile:
                self._profile.enable()

    def last(self, records: int, *, idle_s: float = 0.0) -> None:
        """Write down what was measured and leave: an orderly stop takes seconds that are nobody's throughput."""
        seconds, cpu_s = perf_counter() - self._began_s - idle_s, _cpu_s() - self._cpu_began_s
        if self._profile:
            self._profile.disable()
        pace_s = (self._pace_s + _pace_s()) / 2
        self._result.write_bytes(msgspec.json.encode(Measured(records, seconds, cpu_s, self._startup_cpu_s, pace_s)))
        if self._profile:
            pstats.Stats(self._profile, stream=sys.stderr).sort_stats("tottime").print_stats(25)
            sys.stderr.flush()
        os._exit(0)


def _pace_s() -> float:
    began_s = thread_time()
    text = " ".join(f"word{number}" for number in range(2000))
    for _ in range(100):
        Counter(word.upper() for word in text.split())
    return thread_time() - began_s


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
