from __future__ import annotations

import random
from functools import cache

import msgspec
import pytest
from msgspec.structs import replace

from streams.core.detectors.independence import Independence
from streams.core.detectors.interface import Heard
from streams.core.detectors.terms import TermsDetector, TermsState
from streams.core.detectors.wording import terms_in, words_of

DAY_S = 86_400
START_S = 1_750_032_000.0
WARM_S = START_S + 5 * DAY_S
LATENESS_S = 900
MOST_BYTES = 256 * 1024
SYLLABLES = ["ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "zo"]
CHATTER = ["".join(pair) for pair in zip(SYLLABLES * 14, sorted(SYLLABLES * 14), strict=True)]
BATTERY = ["battery", "flames", "smoke", "burst", "laptop", "fire", "melted", "burning"]


class Brand:
    """One brand's life: weighs whose words they are, tells the detector, keeps what it said."""

    def __init__(self):
        self.detector, self.independence = TermsDetector(LATENESS_S), Independence()
        self.state, self.voices = self.detector.start(START_S), self.independence.start(START_S)
        self.rng, self.number, self.now_s, self.signs = random.Random(7), 0, START_S, []

    def says(self, text, label="negative", author=None, age_days=1500.0):
        """One mention, by somebody new if nobody is named; returns what the detector made of it."""
        self.number += 1
        heard = Heard(
            at_s=self.now_s,
            id=f"x:{self.number}",
            label=label,
            author=self.rng.getrandbits(63) if author is None else author,
            text=text,
            author_age_s=None if age_days is None else age_days * DAY_S,
        )
        heard = replace(heard, voice=self.independence.hear(self.voices, heard))
        signs = list(self.detector.heard(self.state, heard))
        self.signs += signs
        return signs

    def chats(self):
        """What is said on any day: a quarter of it is negative."""
        text = " ".join(["Dell", *self.rng.choices(CHATTER, k=9)])
        return self.says(text, self.rng.choices(("negative", "neutral", "positive"), (25, 40, 35))[0])

    def lives(self, seconds, gap_s=60.0):
        """A mention a minute or so."""
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += self.rng.expovariate(1 / gap_s)
            self.chats()

    def tells(self, theme, words=3):
        """A text of one's own with some words of a theme in it."""
        said = [*self.rng.choices(CHATTER, k=6), *self.rng.sample(theme, words)]
        self.rng.shuffle(said)
        return " ".join(["Dell", *said])

    def pages(self):
        return [sign for sign in self.signs if sign.nature == "trouble" and sign.step == 1]


@cache
def _warm():
    brand = Brand()
    brand.lives(5 * DAY_S, gap_s=120.0)
    return msgspec.msgpack.encode(brand.state), msgspec.msgpack.encode(brand.voices), brand.now_s, brand.signs


@pytest.fixture
def dell():
    """A brand that was heard for five days."""
    state, voices, now_s, signs = _warm()
    brand = Brand()
    brand.state = msgspec.msgpack.decode(state, type=TermsState)
    brand.voices = msgspec.msgpack.decode(voices, type=Independence.state_type)
    brand.now_s, brand.signs, brand.number = now_s, list(signs), 10_000
    return brand


def test_laptops_that_burst_into_flames_page_after_about_ten_posts(dell):
    posts = 0
    while not dell.pages():
        posts += 1
        assert posts <= 12
        dell.lives(600)
        dell.says(dell.tells(BATTERY))
    (page,) = dell.pages()
    assert {rising.term for rising in page.terms} <= {*BATTERY, "dell", *CHATTER}
    assert {rising.term for rising in page.terms} & set(BATTERY)
    assert all(rising.lift > 2 for rising in page.terms)
    assert page.authors >= 6
    assert page.mentions[-1] == f"x:{dell.number}"
    assert page.observed > page.expected


def test_one_incident_is_one_episode_that_grows_in_steps_and_is_over(dell):
    for _ in range(80):
        dell.lives(120)
        dell.says(dell.tells(BATTERY))
    dell.lives(DAY_S / 4)
    told = [sign for sign in dell.signs if sign.nature == "trouble"]
    assert len({sign.episode_s for sign in told}) == 1
    assert [sign.step for sign in told] == list(range(1, len(told) + 1))
    assert [sign.state for sign in told] == ["open"] * (len(told) - 1) + ["over"]
    assert 2 <= len(told) <= 6


def test_the_same_trouble_pages_again_the_same_day_only_if_it_is_clearly_louder(dell):
    for loudness in (15, 15, 60):
        for _ in range(loudness):
            dell.lives(2400 / loudness)
            dell.says(dell.tells(BATTERY))
        dell.lives(5 * 3600)
        dell.pages_so_far = [*getattr(dell, "pages_so_far", []), len(dell.pages())]
    assert dell.pages_so_far == [1, 1, 2]


def test_a_campaign_is_praise_and_pages_nobody(dell):
    for _ in range(200):
        dell.lives(60)
        dell.says(
            dell.tells(["#dellday", "win", "summer", "contest"]), dell.rng.choice(["positive"] * 9 + ["negative"])
        )
    assert not dell.pages()
    assert "praise" in {sign.nature for sign in dell.signs}


def test_a_joke_that_everybody_repeats_pages_nobody(dell):
    for _ in range(100):
        dell.lives(60)
        joke = "my dell walks into a bar and orders cookies"
        dell.says(dell.rng.choice([f"RT @joker: {joke}", dell.tells(["bar", "cookies", "joke"])]), "positive")
    assert not dell.pages()


def test_a_dozen_accounts_that_copy_each_other_are_a_flood(dell):
    for number in range(120):
        dell.lives(30)
        text = f"shame on dell the {dell.rng.choice(CHATTER)} scandal fraud boycott resign now everybody"
        dell.says(text, author=number % 12)
    assert not dell.pages()
    assert "flood" in {sign.nature for sign in dell.signs}


def test_dozens_of_new_accounts_with_texts_of_their_own_are_a_flood(dell):
    for number in range(60):
        dell.lives(60)
        dell.says(dell.tells(["scandal", "fraud", "boycott", "resign"]), author=number % 40, age_days=number % 40)
    assert not dell.pages()
    assert "flood" in {sign.nature for sign in dell.signs}


def test_dozens_of_accounts_of_unknown_age_that_vary_one_text_now_and_then_are_a_flood(dell):
    text = "dell the scandal fraud boycott resign now everybody shame on them again"
    for number in range(60):
        dell.lives(60)
        varied = text.replace("everybody", dell.rng.choice(CHATTER))
        own = dell.tells(["scandal", "fraud", "boycott", "resign"])
        dell.says(varied if number % 5 < 2 else own, author=number % 40, age_days=None)
    assert not dell.pages()
    assert "flood" in {sign.nature for sign in dell.signs}


def test_a_brand_that_is_seldom_scored_as_negative_is_heard_too(dell):
    for _ in range(60):
        dell.lives(120)
        dell.says(dell.tells(BATTERY), dell.rng.choice(["negative", "negative", "neutral"]))
    assert dell.pages()


def test_one_angry_author_is_no_trouble(dell):
    for _ in range(60):
        dell.lives(60)
        dell.says(dell.tells(BATTERY), author=1)
    assert not dell.pages()


def test_bad_words_alone_are_no_topic(dell):
    """More people are cross than usual, about nothing in particular: that is for other detectors."""
    for _ in range(3):
        for mood, label in (("awful", "negative"), ("horrible", "negative"), ("great", "positive")) * 40:
            dell.lives(300)
            dell.says(f"{dell.tells(CHATTER)} {mood}", label)
        dell.lives(DAY_S)
    dell.signs.clear()
    for _ in range(30):
        dell.lives(120)
        dell.says(f"{dell.tells(CHATTER)} {dell.rng.choice(['awful', 'horrible'])}")
    assert not dell.pages()


def hostile(kind, number, rng):
    if kind == "distinct terms":
        return " ".join(f"w{number}x{n}{'y' * 20}" for n in range(20))
    if kind == "four bytes each":
        return " ".join(chr(0x20000 + number % 5000) + "𐐷" * 11 + chr(0x10400 + n) for n in range(12))
    return ("endless " + chr(rng.randrange(97, 123)) * 500 + " ") * 2_000


@pytest.mark.parametrize("kind", ["distinct terms", "four bytes each", "a megabyte"])
def test_no_input_makes_a_brands_state_larger_than_its_cap(dell, kind):
    for number in range(5000 if kind == "distinct terms" else 50 if kind == "a megabyte" else 1500):
        dell.now_s += 0.2
        dell.number = number + 10**180
        dell.says(hostile(kind, number, dell.rng), author=number)
    assert len(msgspec.msgpack.encode(dell.state)) + len(msgspec.msgpack.encode(dell.voices)) < MOST_BYTES


def test_after_a_restart_at_any_moment_the_same_is_said(dell):
    state, voices, _, _ = _warm()
    signs = []
    for restart in (1, 10**9):
        brand = Brand()
        brand.state = msgspec.msgpack.decode(state, type=TermsState)
        brand.voices = msgspec.msgpack.decode(voices, type=Independence.state_type)
        brand.now_s, brand.number = dell.now_s, 10_000
        for number in range(40):
            brand.lives(90)
            brand.says(brand.tells(BATTERY))
            if number % restart == 0:
                brand.state = msgspec.msgpack.decode(msgspec.msgpack.encode(brand.state), type=TermsState)
        signs.append((brand.signs, msgspec.msgpack.encode(brand.state)))
    assert signs[0] == signs[1]
    assert signs[0][0]


def test_nothing_is_said_in_the_first_days():
    brand = Brand()
    brand.lives(DAY_S, gap_s=300)
    for _ in range(50):
        brand.lives(60)
        brand.says(brand.tells(BATTERY))
    assert brand.signs == []


def test_times_that_go_back_or_stand_still_do_no_harm(dell):
    for back_s in (0, 0, 600, 86_400, 0) * 4:
        dell.lives(60)
        now_s, dell.now_s = dell.now_s, dell.now_s - back_s
        dell.says(dell.tells(BATTERY))
        dell.now_s = now_s
    times = [sign.at_s for sign in dell.signs]
    assert dell.pages()
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("RT @joe: My #Battery burst, see https://t.co/x @dell", ["battery", "burst"]),
        ("The SCREEN's fine’s", ["screen's", "fine's"]),
        ("Straße STRASSE", ["strasse"]),
        ("电池起火", ["电池", "池起", "起火"]),
        ("батарея горит", ["батарея", "горит"]),
        ("", []),
        ("!!! 🔥", []),
    ],
)
def test_terms_are_the_words_that_may_carry_a_topic(text, terms):
    assert [term for term in terms_in(words_of(text)) if term != "see"] == terms
