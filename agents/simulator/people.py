"""Who speaks in the made-up world: a few people much, most of them once; and accounts made to order."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from agents.simulator.words import zipf

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

SOURCES = ("x", "x", "x", "x", "x", "bluesky", "bluesky", "bluesky", "reddit", "reddit")
STRANGERS = 0.35
"""Share of ordinary mentions by somebody who was never heard on this brand and never will be again."""
YEAR_DAYS = 365.25


class Author(NamedTuple):
    """An account. Reddit says neither how old an account is nor who follows it."""

    id: str
    name: str
    source: str
    followers: int | None
    created_at: datetime | None


class People:
    """Those who speak about one brand."""

    def __init__(self, random: Random, prefix: str, regulars: int, start: datetime) -> None:
        self._random, self._prefix, self._start = random, prefix, start
        self._regulars: dict[int, Author] = {}
        self._most, self._known = regulars, 0

    def anyone(self, strangers: float = STRANGERS) -> Author:
        """Somebody: a stranger with this probability, otherwise a regular, the most active ones most often."""
        if self._random.random() < strangers:
            return self.account()
        number = zipf(self._random, self._most)
        author = self._regulars.get(number)
        if author is None:
            author = self._regulars[number] = self.account()
        return author

    def account(self, *, at: datetime | None = None) -> Author:
        """Somebody new here: with an account some years old, or with one made within 60 days before `at`."""
        random = self._random
        self._known += 1
        source = random.choice(SOURCES)
        if at is None:
            created_at = self._start - timedelta(days=1 + YEAR_DAYS * random.lognormvariate(1.2, 0.8))
            followers = int(random.lognormvariate(5.3, 1.6))
        else:
            created_at, followers = at - timedelta(days=random.uniform(1, 60)), int(random.lognormvariate(2.5, 1.0))
        name = f"{self._prefix}{self._known * 7919 % 999_983}"
        open_ = source != "reddit"
        return Author(f"{source}/{name}", name, source, followers if open_ else None, created_at if open_ else None)
