"""One made-up brand's life: how much is said about it, by whom, in which words."""

from __future__ import annotations

import heapq
import math
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from msgspec import structs

from agents.simulator.events import DAY_S, HOUR_S, SHORT, SLOT_S, WEEK_S, Event, plot
from agents.simulator.people import People
from agents.simulator.speech import Speech
from agents.simulator.words import THEMES, some_of
from streams.records import Mention

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from random import Random

    from agents.simulator.events import Plot
    from agents.simulator.people import Author
    from streams.records import Label

STEP_S = 300
SWING, WEEKEND = 0.6, 0.75  # of the day around 1; a weekend's volume against a weekday's
NOISE, PERSISTENCE = 0.2, 0.8  # standard deviation of the log of an hour's volume, and its AR(1) coefficient
CASCADE, LONGEST_CASCADE, ANSWERED = 0.01, 20, 0.3
"""Share of ordinary mentions that others take up, by how many at most, and how many of these answer in their own words."""
UNIQUE_IN_FLOOD = 0.6


class Said(NamedTuple):
    """A mention, what its words are meant to say, and which of the brand's `plots` it belongs to."""

    mention: Mention
    felt: Label
    plot: int | None


class Life:
    """One brand from the world's start to its end. It can be told once."""

    def __init__(
        self,
        random: Random,
        name: str,
        per_hour: float,
        vocabulary: Sequence[str],
        *,
        start: datetime,
        quiet_s: float,
        weeks: int,
        hard: bool,
        tag: str,
    ) -> None:
        """`per_hour` is the average of its ordinary mentions; `tag` makes ids differ between worlds."""
        self.name, self.brand, self.per_hour = name, name.lower(), per_hour
        self._random, self._hard = random, hard
        self._start, self._quiet_s, self._end_s = start, quiet_s, quiet_s + weeks * WEEK_S
        self._tag, self._number = tag, 0
        self._people = People(random, f"{self.brand}_", max(300, int(per_hour * 60)), start)
        self._busiest_hour = random.uniform(10, 22)
        negative = random.uniform(0.15, 0.32)
        self._usual = (negative, random.uniform(0.3, 0.5))
        self._mood = 0.0
        self._speech = Speech(random, name, vocabulary, hard=hard)
        self.plots: list[Plot] = [one for week in range(weeks) for one in self._plots_of(week)]
        self._gangs = {n: self._gang(one) for n, one in enumerate(self.plots) if one.kind == "flood"}
        self._ids: list[list[str]] = [[] for _ in self.plots]
        self._recent: list[list[tuple[Mention, Label]]] = [[] for _ in self.plots]
        self._later: list[tuple[float, int, Said]] = []

    # -- what happens ----------------------------------------------------------------------------

    def _plots_of(self, week: int) -> Iterator[Plot]:
        random = self._random
        kinds, themes = random.sample(SHORT, len(SHORT)), random.sample(THEMES, len(THEMES))
        for slot, (kind, theme) in enumerate(zip(kinds, themes, strict=False)):
            words = theme.words if kind == "incident" else self._speech.rare_words(6)
            one = plot(random, kind, theme.name if kind == "incident" else "", words, self.per_hour, hard=self._hard)
            slack_s = SLOT_S - (one.end_s - one.start_s)
            one.start_s = self._quiet_s + week * WEEK_S + slot * SLOT_S + random.uniform(0, slack_s)
            one.words = words if kind != "campaign" else (f"#{self.name}{words[0]}", *words[1:])
            yield one

    def _gang(self, one: Plot) -> list[Author]:
        """The accounts of a flood: most are new, some are bought."""
        at = self._at(one.start_s)
        return [self._people.account(at=at if self._random.random() < 0.7 else None) for _ in range(one.authors)]

    def events(self) -> Iterator[Event]:
        """The truth; the ids are there once all is told."""
        for one, ids in zip(self.plots, self._ids, strict=True):
            yield Event(
                kind=one.kind,
                brand=self.brand,
                theme=one.theme,
                start=self._at(one.start_s),
                end=self._at(one.end_s),
                mentions=tuple(ids),
            )
        for week in range(round((self._end_s - self._quiet_s) / WEEK_S)):
            start_s = self._quiet_s + week * WEEK_S
            yield Event(
                kind="rise", brand=self.brand, theme="", start=self._at(start_s), end=self._at(start_s + WEEK_S)
            )

    # -- how much is said ------------------------------------------------------------------------

    def tell(self) -> Iterator[Said]:
        """Everything that is said, in order of time."""
        for step in range(int(self._end_s // STEP_S)):
            from_s = step * STEP_S
            if from_s % HOUR_S == 0:
                self._change_mood()
            said = [self._ordinary(at_s) for at_s in self._moments(from_s, self.usual_rate(from_s))]
            for number, one in enumerate(self.plots):
                if one.start_s < from_s + STEP_S and from_s < one.end_s:
                    rate = self.per_hour * one.rate(max(from_s, one.start_s))
                    moments = [at_s for at_s in self._moments(from_s, rate) if one.start_s <= at_s < one.end_s]
                    said += [self._of_plot(at_s, number, one) for at_s in moments]
            while self._later and self._later[0][0] < from_s + STEP_S:
                said.append(heapq.heappop(self._later)[-1])
            said.sort(key=lambda each: each.mention.observed_at)
            for each in said:
                if each.plot is not None:
                    self._ids[each.plot].append(each.mention.id)
            yield from said

    def usual_rate(self, at_s: float) -> float:
        """Ordinary mentions an hour: the day, the weekend, the rise of the week, and noise."""
        return self.per_hour * self._rhythm(at_s) * self._risen(at_s) * math.exp(self._mood)

    def _rhythm(self, at_s: float) -> float:
        at = self._at(at_s)
        swing = 1 + SWING * math.cos((at_s / HOUR_S - self._busiest_hour) * math.tau / 24)
        return swing * (WEEKEND if at.weekday() >= 5 else 1.0)

    def _risen(self, at_s: float) -> float:
        """1 in the quiet time; then twice as much by the end of each week, and back within half a day."""
        since_s = at_s - self._quiet_s
        if since_s < 0:
            return 1.0
        week, within_s = divmod(since_s, WEEK_S)
        if week and within_s < DAY_S / 2:
            return 2.0 ** (1 - within_s / (DAY_S / 2))
        return 2.0 ** (within_s / WEEK_S)

    def _change_mood(self) -> None:
        random = self._random
        self._mood = PERSISTENCE * self._mood + random.gauss(0.0, NOISE * math.sqrt(1 - PERSISTENCE**2))
        self._speech.drift()

    def _moments(self, from_s: float, per_hour: float) -> Iterator[float]:
        """When, within a step, something of this rate happens: exponential gaps make it a Poisson process."""
        if per_hour <= 0:
            return
        gap = self._random.expovariate
        per_s = per_hour / HOUR_S
        at_s = gap(per_s)
        while at_s < STEP_S:
            yield from_s + at_s
            at_s += gap(per_s)

    # -- what is said ----------------------------------------------------------------------------

    def _ordinary(self, at_s: float) -> Said:
        random = self._random
        felt = self._speech.feeling(self._usual)
        words = self._speech.subject()
        mention = self._mention(at_s, self._people.anyone(), self._speech.text(words, felt))
        if random.random() < CASCADE:
            self._cascade(at_s, mention, felt)
        return Said(mention, felt, None)

    def _cascade(self, at_s: float, first: Mention, felt: Label) -> None:
        """Others take it up within the next hour or so: mostly one or two, rarely many."""
        random = self._random
        for _ in range(min(LONGEST_CASCADE, int(random.paretovariate(1.3)))):
            again_s, author = at_s + random.expovariate(1 / 1500), self._people.anyone()
            if again_s >= self._end_s:
                continue
            if random.random() < ANSWERED:
                own = self._speech.feeling(self._usual)
                about = random.choice((first.text or "").split())
                answer = self._mention(again_s, author, self._speech.text([about], own))
                self._say_later(again_s, structs.replace(answer, in_reply_to=first.id, root=first.id), own)
            else:
                self._say_later(again_s, self._repost(again_s, first, author), felt)

    def _say_later(self, at_s: float, mention: Mention, felt: Label) -> None:
        heapq.heappush(self._later, (at_s, self._number, Said(mention, felt, None)))

    def _of_plot(self, at_s: float, number: int, one: Plot) -> Said:
        random, recent = self._random, self._recent[number]
        if one.kind == "flood":
            return self._of_flood(at_s, number, one)
        author = self._people.anyone(strangers=0.45)
        if recent and random.random() < one.reposts:
            first, felt = random.choice(recent[-40:])
            return Said(self._repost(at_s, first, author), felt, number)
        felt = self._speech.feeling(one.feelings)
        few = random.randint(1, 2) if self._hard else random.randint(2, 4)
        mention = self._mention(at_s, author, self._speech.text(some_of(random, one.words, few), felt))
        recent.append((mention, felt))
        return Said(mention, felt, number)

    def _of_flood(self, at_s: float, number: int, one: Plot) -> Said:
        """Few accounts, and mostly the same text with a word changed; in a hard world, mostly texts of their own."""
        random, recent = self._random, self._recent[number]
        felt = self._speech.feeling(one.feelings)
        if not recent or (self._hard and random.random() < UNIQUE_IN_FLOOD):
            text = self._speech.text(some_of(random, one.words, random.randint(2, 3)), felt)
        else:
            first, felt = recent[0]
            text = self._speech.near_copy(first.text or "")
        mention = self._mention(at_s, random.choice(self._gangs[number]), text)
        if not recent:
            recent.append((mention, felt))
        return Said(mention, felt, number)

    def _mention(self, at_s: float, author: Author, text: str, quoted: str | None = None) -> Mention:
        self._number += 1
        native = f"{self._tag}-{self.brand}-{self._number}"
        observed_at = self._at(at_s)
        return Mention(
            id=f"{author.source}:{native}",
            source=author.source,
            observed_at=observed_at,
            text=text,
            lang="en",
            author_id=author.id,
            author_name=author.name,
            author_followers=author.followers,
            author_created_at=author.created_at,
            posted_at=observed_at,
            url=f"https://{author.source}.example/{author.name}/{native}",
            quoted=quoted,
        )

    def _repost(self, at_s: float, first: Mention, author: Author) -> Mention:
        """Where X would, it says whom it repeats; elsewhere a repost is the same text."""
        text = f"RT @{first.author_name}: {first.text}" if author.source == "x" else first.text or ""
        return self._mention(at_s, author, text, first.id)

    def _at(self, at_s: float) -> datetime:
        return self._start + timedelta(milliseconds=int(at_s * 1000))
