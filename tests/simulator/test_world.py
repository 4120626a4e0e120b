"""A made-up world must be what it says: the same again, true to its truth, and felt as it is meant."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta
from itertools import pairwise
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING

import msgspec
import pytest

from agents.simulator import World
from agents.simulator.events import SHORT, Event, Truth
from agents.simulator.words import FEELINGS, HAZARDS, THEMES, VOCABULARY, make_vocabulary, zipf
from agents.simulator.written import Files, write_world
from agents.sources.recording import Recording
from streams.core.recall import names_in
from streams.core.rules import load_rules
from streams.core.sentiment import Scorer
from streams.records import Mention

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agents.simulator import Said


class Told:
    """A world of two brands, told once."""

    def __init__(self, *, hard: bool) -> None:
        self.world = World(seed=11, brands=2, weeks=1, hard=hard)
        self.said: Sequence[Said] = list(self.world.tell())
        self.truth = self.world.truth()
        self.by_id = {one.mention.id: one for one in self.said}

    def events(self, kind: str) -> list[Event]:
        return [event for event in self.truth.events if event.kind == kind]

    def mentions(self, event: Event) -> list[Mention]:
        return [self.by_id[one].mention for one in event.mentions]


@pytest.fixture(scope="module")
def easy() -> Told:
    return Told(hard=False)


@pytest.fixture(scope="module")
def hard() -> Told:
    return Told(hard=True)


def small(tmp_path: Path, name: str, seed: int = 3) -> tuple[bytes, bytes, bytes]:
    files = Files(tmp_path / f"{name}.jsonl", tmp_path / f"{name}.json", tmp_path / f"{name}.yaml")
    world = World(seed=seed, brands=3, weeks=1)
    world.lives = [min(world.lives, key=lambda life: life.per_hour)]
    write_world(world, files)
    return tuple(path.read_bytes() for path in files if path)  # type: ignore[return-value]


def test_the_same_seed_writes_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    once = small(tmp_path, "once")
    assert small(tmp_path, "again") == once
    assert all(one != other for one, other in zip(small(tmp_path, "other", seed=4), once, strict=True))


def test_a_brand_told_alone_says_what_it_says_among_others(easy: Told) -> None:
    alone = World(seed=11, brands=2, weeks=1).lives[0]
    among = [one.mention for one in easy.said if one.mention.id.split("-")[1] == alone.brand]
    assert [one.mention for one in alone.tell()] == among


def test_what_is_written_reads_as_mentions_in_order_of_time_and_as_the_truth_about_them(tmp_path: Path) -> None:
    mentions, truth, _ = small(tmp_path, "world")
    read = [msgspec.json.decode(line, type=Mention) for line in mentions.splitlines()]
    happened = msgspec.json.decode(truth, type=Truth)
    assert all(one.observed_at <= other.observed_at for one, other in pairwise(read))
    assert len({mention.id for mention in read}) == len(read) == happened.mentions
    assert {one for event in happened.events for one in event.mentions} < {mention.id for mention in read}
    survey = Recording(tmp_path / "world.jsonl").survey()
    assert (survey.records, survey.in_order) == (len(read), True)


def test_each_brand_week_has_its_events_one_at_a_time_and_the_first_week_none(easy: Told) -> None:
    for life in easy.world.lives:
        mine = [event for event in easy.truth.events if event.brand == life.brand]
        assert Counter(event.kind for event in mine) == Counter((*SHORT, "rise"))
        short = [event for event in mine if event.kind != "rise"]
        assert all(one.end < other.start for one, other in pairwise(short))
        assert min(event.start for event in mine) >= easy.truth.quiet_until == easy.truth.start + timedelta(days=7)


def test_an_events_mentions_lie_within_it_and_are_about_its_brand(easy: Told) -> None:
    rules = load_rules(easy.world.rules())
    for event in easy.truth.events:
        mentions = easy.mentions(event)
        assert all(event.start <= mention.observed_at <= event.end for mention in mentions)
        for matched in rules.match_many(mentions):
            assert [match.brand for match in matched.brands] == [event.brand]


def test_every_mention_is_heard_and_by_one_brand_only(hard: Told) -> None:
    rules = load_rules(hard.world.rules())
    matched = rules.match_many([one.mention for one in hard.said])
    assert {len(one.brands) for one in matched} == {1}


def test_brands_are_as_busy_as_they_say_and_twice_as_busy_after_the_rise(easy: Told) -> None:
    hours = (easy.truth.quiet_until - easy.truth.start) / timedelta(hours=1)
    for life in easy.world.lives:
        assert 15 <= life.per_hour <= 600
        quiet = [o for o in easy.said if o.mention.observed_at < easy.truth.quiet_until and life.name in o.mention.text]
        assert len(quiet) / hours == pytest.approx(life.per_hour, rel=0.15)  # weekends less, cascades more
        rhythm = [life.usual_rate(hour * 3600.0) for hour in range(24 * 14)]
        assert fmean(rhythm[-24:]) / fmean(rhythm[6 * 24 : 7 * 24]) == pytest.approx(1.93, abs=0.05)
        assert max(rhythm[:24]) > 2.5 * min(rhythm[:24])
        assert fmean(rhythm[5 * 24 : 7 * 24]) < 0.8 * fmean(rhythm[: 5 * 24])


def test_an_incident_begins_as_a_few_per_cent_and_grows_beyond_the_brands_volume(easy: Told) -> None:
    for life in easy.world.lives:
        for one in (one for one in life.plots if one.kind == "incident"):
            assert one.rate(one.start_s) == one.onset
            assert one.onset in (0.01, 0.02, 0.05)
            assert one.rate(one.start_s + one.doubling_s) == pytest.approx(2 * one.onset)
            assert 10 * 60 <= one.doubling_s <= 80 * 60
            assert 1 <= one.rate(one.start_s + one.growth_s) <= 2
            assert one.rate(one.end_s) == one.rate(one.start_s - 1) == 0


def test_words_score_as_they_are_meant(easy: Told, hard: Told) -> None:
    scorer = Scorer()
    for told in (easy, hard):
        some = told.said[::20]
        rules = load_rules(told.world.rules())
        matches = rules.match_many([one.mention for one in some])
        names = [names_in(one.mention, match.brands[0]) for one, match in zip(some, matches, strict=True)]
        scored = scorer.score_many([one.mention.text or "" for one in some], ["en"] * len(some), names)
        right = [one.felt == sentiment.label for one, sentiment in zip(some, scored, strict=True)]
        assert fmean(right) > 0.95


def test_no_made_up_word_has_a_meaning_of_its_own() -> None:
    scorer = Scorer()
    words = [*make_vocabulary(Random("5")), *(word for theme in THEMES for word in theme.words)]
    assert len(set(words)) == len(words) == VOCABULARY + sum(len(theme.words) for theme in THEMES)
    scored = scorer.score_many([f"{word} Brand" for word in words], ["en"] * len(words), [("Brand",)] * len(words))
    felt = [word for word, one in zip(words, scored, strict=True) if one.label != "neutral"]
    assert len(felt) / len(words) < 0.002, felt


def test_incidents_are_negative_and_jokes_and_campaigns_are_not(easy: Told, hard: Told) -> None:
    for told, least in ((easy, 0.7), (hard, 0.5)):
        for kind, negative in (("incident", True), ("campaign", False), ("joke", False)):
            felt = Counter(told.by_id[one].felt for event in told.events(kind) for one in event.mentions)
            assert (felt["negative"] / felt.total() > least) == negative
            assert (felt["positive"] / felt.total() > least) == (not negative)


def test_in_a_hard_world_about_every_fifth_feeling_is_not_what_it_was(easy: Told, hard: Told) -> None:
    """30 % are drawn anew, and a third of these come out as they were."""
    shares = {}
    for told in (easy, hard):
        felt = Counter(told.by_id[one].felt for event in told.events("incident") for one in event.mentions)
        shares[told.truth.hard] = felt["negative"] / felt.total()
    assert shares[False] - shares[True] == pytest.approx(0.3 * (0.85 - 1 / 3), abs=0.06)


def test_a_mention_of_an_incident_holds_its_words_fewer_of_them_in_a_hard_world(easy: Told, hard: Told) -> None:
    words = {theme.name: set(theme.words) for theme in THEMES}
    for told, least, most in ((easy, 2, 4), (hard, 1, 2)):
        for event in told.events("incident"):
            for mention in told.mentions(event):
                about = words[event.theme] & set((mention.text or "").split())
                assert least <= len(about) <= most + 1  # and sometimes one in passing, from a text repeated


def test_words_of_incidents_also_occur_in_ordinary_chatter_but_hazards_hardly(easy: Told) -> None:
    quiet = [one.mention for one in easy.said if one.mention.observed_at < easy.truth.quiet_until]
    said = Counter(word for mention in quiet for word in set((mention.text or "").split()))
    assert all(said[word] for theme in THEMES for word in theme.words)
    hazards = [match.brands[0].issues for match in load_rules(easy.world.rules()).match_many(quiet)]
    assert set(HAZARDS) <= {theme.name for theme in THEMES}
    assert sum(map(bool, hazards)) <= 2


def test_a_flood_is_few_accounts_and_copies_or_in_a_hard_world_many_and_mostly_texts_of_their_own(
    easy: Told, hard: Told
) -> None:
    for told, fewest, most, copies in ((easy, 8, 24, (0.95, 1.0)), (hard, 30, 79, (0.3, 0.5))):
        for event in told.events("flood"):
            mentions = told.mentions(event)
            authors = {mention.author_id for mention in mentions}
            assert fewest * 0.8 <= len(authors) <= most
            first = set((mentions[0].text or "").split())
            alike = [len(first & set((mention.text or "").split())) > 0.6 * len(first) for mention in mentions]
            assert copies[0] <= fmean(alike) <= copies[1]


def test_a_crowd_is_mostly_people_with_accounts_some_years_old_and_a_flood_mostly_new_ones(hard: Told) -> None:
    def young(event: Event) -> float:
        known = [mention for mention in hard.mentions(event) if mention.author_created_at]
        ages = [mention.observed_at - mention.author_created_at for mention in known]  # type: ignore[operator]
        assert min(ages) > timedelta()
        return fmean(age < timedelta(days=90) for age in ages)

    assert max(map(young, hard.events("incident"))) < 0.2
    assert min(map(young, hard.events("flood"))) > 0.4


def test_a_few_people_say_much_and_most_say_little(easy: Told) -> None:
    said = Counter(one.mention.author_id for one in easy.said if one.plot is None)
    assert fmean(count == 1 for count in said.values()) > 0.5
    assert said.most_common(1)[0][1] > 50


def test_the_commonest_word_is_said_as_often_as_zipf_says() -> None:
    random = Random("zipf")
    drawn = Counter(zipf(random, VOCABULARY) for _ in range(50_000))
    assert drawn[0] / 50_000 == pytest.approx(math.log(2) / math.log(VOCABULARY), rel=0.05)
    assert drawn[0] / drawn[9] == pytest.approx(math.log(2) / math.log(11 / 10), rel=0.2)
    assert max(drawn) < VOCABULARY


def test_feelings_are_said_with_words_that_are_not_an_incidents() -> None:
    about = {word for theme in THEMES for word in theme.words}
    assert not about & {word for said in FEELINGS.values() for feeling in said for word in feeling.split()}
