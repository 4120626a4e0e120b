"""`make bench-detection`: what detection finds, what it costs in sleep and in CPU time, each figure beside its bar.

First the Numenta Anomaly Benchmark, where its series are (see tests/bench/nab.py). Then simulated worlds, easy and
hard, heard by the worker's own agents (see tests/bench/simulated.py), beside two anchors that hear the same
mentions in the same process. A benchmark, not a test: it asserts nothing.

The detectors were tuned on the seeds TUNED_ON. What is printed by default are UNTOUCHED ones.
"""

from __future__ import annotations

import argparse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median, quantiles
from time import process_time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from streams.core.detectors import REGISTRY
from streams.core.detectors.independence import Independence
from streams.core.detectors.terms import TermsDetector
from tests.bench import nab
from tests.bench.anchors import ANCHORS
from tests.bench.simulated import Job, Page, case_of, heards, play
from tests.bench.verdicts import judge

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streams.core.detectors.interface import Detector, Heard
    from tests.bench.simulated import Case
    from tests.bench.verdicts import Result

TUNED_ON = (*range(1, 10), 101, 102, 201, 202, 203, 204, 301, 302)
UNTOUCHED = (401, 402)
PROCESSES = 2
OURS = "groundswell"
LOOKED_AT_EVERY = 20_000


class Judged(NamedTuple):
    """What each contender made of one brand of one world; our CPU time a mention in us, and largest row in bytes."""

    job: Job
    mentions: int
    results: dict[str, Result]
    us: float
    row_bytes: int


def judge_one(task: tuple[Job, int], cache: Path | None) -> Judged:
    """Let every contender hear one brand."""
    job, number = task
    case = case_of(job, number, cache=cache)
    played = play(case)
    results = {OURS: judge(case, played.pages)}
    for make in ANCHORS:
        anchor = make()
        pages = [
            Page(mention.observed_at, (anchor.name,))
            for mention in case.mentions
            if anchor.hear(mention.observed_at.timestamp(), mention.text)
        ]
        results[anchor.name] = judge(case, pages)
    return Judged(job, len(case.mentions), results, played.us, played.row_bytes)


# -- figures -----------------------------------------------------------------------------------------


def figures(results: Sequence[Result]) -> dict[str, str]:
    """Every row of the table but its bar."""
    found = [one for result in results for one in result.found]
    missed = sum(len(result.missed) for result in results)
    false = Counter(kind for result in results for kind, _ in result.false)
    weeks = sum(result.weeks for result in results)
    true = sum(one.pages for one in found)
    return {
        "incidents found, of those with 12 mentions": _of(len(found), len(found) + missed),
        "false pages per brand-week": f"{false.total() / weeks:.2f}",
        "mentions to page, median (p90)": _spread([one.mentions for one in found]),
        "minutes to page, median (p90)": _spread([one.minutes for one in found]),
        "incident already posted at the page, median": f"{median(one.share for one in found):.1%}" if found else "-",
        "pages per true incident": f"{true / len(found):.2f}" if found else "-",
        "precision of pages": f"{true / max(1, true + false.total()):.2f}",
        **{f"{kind}s that paged": _paged(kind, results) for kind in ("campaign", "joke", "rise", "flood")},
        "pages from nothing at all": str(false["nothing"]),
    }


BARS = {  # easy, hard
    "incidents found, of those with 12 mentions": (">= 95 %", ">= 85 %"),
    "false pages per brand-week": ("<= 0.5", "<= 1.0"),
    "mentions to page, median (p90)": ("<= 15 (35)", "<= 35 (90)"),
    "incident already posted at the page, median": ("<= 3 %", "<= 7 %"),
    "pages per true incident": ("<= 1.2", "<= 1.2"),
    "precision of pages": (">= 0.80", ">= 0.65"),
    "campaigns that paged": ("0", "0"),
    "jokes that paged": ("<= 5 %", "<= 5 %"),
    "rises that paged": ("0", "0"),
}


def _of(part: int, whole: int) -> str:
    return f"{part} of {whole}, {part / max(1, whole):.0%}"


def _spread(values: Sequence[float]) -> str:
    if len(values) < 2:
        return "-"
    return f"{median(values):.0f} ({quantiles(values, n=10, method='inclusive')[-1]:.0f})"


def _paged(kind: str, results: Sequence[Result]) -> str:
    happened, paged = (sum(each) for each in zip(*(result.others[kind] for result in results), strict=True))
    return _of(paged, happened)


# -- printing ----------------------------------------------------------------------------------------


