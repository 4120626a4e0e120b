from __future__ import annotations

import random

import msgspec
import pytest

from streams.core.detectors.independence import Independence, Voices
from streams.core.detectors.interface import Heard

HOUR_S = 3600.0
TEXT = "my dell laptop burst into flames on the kitchen table this morning"


class Room:
    """Hears one thing after the other."""

    def __init__(self):
        self.independence = Independence()
        self.state, self.author = self.independence.start(0.0), 1 << 40

    def hears(self, text, *, author=None, at_s=0.0):
        self.author += 0x9E3779B97F4A7C15
        author = self.author & (2**63 - 1) if author is None else author
        return self.independence.hear(self.state, Heard(at_s=at_s, id="any", label="neutral", author=author, text=text))


@pytest.fixture
def room():
    room = Room()
    room.hears(TEXT)
    return room


def test_who_says_something_of_his_own_for_the_first_time_weighs_one(room):
    voice = room.hears("what a lovely screen this new model has, bought it for my sister")
    assert (voice.weight, voice.copy, voice.first_seen) == (1.0, False, True)


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.upper(),
        f"RT @joe: {TEXT}",
        f"{TEXT} https://t.co/abc",
        f"@dell {TEXT}",
        TEXT.replace("morning", "evening"),
        TEXT.replace("laptop", "notebook"),
    ],
)
def test_a_repost_a_copy_or_nearly_one_weighs_less(room, text):
    voice = room.hears(text)
    assert voice.copy
    assert voice.weight < 0.5


def test_a_repost_is_the_same_and_a_varied_copy_is_not(room):
    assert not room.hears(f"RT @joe: {TEXT}").altered
    assert room.hears(TEXT.replace("morning", "evening")).altered
    assert not room.hears("what a lovely screen this new model has, bought it for my sister").altered


def test_where_everybody_speaks_in_phrases_a_copy_is_no_sign_of_anything(room):
    voices = [room.hears(TEXT) for _ in range(2500)]
    assert voices[100].copy
    assert (voices[-1].weight, voices[-1].copy, voices[-1].altered) == (1.0, False, False)


def test_short_texts_are_said_by_many_independently(room):
    room.hears("love it")
    assert not room.hears("love it").copy


def test_the_same_topic_in_other_words_is_no_copy(room):
    assert not room.hears("flames came out of the laptop that my brother had left on his bed").copy


def test_who_repeats_himself_within_hours_weighs_least_and_next_day_he_does_not(room):
    words = random.Random(1).sample([f"word{n}" for n in range(100)], 60)
    weights = [
        room.hears(" ".join(words[n * 10 : n * 10 + 10]), author=7, at_s=at_s).weight
        for n, at_s in enumerate((0, 60, 2 * HOUR_S, 30 * HOUR_S))
    ]
    assert weights == [1.0, 0.1, 0.1, 1.0]


def test_an_author_is_first_seen_once(room):
    assert [room.hears(TEXT, author=99, at_s=at_s).first_seen for at_s in (0, 1, 10 * 24 * HOUR_S)] == [
        True,
        False,
        False,
    ]


def test_strangers_are_rarely_mistaken_for_each_other():
    room, rng = Room(), random.Random(3)
    mistaken = sum(not room.hears("", author=rng.getrandbits(63)).first_seen for _ in range(3000))
    assert mistaken < 300


def test_its_memory_is_bounded_and_survives_a_restart():
    room, rng = Room(), random.Random(5)
    texts = [" ".join(f"w{rng.randrange(3000)}" for _ in range(10)) for _ in range(3000)]
    for text in texts:
        room.hears(text, author=rng.getrandbits(63))
    packed = msgspec.msgpack.encode(room.state)
    assert len(packed) < 64 * 1024
    room.state = msgspec.msgpack.decode(packed, type=Voices)
    assert msgspec.msgpack.encode(room.state) == packed
    assert room.hears(texts[-500]).copy


def test_digests_are_the_same_on_every_machine():
    """They rest in Kafka: another release of the library that counts otherwise must not go unnoticed."""
    room = Room()
    room.hears(TEXT)
    assert bytes(room.state.digests[:16]).hex() == "3d32d51463a3da513ab3e49cc0980ec2"
