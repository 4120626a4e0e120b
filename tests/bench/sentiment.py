"""`make bench-sentiment`: how often sentiment is right, and at what CPU time, beside stock VADER.

The data are other people's and stand in no repository: `BENCH_DATA` names a folder (otherwise `shared/data` beside
this project's) with `airline_tweets_dev.csv` ("Twitter US Airline Sentiment") and `vader_tweets_groundtruth.tsv`
(Hutto & Gilbert 2014). Where they are absent it says so and skips. A benchmark, not a test: it asserts nothing.
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from statistics import correlation, median
from time import thread_time
from typing import TYPE_CHECKING, NamedTuple

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from streams.core.sentiment import Scorer
from streams.core.service import Service
from streams.core.servicelexicon import service_lexicon
from streams.core.vader import Vader

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streams.records import Sentiment

DATA = Path(os.environ.get("BENCH_DATA") or Path(__file__).parents[3] / "shared" / "data")
TWEETS, RATED = "airline_tweets_dev.csv", "vader_tweets_groundtruth.tsv"
LABELS = ("negative", "neutral", "positive")
NAMES = {
    "United": ("United", "United Airlines"),
    "Southwest": ("Southwest", "SouthwestAir", "Southwest Airlines"),
    "Virgin America": ("Virgin America", "VirginAmerica", "Virgin"),
}
CHECK = "Virgin America"
"""The lexicon was developed without looking at the posts to this one."""
# Whoever labelled the file replaced words of the posts by the names of the labels' reasons.
REPAIRS = {"Cancelled Flight": "cancel", "Late Flight": "late", "Flight Booking Problems": "booking"}
ROUNDS = 5
TIMED = 2000


class Post(NamedTuple):
    airline: str
    truth: str
    text: str


class Rates(NamedTuple):
    """Shares from 0 to 1."""

    recall: float
    precision: float
    false_alarms: float
    accuracy: float
    macro_f1: float

    def __str__(self) -> str:
        return (
            f"recall {self.recall:.3f} at precision {self.precision:.3f}   non-negative called negative "
            f"{self.false_alarms:.3f}   accuracy {self.accuracy:.3f}   macro-F1 {self.macro_f1:.3f}"
        )


def precision_at(share: float, found: Rates) -> float:
    """What the precision would be if this share of the posts were negative: the fewer are, the more calls are false."""
    right, false = share * found.recall, (1 - share) * found.false_alarms
    return right / max(1e-9, right + false)


def rates(truths: Sequence[str], labels: Sequence[str]) -> Rates:
    """Of negative posts how many were found; of those called negative how many are; and over all three labels."""
    pairs = list(zip(truths, labels, strict=True))
    right = {label: pairs.count((label, label)) for label in LABELS}
    called, true = len([1 for one in labels if one == "negative"]), list(truths).count("negative")
    f1 = [2 * right[one] / max(1, list(truths).count(one) + list(labels).count(one)) for one in LABELS]
    return Rates(
        right["negative"] / max(1, true),
        right["negative"] / max(1, called),
        (called - right["negative"]) / max(1, len(pairs) - true),
        sum(right.values()) / max(1, len(pairs)),
        sum(f1) / len(f1),
    )


def read_posts(path: Path) -> list[Post]:
    """The tweets, with the words that they had."""
    with path.open(encoding="utf-8", newline="") as lines:
        return [Post(row["airline"], row["sentiment"], _repaired(row["text"])) for row in csv.DictReader(lines)]


def _repaired(text: str) -> str:
    for wrong, word in REPAIRS.items():
        text = text.replace(wrong, word)
    return text


def judge_posts(posts: Sequence[Post], scorer: Scorer, stock: SentimentIntensityAnalyzer) -> None:
    """Print every figure about posts to companies, for each of them and for all."""
    names = [NAMES[post.airline] for post in posts]
    found = scorer.score_many([post.text for post in posts], ["en"] * len(posts), names)
    plain = [_stock_label(stock.polarity_scores(post.text)["compound"]) for post in posts]
    negative = [post.truth for post in posts].count("negative") / len(posts)
    for airline in (*NAMES, None):
        which = [n for n, post in enumerate(posts) if airline in (None, post.airline)]
        truths = [posts[n].truth for n in which]
        print(f"\n{airline or 'all'} ({len(which)} posts{', texts not looked at' if airline == CHECK else ''})")
        print(f"  stock VADER    {rates(truths, [plain[n] for n in which])}")
        ours = rates(truths, [found[n].label for n in which])
        print(f"  service score  {ours}")
        print(f"  negative       {truths.count('negative') / len(truths):.3f} of them; ", end="")
        print(f"were it {negative:.3f} as of all, precision {precision_at(negative, ours):.3f}")
        _print_unsure(truths, [found[n] for n in which])


def _print_unsure(truths: Sequence[str], found: Sequence[Sentiment]) -> None:
    sure = [(truth, one.label) for truth, one in zip(truths, found, strict=True) if not one.unsure]
    right = sum(truth == label for truth, label in sure) / max(1, len(sure))
    print(f"  flagged unsure {1 - len(sure) / len(found):.3f}   accuracy of the rest {right:.3f}")


def _stock_label(compound: float) -> str:
    return "negative" if compound <= -0.05 else "positive" if compound >= 0.05 else "neutral"


def judge_rated(path: Path, vader: Vader, service: Service, stock: SentimentIntensityAnalyzer) -> None:
    """Print how scores go with what people felt about tweets in general."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    texts, felt = [row[2] for row in rows], [float(row[1]) for row in rows]
    ours, theirs = [vader.compound(text) for text in texts], [stock.polarity_scores(text)["compound"] for text in texts]
    print(f"\nVADER's tweets ({len(texts)}), Pearson r with people's ratings")
    print(f"  vader_compound {correlation(felt, ours):.3f}, identical to stock VADER's: {ours == theirs}")
    print(f"  service score  {correlation(felt, [service.score(text, ()).compound for text in texts]):.3f}")


