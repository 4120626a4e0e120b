from __future__ import annotations

import msgspec

from streams.core.silence import MISSED, Ears

MINUTE = 60.0


def ears(**every_s: float) -> Ears:
    """A brand heard for a day from some sources, one mention each so many seconds."""
    heard = Ears()
    for source, gap_s in every_s.items():
        for number in range(int(86_400 / gap_s)):
            heard.hear(source, number * gap_s)
    return heard


def test_a_source_that_falls_silent_is_told_once_and_once_when_it_is_back():
    brand = ears(x=60)
    last_s = brand.paces["x"].heard_s

    [gone] = brand.listen(last_s + 30 * MINUTE, {"x"})
    assert (gone.series, gone.state, gone.step, gone.nature, gone.observed) == ("x", "open", 1, "notable", 0)
    assert abs(gone.expected - 30) < 1
    assert list(brand.listen(last_s + 40 * MINUTE, {"x"})) == []

    [back] = brand.listen(last_s + 50 * MINUTE, ())
    assert (back.series, back.state, back.step, back.episode_s) == ("x", "over", 2, gone.episode_s)
    assert not brand.deaf


def test_a_brand_that_is_seldom_spoken_of_there_misses_nothing():
    brand = ears(x=3600)

    assert list(brand.listen(brand.paces["x"].heard_s + (MISSED - 1) * 3600, {"x"})) == []


def test_a_brand_is_deaf_while_most_of_what_it_hears_is_missing():
    most, few = ears(x=60, reddit=600), ears(x=600, reddit=60)
    for brand in (most, few):
        list(brand.listen(86_400 + 3600, {"x"}))

    assert most.deaf
    assert not few.deaf


def test_it_rests_in_a_row_without_loss():
    brand = ears(x=60, reddit=600)
    list(brand.listen(86_400 + 3600, {"x"}))

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(brand), type=Ears) == brand
