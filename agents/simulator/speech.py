"""In which words people speak about one made-up brand: topics that come and go, feelings, and words in passing."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from agents.simulator.words import FEELINGS, THEMES, some_of, zipf

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from streams.records import Label

TOPICS, TOPIC_WORDS, TOPIC_LIFE_H = 14, 12, 200.0
ON_TOPIC = 0.55
IN_PASSING = 0.12
"""Share of ordinary mentions that hold a word of some incident's theme, for no reason."""
REDRAWN = 0.3
"""Share of feelings that are drawn anew, from all three alike, in a hard world."""
COMMONEST = 150
"""Words too common to be a topic's."""
LABELS: Final[tuple[Label, ...]] = ("negative", "neutral", "positive")
_IN_PASSING: Final = tuple(word for theme in THEMES for word in theme.words)


class Topic:
    """What people happen to talk about: some words, for some time."""

    __slots__ = ("liveliness", "words")

    def __init__(self, words: tuple[str, ...], liveliness: float) -> None:
        self.words, self.liveliness = words, liveliness


class Speech:
    """How one brand is spoken of; it draws from the brand's own random numbers."""

    def __init__(self, random: Random, name: str, vocabulary: Sequence[str], *, hard: bool) -> None:
        self._random, self._name, self._vocabulary, self._hard = random, name, vocabulary, hard
        self._topics = [self._topic() for _ in range(TOPICS)]

    def drift(self) -> None:
        """An hour has passed: topics grow livelier or duller, and now and then a new one begins."""
        random = self._random
        for number, topic in enumerate(self._topics):
            topic.liveliness = 0.97 * topic.liveliness + random.gauss(0.0, 0.25)
            if random.random() < 1 / TOPIC_LIFE_H:
                self._topics[number] = self._topic(liveliness=-2.0)

    def feeling(self, shares: tuple[float, float]) -> Label:
        """Draw from the shares of negative and neutral, the rest being positive."""
        draw = self._random.random()
        if self._hard and self._random.random() < REDRAWN:
            return self._random.choice(LABELS)
        return "negative" if draw < shares[0] else "neutral" if draw < sum(shares) else "positive"

    def subject(self) -> list[str]:
        """What an ordinary mention is about, if anything."""
        random, words = self._random, list[str]()
        if random.random() < ON_TOPIC:
            topic = random.choices(self._topics, [math.exp(one.liveliness) for one in self._topics])[0]
            words += some_of(random, topic.words, random.randint(1, 3))
        if random.random() < IN_PASSING:
            words.append(random.choice(_IN_PASSING))
        return words

    def text(self, words: list[str], felt: Label) -> str:
        """Say these words, and how one feels, among others."""
        random = self._random
        said = [self._word() for _ in range(random.randint(4, 11))]
        for word in words:
            said.insert(random.randrange(len(said) + 1), word)
        said.insert(random.randrange(len(said) // 2), f"@{self._name}" if random.random() < 0.3 else self._name)
        feeling = random.choice(FEELINGS[felt])
        if feeling:
            said.insert(0 if random.random() < 0.25 else len(said), feeling)
        return " ".join(said)

    def near_copy(self, text: str) -> str:
        """The same with one word changed, but not the brand's name."""
        said = text.split()
        place = self._random.choice([n for n, word in enumerate(said) if word.removeprefix("@") != self._name])
        return " ".join([*said[:place], self._word(), *said[place + 1 :]])

    def rare_words(self, how_many: int) -> tuple[str, ...]:
        """Words that are hardly said otherwise."""
        return tuple(self._random.sample(self._vocabulary[2000:], how_many))

    def _word(self) -> str:
        return self._vocabulary[zipf(self._random, len(self._vocabulary))]

    def _topic(self, liveliness: float = 0.0) -> Topic:
        words, rest = self._vocabulary, len(self._vocabulary) - COMMONEST
        chosen = {words[COMMONEST + zipf(self._random, rest)]: None for _ in range(TOPIC_WORDS)}
        return Topic(tuple(chosen), liveliness)
