from __future__ import annotations

import random

import msgspec
import pytest

from streams.core.detectors.interface import Heard, Voice
from streams.core.detectors.negativity import NegativityDetector

START_S = 1_750_032_000.0  # a Monday, midnight UTC
BIN_S, DAY_S = 300, 86_400


class Brand:
    """A brand with so many mentions an hour, a share of them negative, another positive."""

    def __init__(self, an_hour=60, negative=0.2, positive=0.3, seed=1):
        self.detector = NegativityDetector()
        self.state = self.detector.start(START_S)
        self.now_s, self.rng = START_S, random.Random(seed)
        self.an_hour, self.negative, self.positive = an_hour, negative, positive
        self.signs = []

    def lives(self, hours, an_hour=None, negative=None, positive=None, voice=None, age_s=None):
        """Returns what the detector said meanwhile."""
        an_hour, told = self.an_hour if an_hour is None else an_hour, []
        negative = self.negative if negative is None else negative
        positive = self.positive if positive is None else positive
        until_s = self.now_s + hours * 3600
        while (at_s := self.now_s + self.rng.expovariate(an_hour / 3600)) < until_s:
            felt, self.now_s = self.rng.random(), at_s
            label = "negative" if felt < negative else "positive" if felt < negative + positive else "neutral"
            told += self.detector.passed(self.state, self.now_s)
            mention = Heard(at_s=self.now_s, id="any", label=label, voice=voice or Voice(), author_age_s=age_s)
            told += self.detector.heard(self.state, mention)
        self.now_s = until_s
        told += self.detector.passed(self.state, until_s)
        self.signs += told
        return told


def calm(**kw):
    brand = Brand(**kw)
    brand.lives(5 * 24)
    return brand


def opened(signs):
    return [sign for sign in signs if sign.state == "open"]


@pytest.mark.parametrize("negative", [0.02, 0.2, 0.5, 0.9])
def test_a_brand_that_is_spoken_of_as_always_says_nothing_however_badly_that_is(negative):
    brand = Brand(negative=negative, positive=0.05)
    assert opened(brand.lives(10 * 24)) == []


def test_a_storm_of_negative_mentions_is_trouble():
    sign = opened(calm().lives(1, an_hour=300, negative=0.7))[0]
    assert (sign.series, sign.nature, sign.step) == ("negative", "trouble", 1)
    assert sign.observed > 2 * sign.expected


def test_as_many_mentions_as_usual_of_which_most_are_suddenly_negative_are_trouble():
    brand = calm()
    sign = opened(brand.lives(2, negative=0.75))[0]
    assert sign.nature == "trouble"
    assert sign.at_s < START_S + 5 * DAY_S + 5400
    assert sign.observed > 1.5 * sign.expected > 0


def test_of_a_handful_of_mentions_no_share_says_anything():
    assert opened(calm(an_hour=3, negative=0.1).lives(3, negative=1.0)) == []


def test_a_contest_whose_grumblers_come_with_it_is_no_trouble():
    for seed in range(3):
        told = opened(calm(seed=seed).lives(3, an_hour=400, negative=0.08, positive=0.8))
        assert "trouble" not in {sign.nature for sign in told}


def test_more_of_everything_is_notable_at_most():
    told = opened(calm().lives(3, an_hour=400))
    assert {sign.nature for sign in told} == {"notable"}


def test_a_brand_that_is_always_spoken_of_badly_is_heard_when_it_gets_worse():
    told = opened(calm(negative=0.85, positive=0.05).lives(2, an_hour=400, negative=0.95))
    assert told[0].nature == "trouble"


def test_a_storm_of_copies_is_a_flood():
    told = opened(calm().lives(1, an_hour=400, negative=0.9, voice=Voice(weight=0.1, copy=True)))
    assert {sign.nature for sign in told} == {"flood"}


def test_a_storm_of_accounts_made_lately_is_a_flood():
    told = opened(calm().lives(1, an_hour=400, negative=0.9, age_s=DAY_S))
    assert {sign.nature for sign in told} == {"flood"}


def test_a_quiet_brand_without_news_pages_hardly_ever_by_chance():
    pages = 0
    for seed in range(4):
        brand = Brand(an_hour=15, negative=0.35, positive=0.35, seed=seed)
        pages += len([sign for sign in opened(brand.lives(28 * 24)) if sign.nature == "trouble"])
    assert pages <= 1


def test_a_brand_that_lives_by_reposts_is_not_flooded_by_them():
    brand = Brand()
    brand.lives(5 * 24, voice=Voice(weight=0.3))
    assert opened(brand.lives(1, an_hour=300, negative=0.7, voice=Voice(weight=0.3)))[0].nature == "trouble"


def test_it_is_over_an_hour_after_count_and_share_are_as_usual_again():
    brand = calm()
    brand.lives(3, negative=0.8)
    assert {sign.state for sign in brand.signs} == {"open"}
    told = brand.lives(12)
    assert [sign.state for sign in told] == ["over"]
    assert told[0].at_s > START_S + 5 * DAY_S + 4 * 3600


def test_what_is_kept_of_a_brand_fits_in_768_bytes():
    brand = calm()
    brand.lives(2, an_hour=3000, negative=0.9)
    assert brand.signs
    assert len(msgspec.msgpack.encode(brand.state)) <= 768
