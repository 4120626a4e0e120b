"""A made-up world for measuring detection: brands, what is said about them, and the truth about what happened.

    world = World(seed=7, brands=10, weeks=4, hard=True)
    for mention in world.tell(): ...    # in order of time
    world.truth()                       # once all is told
    world.rules()                       # a rules file for its brands

Each brand's life is drawn from a seed of its own, so a brand may be told alone (`lives`), as fast as that:
the same seed gives the same bytes however they are told. A quiet week comes first, so that what is
usual can be learned; after it, in each of `weeks`, each brand has two incidents, a campaign, a viral joke, a
flood of bots, and a steady rise to twice its volume.
"""

from __future__ import annotations

import heapq
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

from agents.simulator.events import WEEK_S, Truth
from agents.simulator.life import Life, Said
from agents.simulator.words import HAZARDS, make_names, make_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Life", "Said", "Truth", "World"]

START = datetime(2026, 1, 5, tzinfo=UTC)
"""A Monday."""
QUIET_S = WEEK_S
LEAST_PER_HOUR, MOST_PER_HOUR = 15.0, 600.0


class World:
    """Some brands for some weeks. Nothing is drawn until it is told; each brand is told once."""

    def __init__(self, *, seed: int, brands: int = 10, weeks: int = 1, hard: bool = False) -> None:
        """`weeks` are those in which something happens, after a quiet one."""
        self.seed, self.weeks, self.hard = seed, weeks, hard
        self.start, self.quiet_until = START, START + timedelta(seconds=QUIET_S)
        self.end = self.quiet_until + timedelta(weeks=weeks)
        random = Random(f"{seed}")
        names, vocabulary = make_names(random, brands), make_vocabulary(random)
        places = random.sample(range(brands), brands)
        span = MOST_PER_HOUR / LEAST_PER_HOUR
        self.lives = [
            Life(
                Random(f"{seed}/{hard}/{name}"),
                name,
                LEAST_PER_HOUR * span ** ((place + random.random()) / brands),
                vocabulary,
                start=START,
                quiet_s=QUIET_S,
                weeks=weeks,
                hard=hard,
                tag=f"{seed}{'h' if hard else 'e'}",
            )
            for name, place in zip(names, places, strict=True)
        ]
        self._told = 0

    def tell(self) -> Iterator[Said]:
        """Everything that is said about any brand, in order of time."""
        for said in heapq.merge(*(life.tell() for life in self.lives), key=lambda one: one.mention.observed_at):
            self._told += 1
            yield said

    def truth(self) -> Truth:
        """What happened; complete once all is told."""
        events = sorted((event for life in self.lives for event in life.events()), key=lambda event: event.start)
        return Truth(
            seed=self.seed,
            hard=self.hard,
            start=self.start,
            quiet_until=self.quiet_until,
            end=self.end,
            mentions=self._told,
            events=tuple(events),
        )

    def rules(self) -> str:
        """A rules file: every brand watched by every detector, and hazards that a careful team thinks of beforehand."""
        lines = [f"ruleset: simulated-{self.seed}", "brands:"]
        lines += [f"  - {{id: {life.brand}, match: '{life.name} OR @{life.name}'}}" for life in self.lives]
        lines += ["issues:"]
        lines += [f"  - {{id: {name}, match: '{match}', hazard: true}}" for name, match in HAZARDS.items()]
        lines += ["watch:"]
        for life in self.lives:
            for detect, severity in (("volume", "warning"), ("negativity", "critical"), ("emerging_terms", "warning")):
                lines += [f"  - {{when: brand:{life.brand}, detect: {detect}, severity: {severity}}}"]
        for name in HAZARDS:
            lines += [f"  - {{when: issue:{name}, detect: hazard, at_least: 3, within: 24h, severity: critical}}"]
        return "\n".join(lines) + "\n"
