"""Tells a scenario: everything that is said, in order of time, from a fixed seed, without end.

Pure: times are milliseconds from the start of the scenario's live part, so the history is negative.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from itertools import chain, count
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agents.sources.scenario import Brand, Scenario, Surge

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_HOURS = 24


class Told(NamedTuple):
    """One thing said: when, the fields of its Mention without its times, and how many times it is delivered.

    `surge` is the id of the incident or campaign that it belongs to, if any.
    """

    at_ms: int
    number: int
    fields: dict[str, Any]
    copies: int = 1
    surge: str = ""


class _Slots(dict[str, str]):
    """Fills a text's {slots}, drawing from the lists of words only what the text asks for."""

    def __init__(self, brand: Brand, random: Random, words: dict[str, tuple[str, ...]]) -> None:
        super().__init__(name=brand.name, handle=brand.handle)
        self._random, self._words = random, words | {"product": brand.products}

    def __missing__(self, slot: str) -> str:
        return self._random.choice(self._words[slot])


class Teller:
    """One telling of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._scenario = scenario
        self._random = Random(scenario.seed)
        self._numbers = count(1)
        self._brands = {brand.id: brand for brand in scenario.brands}
        self._moods = dict.fromkeys(self._brands, 0.0)
        self._recent: dict[str, deque[Told]] = {
            name: deque(maxlen=40) for name in chain(self._brands, (s.id for s in scenario.surges))
        }
        self._sources = [source for source, weight in scenario.sources.items() for _ in range(weight)]
        self._later: list[Told] = []

    def tell(self) -> Iterator[Told]:
        """Everything, oldest first, minute by minute. It never ends: after the story, ordinary chatter goes on."""
        start = -round(self._scenario.history_days * DAY_HOURS * 60)
        for minute in count(start):
            if (minute - start) % 60 == 0:
                self._change_moods()
            at_ms = minute * MINUTE_MS
            said = [*self._ordinary(at_ms), *self._surging(at_ms)]
            while self._later and self._later[0].at_ms < at_ms + MINUTE_MS:
                said.append(heapq.heappop(self._later))
            yield from sorted(said)

    def _ordinary(self, minute_ms: int) -> Iterator[Told]:
        habits, chatter, draw = self._scenario.habits, self._scenario.chatter, self._random.random
        for brand in self._scenario.brands:
            rate = brand.per_hour * self._rhythm(minute_ms) * math.exp(self._moods[brand.id])
            for at_ms in self._moments(minute_ms, rate):
                if draw() < habits.unmatched:
                    yield self._post(at_ms, brand, chatter.unmatched)
                elif draw() < habits.excluded:
                    yield self._post(at_ms, brand, chatter.excluded)
                elif draw() < habits.repost and self._recent[brand.id]:
                    yield self._repost(at_ms, self._recent[brand.id])
                else:
                    tone = draw()
                    rest = chatter.positive if tone < brand.negative + brand.positive else chatter.neutral
                    told = self._post(at_ms, brand, chatter.negative if tone < brand.negative else rest)
                    self._recent[brand.id].append(told)
                    yield self._with_habits(told, brand)

    def _with_habits(self, told: Told, brand: Brand) -> Told:
        habits, draw, fields = self._scenario.habits, self._random.random, told.fields
        same = {"id": fields["id"], "source": fields["source"]}
        if draw() < habits.own_reply:
            answer = self._filled(brand, self._scenario.chatter.own_reply)
            replied = {"in_reply_to": fields["id"], "root": fields["id"], "direction": "outbound"}
            account = {"author_id": brand.own_account, "author_name": brand.own_account}
            self._follow(told, self._mention(fields["source"], answer) | account | replied)
        if draw() < habits.edit:
            self._follow(told, fields | {"op": "update", "revision": "2", "text": f"{fields['text']} (edited: typo)"})
        if draw() < habits.delete:
            self._follow(told, same | {"op": "delete"})
        return told._replace(copies=2) if draw() < habits.duplicate else told

    def _follow(self, told: Told, fields: dict[str, Any]) -> None:
        """Something about an earlier mention, 2 to 20 minutes after it."""
        at_ms = told.at_ms + self._random.randrange(2 * MINUTE_MS, 20 * MINUTE_MS)
        heapq.heappush(self._later, Told(at_ms, next(self._numbers), fields))

    def _surging(self, minute_ms: int) -> Iterator[Told]:
        for surge in self._scenario.surges:
            brand, recent = self._brands[surge.brand], self._recent[surge.id]
            for at_ms in self._moments(minute_ms, rate_per_hour(surge, minute_ms / MINUTE_MS - surge.starts_min)):
                kind = self._random.random()
                if recent and kind < surge.repost:
                    yield self._repost(at_ms, recent)._replace(surge=surge.id)
                elif recent and kind < surge.repost + surge.reply:
                    first = self._random.choice(recent).fields
                    told = self._post(at_ms, brand, surge.replies, source=first["source"])
                    fields = told.fields | {"in_reply_to": first["id"], "root": first["id"]}
                    yield told._replace(fields=fields, surge=surge.id)
                else:
                    told = self._post(at_ms, brand, surge.posts)._replace(surge=surge.id)
                    recent.append(told)
                    yield told

    def _post(self, at_ms: int, brand: Brand, texts: Sequence[str], source: str | None = None) -> Told:
        fields = self._mention(source, self._filled(brand, texts))
        return Told(at_ms, next(self._numbers), fields)

    def _repost(self, at_ms: int, recent: Sequence[Told]) -> Told:
        first = self._random.choice(recent).fields
        fields = self._mention(first["source"], f"RT @{first['author_name']}: {first['text']}")
        return Told(at_ms, next(self._numbers), fields | {"quoted": first["id"]})

    def _mention(self, source: str | None, text: str) -> dict[str, Any]:
        # squared: a few authors say a lot, most say little
        author = int(self._random.random() ** 2 * self._scenario.authors)
        names = self._scenario.first_names
        name = f"{names[author % len(names)]}{author}"
        source = source or self._sources[author % len(self._sources)]
        native = f"{self._scenario.name}-{next(self._numbers)}"
        return {
            "id": f"{source}:{native}",
            "source": source,
            "text": text,
            "lang": "en",
            "author_id": name,
            "author_name": name,
            "author_followers": author * 7919 % 4999,
            "url": f"https://{source}.example/{name}/{native}",
        }

    def _filled(self, brand: Brand, texts: Sequence[str]) -> str:
        return self._random.choice(texts).format_map(_Slots(brand, self._random, self._scenario.words))

    def _rhythm(self, at_ms: int) -> float:
        rhythm = self._scenario.rhythm
        hour = rhythm.live_weekday * DAY_HOURS + rhythm.live_hour + at_ms / HOUR_MS
        day = 1 + rhythm.swing * math.cos((hour - rhythm.busiest_hour) * math.tau / DAY_HOURS)
        return day * (rhythm.weekend if hour // DAY_HOURS % 7 >= 5 else 1.0)

    def _change_moods(self) -> None:
        rhythm = self._scenario.rhythm
        fresh = rhythm.noise * math.sqrt(1 - rhythm.persistence**2)
        for brand in self._moods:
            self._moods[brand] = rhythm.persistence * self._moods[brand] + self._random.gauss(0.0, fresh)

    def _moments(self, minute_ms: int, rate_per_hour: float) -> Iterator[int]:
        """When, within a minute, something of this rate happens: exponential gaps make it a Poisson process."""
        if rate_per_hour <= 0:
            return
        at_ms = self._random.expovariate(rate_per_hour / HOUR_MS)
        while at_ms < MINUTE_MS:
            yield minute_ms + int(at_ms)
            at_ms += self._random.expovariate(rate_per_hour / HOUR_MS)


def rate_per_hour(surge: Surge, since_min: float) -> float:
    """How often a surge is spoken of, `since_min` minutes after its start."""
    if not 0 <= since_min < surge.ends_min:
        return 0.0
    peak_min = surge.doubling_min * max(0.0, math.log2(surge.peak_per_hour / surge.onset_per_hour))
    if since_min < peak_min:
        return surge.onset_per_hour * math.exp2(since_min / surge.doubling_min)
    return surge.peak_per_hour * math.exp2(-max(0.0, since_min - peak_min - surge.hold_min) / surge.half_life_min)
