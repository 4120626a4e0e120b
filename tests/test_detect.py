"""What detection keeps and tells of one brand."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from agents.detect import Detect
from streams.core.evidence import AUTHORS
from streams.core.rules import load_rules
from streams.core.samples import KEPT, SAMPLE_CHARS
from streams.core.tally import KEEP, MOST_BUCKETS
from streams.core.versions import Versions
from streams.records import BrandStats, Finding, Origin, Place, Removal, Sample, ScoredMention, Sentiment
from streams.settings import Settings

START = datetime(2026, 1, 5, 12, tzinfo=UTC)


def mention(number: int = 0, *, at: datetime = START, label: str = "neutral", **fields) -> ScoredMention:
    return ScoredMention(
        brand="dell",
        origin=Origin(0, 0, number),
        id=fields.pop("id", f"x:{number}"),
        source=fields.pop("source", "x"),
        observed_at=at,
        sentiment=Sentiment(label=label),
        text=fields.pop("text", f"dell {number}"),
        author_id=fields.pop("author_id", f"author {number}"),
        **fields,
    )


@pytest.fixture
def work() -> Detect:
    return Detect(Settings(), Versions(), 0)


@pytest.fixture
def brand(work):
    return work.begin()


def shown(brand) -> list[Sample]:
    return [kept.sample for kept in brand.tally.witness.kept]


def hear(work, brand, *mentions):
    return [out for one in mentions for out in work.apply("dell", brand, one)]


def stats_at(work, brand, now: datetime) -> BrandStats:
    (out,) = [out for out in work.pass_time("dell", brand, now) if out.topic == "brand-stats"]
    return msgspec.json.decode(out.value, type=BrandStats)


def test_once_a_minute_the_last_closed_minute_and_the_running_hour_and_day_are_told(work, brand):
    hear(work, brand, mention(0, label="negative"), mention(1, at=START + timedelta(seconds=70), label="positive"))

    stats = stats_at(work, brand, START + timedelta(seconds=125))

    assert (stats.minute.start, stats.minute.mentions, stats.minute.positive) == (START + timedelta(minutes=1), 1, 1)
    assert (stats.hour.mentions, stats.hour.negative, stats.day.mentions, stats.applied) == (2, 1, 2, 2)


def test_each_of_the_last_sixty_closed_minutes_is_told_oldest_first(work, brand):
    hear(work, brand, mention(0, label="negative"), mention(1), mention(2, at=START + timedelta(minutes=59)))
    hear(work, brand, mention(3, at=START + timedelta(minutes=60)))  # not closed yet

    stats = stats_at(work, brand, START + timedelta(minutes=60, seconds=5))

    assert stats.minutes == (2, *[0] * 58, 1)
    assert stats.negative_minutes == (1, *[0] * 59)
    later = stats_at(work, brand, START + timedelta(minutes=61, seconds=5))
    assert later.minutes == (*[0] * 58, 1, 1)


def test_what_is_usual_is_told_once_the_detectors_have_learned_it(work, brand):
    for hour in range(3 * 24 + 1):
        hear(work, brand, mention(hour, at=START + timedelta(hours=hour)))
        stats = stats_at(work, brand, START + timedelta(hours=hour, minutes=30))
        assert bool(stats.expected) == (hour >= 3 * 24)

    [band] = [band for band in stats.expected if band.series == "all"]
    assert (band.detector, band.series, band.window_s, band.observed) == ("volume", "all", 1800, 0)
    assert 0 < band.expected < band.high


def test_nothing_is_told_twice_within_a_minute(work, brand):
    hear(work, brand, mention())
    stats_at(work, brand, START + timedelta(seconds=60))

    assert list(work.pass_time("dell", brand, START + timedelta(seconds=119))) == []
    assert work.due(brand) <= START + timedelta(minutes=5)


def test_a_straggler_lands_in_the_hour_in_which_it_was_witnessed(work, brand):
    hear(work, brand, mention(0, at=START), mention(1, at=START - timedelta(minutes=1)))

    assert stats_at(work, brand, START + timedelta(minutes=2)).hour.mentions == 1


def test_what_a_partition_that_is_ahead_has_told_waits_in_its_own_hour(work, brand):
    hear(work, brand, *(mention(n, at=START + timedelta(hours=n)) for n in range(12)), mention(12, at=START))

    assert stats_at(work, brand, START + timedelta(minutes=2)).hour.mentions == 2
    assert stats_at(work, brand, START + timedelta(hours=5, minutes=2)).hour.mentions == 1


def test_a_late_mention_is_counted_as_late_and_moves_nothing_else(work, brand):
    hear(work, brand, mention(0), mention(1, late=True))

    stats = stats_at(work, brand, START + timedelta(minutes=1))

    assert (stats.applied, stats.late, stats.day.mentions) == (1, 1, 1)


def test_the_brands_own_posts_count_in_no_figure_and_no_detector(work, brand):
    hear(work, brand, mention(0), mention(1, author_role="own"))

    stats = stats_at(work, brand, START + timedelta(minutes=1))

    assert (stats.applied, stats.day.mentions, len(shown(brand))) == (2, 1, 1)


def test_an_edit_is_no_new_mention_but_is_shown_as_it_reads_now(work, brand):
    hear(work, brand, mention(0, text="dell is bad"), mention(0, text="dell is fine, sorry", op="update"))

    assert brand.tally.buckets[60] == {int(START.timestamp()): [0, 1, 0, 0]}
    assert [sample.text for sample in shown(brand)] == ["dell is fine, sorry"]


def test_an_edit_that_comes_late_is_shown_all_the_same(work, brand):
    hear(work, brand, mention(0, text="dell is bad"), mention(0, text="dell is fine", op="update", late=True))

    assert [sample.text for sample in shown(brand)] == ["dell is fine"]


def test_a_removal_takes_the_text_away_tells_those_who_show_it_and_leaves_the_counts(work, brand):
    hear(work, brand, mention(0), mention(1, author_id="ann"), mention(2, author_id="ann"))
    gone = Removal(origin=Origin(0, 0, 9), why="account_removed", brand="dell", author_id="ann")

    told = hear(work, brand, gone)

    assert [sample.id for sample in shown(brand)] == ["x:0"]
    assert [(out.topic, msgspec.json.decode(out.value, type=Removal)) for out in told] == [("spikes", gone)]
    assert stats_at(work, brand, START + timedelta(minutes=1)).day.mentions == 3


def test_whatever_happens_a_row_stays_small(work, brand):
    for number in range(3000):
        at = START + timedelta(minutes=number)
        fields = {"issues": (f"issue {number}",), "source": f"s{number}", "place": Place(city=f"city {number}" * 99)}
        text = f"word{number} other{number} " + "x" * 5000
        hear(work, brand, mention(number, at=at, text=text, label=["negative", "neutral"][number % 2], **fields))
        if number == 2000:
            assert all(len(buckets) <= MOST_BUCKETS for buckets in brand.tally.buckets.values())
    stats_at(work, brand, at)

    witness = brand.tally.witness
    assert len(witness.authors) == AUTHORS
    assert len(witness.kept) <= sum(KEPT.values())
    assert all(len(sample.text) == SAMPLE_CHARS for sample in shown(brand))
    assert all(len(buckets) <= KEEP[span] for span, buckets in brand.tally.buckets.items())
    assert len(msgspec.msgpack.encode(brand.tally)) < 32_000


def test_an_ordinary_row_is_small(work, brand):
    hear(work, brand, *(chatter(number) for number in range(2000)))
    stats_at(work, brand, START + timedelta(hours=10))

    assert len(msgspec.msgpack.encode(brand.tally)) < 16_000


def test_a_row_read_back_is_the_row_that_was_written(work, brand):
    hear(work, brand, *(mention(n, at=START + timedelta(minutes=n), label="negative") for n in range(50)))

    again = work.load(work.dump(brand))

    assert work.dump(again) == work.dump(brand)


# evidence

WORDS = [
    "screen",
    "keyboard",
    "price",
    "shop",
    "driver",
    "update",
    "cable",
    "monitor",
    "support",
    "order",
    "school",
    "office",
    "colour",
    "sound",
    "desk",
    "sale",
]


def chatter(number: int, *, every: timedelta = timedelta(seconds=18), **fields) -> ScoredMention:
    """Ordinary talk about a brand, with a post now and then that somebody liked or not."""
    rng = random.Random(number)
    text = f"my dell {' '.join(rng.sample(WORDS, 5))} number{rng.randrange(4000)}"
    label = rng.choice(["neutral", "neutral", "positive", "negative"])
    return mention(number, at=START + number * every, text=text, label=label, **fields)


def fire(number: int, at: datetime, text: str = "", **fields) -> ScoredMention:
    texts = [
        "the battery of my dell burst into flames on the train",
        "dell battery caught fire while charging, house full of smoke",
    ]
    texts += ["who else saw flames come out of a dell laptop, the battery was glowing?"]
    usual = {"issues": ("battery_fire",), "author_followers": 100 + number, "label": "neutral", "rules_version": "abc"}
    return mention(9000 + number, at=at, text=text or texts[number % 3], **usual | fields)


HAZARDOUS = """
ruleset: test
brands: [{id: dell, match: dell}]
issues: [{id: battery_fire, match: battery AND fire, hazard: true}]
watch: [{when: issue:battery_fire, detect: hazard, at_least: 3, within: 24h, severity: critical}]
"""


@pytest.fixture
def on_watch() -> Detect:
    rules = load_rules(HAZARDOUS)
    work = Detect(Settings(), Versions(rules), 0)
    work.adopt(rules.version)
    return work


def findings(outs) -> list[Finding]:
    return [msgspec.json.decode(out.value, type=Finding) for out in outs if out.topic == "spikes"]


def test_three_posts_on_a_hazard_among_thousands_are_found_with_their_evidence(on_watch, brand):
    hear(on_watch, brand, *(chatter(number) for number in range(1500)))
    last = START + timedelta(hours=7, minutes=30)
    posts = [fire(n, last - timedelta(hours=2 * (2 - n)), url=f"https://x/{n}") for n in range(3)]
    outs = [out for number in range(1500, 1503) for out in hear(on_watch, brand, chatter(number), posts[number - 1500])]

    [found] = [one for one in findings(outs) if one.detector == "hazard"]

    seen = found.evidence
    assert (found.series, found.state, found.at, found.issues) == (
        "issue:battery_fire",
        "open",
        last,
        ("battery_fire",),
    )
    assert found.mentions == ("x:9000", "x:9001", "x:9002")
    assert (seen.observed, seen.authors, seen.reach) == (3, 3, 303)
    assert {sample.url for sample in seen.samples} == {"https://x/0", "https://x/1", "https://x/2"}
    assert seen.first_seen == posts[0].observed_at
    assert 0 < seen.probability < 0.01
    assert seen.baseline_s > 86_400
    assert (found.rules_version, found.detector_version) == ("abc", "1")


def test_posts_behind_a_hazard_outlive_thousands_of_others_for_a_day(on_watch, brand):
    hear(on_watch, brand, *(fire(n, START + timedelta(minutes=n)) for n in range(2)))
    hear(on_watch, brand, *(chatter(number, every=timedelta(seconds=30)) for number in range(2000)))

    assert {"x:9000", "x:9001"} <= {sample.id for sample in shown(brand)}


def test_what_is_said_more_than_usual_is_told_and_posts_that_say_it_are_kept(work, brand):
    hear(work, brand, *(chatter(number) for number in range(1500)))
    at = START + timedelta(hours=7, minutes=30)
    mixed = [
        one
        for n in range(12)
        for one in (fire(n, at + timedelta(seconds=60 * n), issues=()), *(chatter(1500 + 3 * n + k) for k in range(3)))
    ]
    hear(work, brand, *mixed)

    told = [term.term for term in brand.detectors["emerging_terms"].prominent(at.timestamp() + 720)]

    assert {"battery", "flames"} & set(told[:3])
    assert not set(told) & set(WORDS)
    assert sum(sample.id.startswith("x:90") for sample in shown(brand)) >= 4


def test_a_brand_that_left_the_rules_keeps_its_counts_and_nothing_else(work, brand):
    hear(work, brand, *(mention(n, at=START + timedelta(minutes=n), label="negative") for n in range(50)))
    stats_at(work, brand, START + timedelta(hours=1))

    [gone] = work.leave("dell", brand, START)

    assert (gone.topic, gone.key, gone.value) == ("brand-stats", b"dell", None)
    assert (brand.tally.applied, shown(brand), brand.detectors, brand.stats) == (50, [], {}, None)
    assert work.due(brand) is None
    assert work.leave("dell", brand, START) == ()
    assert len(work.dump(brand)) < 200


def test_a_brand_that_comes_back_learns_anew_and_counts_on(work, brand):
    hear(work, brand, *(mention(n) for n in range(5)))
    work.leave("dell", brand, START)
    hear(work, brand, mention(6, at=START + timedelta(days=1)))

    stats = stats_at(work, brand, START + timedelta(days=1, minutes=1))

    assert (stats.applied, stats.hour.mentions) == (6, 1)
    assert stats.learning_until > START + timedelta(days=3)


def test_weeks_of_silence_do_no_harm(work, brand):
    hear(work, brand, *(mention(n, at=START + timedelta(minutes=n)) for n in range(100)))
    for days in (9, 40):
        at = START + timedelta(days=days)
        list(work.pass_time("dell", brand, at))
        hear(work, brand, mention(1000 + days, at=at), mention(2000 + days, at=at - timedelta(days=3)))

    assert work.dump(work.load(work.dump(brand))) == work.dump(brand)


def test_the_post_with_which_a_detector_speaks_is_always_shown(on_watch, brand):
    hear(on_watch, brand, *(chatter(number) for number in range(1500)))
    at = START + timedelta(hours=7, minutes=30)
    loud = [fire(n, at, text="battery fire", author_id=f"author {min(n, 1)}") for n in range(50)]
    outs = hear(on_watch, brand, *loud, fire(50, at, text="my house burns"))

    [found] = [one for one in findings(outs) if one.detector == "hazard"]
    assert "x:9050" in [sample.id for sample in found.evidence.samples]