def measure(posts: Sequence[Post], vader: Vader, service: Service, stock: SentimentIntensityAnalyzer) -> None:
    """Print CPU time a text, all ways in turn and again, once the words are known."""
    texts = [post.text for post in posts][:: max(1, len(posts) // TIMED)]
    names = NAMES["United"]
    ways: dict[str, Callable[[str], object]] = {
        "stock VADER": stock.polarity_scores,
        "vader_compound": vader.compound,
        "service score": lambda text: service.score(text, names),
    }
    taken: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, score in ways.items():
            began_s = thread_time()
            for text in texts:
                score(text)
            taken[way].append((thread_time() - began_s) / len(texts) * 1e6)
    us = {way: median(each[1:]) for way, each in taken.items()}
    print(f"\nCPU time a text ({len(texts)} texts, median of {ROUNDS - 1} rounds, none remembered)")
    for way, each in us.items():
        print(f"  {way:14} {each:6.1f} us   {each / us['stock VADER']:.2f}x")
    both = us["vader_compound"] + us["service score"]
    print(f"  {'both':14} {both:6.1f} us   {both / us['stock VADER']:.2f}x")


def main() -> None:
    paths = [DATA / name for name in (TWEETS, RATED)]
    if absent := [path.name for path in paths if not path.exists()]:
        print(f"skipped: {' and '.join(absent)} not found; BENCH_DATA=FOLDER names the folder that has them")
        return
    stock, vader, scorer = SentimentIntensityAnalyzer(), Vader(), Scorer()
    service, posts = Service(vader), read_posts(paths[0])
    lexicon = service_lexicon()
    print(f"service lexicon {lexicon.version}: {len(lexicon.entries)} entries")
    judge_posts(posts, scorer, stock)
    judge_rated(paths[1], vader, service, stock)
    measure(posts, vader, service, stock)


if __name__ == "__main__":
    main()