def print_table(judged: Sequence[Judged], *, hard: bool) -> None:
    """Print one difficulty: the bar, ours, the anchors; then ours seed by seed."""
    judged = [one for one in judged if one.job.hard == hard]
    if not judged:
        return
    names = [OURS, *(anchor.name for anchor in ANCHORS)]
    columns = [figures([one.results[name] for one in judged]) for name in names]
    weeks = sum(one.results[OURS].weeks for one in judged)
    print(f"\n{'hard' if hard else 'easy'}: {weeks} brand-weeks, {sum(one.mentions for one in judged):,} mentions")
    print(f"  {'':44} {'bar':>12}" + "".join(f" {name:>18}" for name in names))
    for row in columns[0]:
        bar = BARS[row][hard] if row in BARS else ""
        print(f"  {row:44} {bar:>12}" + "".join(f" {column[row]:>18}" for column in columns))
    by = Counter(by for one in judged for found in one.results[OURS].found for by in found.by[:1])
    print(f"  paged first by {', '.join(f'{name} {n}' for name, n in by.most_common()) or 'nobody'}")
    for seed in sorted({one.job.seed for one in judged}):
        told = figures([one.results[OURS] for one in judged if one.job.seed == seed])
        print(
            f"  seed {seed}: found {told['incidents found, of those with 12 mentions']}; "
            f"{told['false pages per brand-week']} false a brand-week; mentions {told['mentions to page, median (p90)']}; "
            f"{told['pages per true incident']} pages an incident; precision {told['precision of pages']}"
        )


def print_details(judged: Sequence[Judged]) -> None:
    """Print each page of ours that was false, and each incident that was missed."""
    for one in judged:
        result, where = one.results[OURS], f"seed {one.job.seed} {'hard' if one.job.hard else 'easy'}"
        for kind, page in result.false:
            print(f"  {where}, {result.brand}: {page.at:%Y-%m-%d %H:%M} false ({kind}) by {', '.join(page.by)}")
        for missed in result.missed:
            print(
                f"  {where}, {result.brand}: {missed.start:%Y-%m-%d %H:%M} missed {missed.theme}, {missed.mentions} mentions"
            )


def print_cost(case: Case, judged: Sequence[Judged]) -> None:
    """Print CPU time a mention and bytes a brand: of the agents as a whole, and of each detector alone."""
    largest = max(one.row_bytes for one in judged)
    print(f"\ncost: {case.per_hour:.0f} mentions an hour, {len(case.mentions):,} in all (bars: 60 us, 262,144 bytes)")
    us = sum(one.us * one.mentions for one in judged) / sum(one.mentions for one in judged)
    print(f"  {'detect and alerts, with JSON and rows':44} {us:6.1f} us a mention {largest:8,} bytes a row")
    heard = heards(case)
    for asked in ([make(900) for make in REGISTRY if make is not TermsDetector], [TermsDetector(900), Independence()]):
        took_us, largest = cost_of(asked, heard)
        names = " + ".join(getattr(one, "name", "independence") for one in asked)
        print(f"  {names:44} {took_us:6.1f} us a mention {largest:8,} bytes")


def cost_of(asked: Sequence[Detector[Any] | Independence], heard: Sequence[Heard]) -> tuple[float, int]:
    """CPU time a mention in us of some together, and their largest states in bytes, looked at every 20,000 mentions."""
    largest, took_s, states = 0, 0.0, [one.start(heard[0].at_s) for one in asked]
    for start in range(0, len(heard), LOOKED_AT_EVERY):
        began_s = process_time()
        for mention in heard[start : start + LOOKED_AT_EVERY]:
            for one, state in zip(asked, states, strict=True):
                if isinstance(one, Independence):
                    one.hear(state, mention)
                    continue
                if one.due_s(state) <= mention.at_s:
                    one.passed(state, mention.at_s)
                one.heard(state, mention)
        took_s += process_time() - began_s
        largest = max(largest, len(msgspec.msgpack.encode(states)))
    return took_s / len(heard) * 1e6, largest


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.detection", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seeds", type=lambda text: tuple(map(int, text.split(","))), default=UNTOUCHED)
    parser.add_argument("--brands", type=int, default=4)
    parser.add_argument("--weeks", type=int, default=2)
    parser.add_argument("--only-easy", action="store_true")
    parser.add_argument("--only-simulated", action="store_true", help="leave out the Numenta Anomaly Benchmark")
    parser.add_argument("--details", action="store_true", help="each false page and each missed incident")
    parser.add_argument("--cache", type=Path, help="a folder that remembers what intake made of the mentions")
    asked = parser.parse_args(arguments)
    if not asked.only_simulated:
        nab.main()
    jobs = [
        Job(seed, hard=hard, brands=asked.brands, weeks=asked.weeks)
        for hard in ((False,) if asked.only_easy else (False, True))
        for seed in asked.seeds
    ]
    tuned = [seed for seed in asked.seeds if seed in TUNED_ON]
    print(f"\nsimulated worlds, seeds {', '.join(map(str, asked.seeds))}; {tuned or 'none'} of them used for tuning")
    tasks = [(job, number) for job in jobs for number in range(job.brands)]
    with ProcessPoolExecutor(PROCESSES) as pool:
        judged = list(pool.map(partial(judge_one, cache=asked.cache), tasks))
    for hard in (False, True):
        print_table(judged, hard=hard)
    if asked.details:
        print_details(judged)
    middle = sorted(range(asked.brands), key=lambda n: judged[n].mentions)[asked.brands // 2]
    print_cost(case_of(jobs[0], middle, cache=asked.cache), judged)


if __name__ == "__main__":
    main()
