"""A story that raises alerts: days of event time told in seconds, and brands that catch fire one after the other.

    story = Unrest(seed=7, begins=days_ago(6))
    Flow(kafka, prefix, tmp_path, rules=story.rules, **receiver.settings)
    await flow.publish(story.past())           # the detector has learned what is usual
    await flow.publish(story.burst("acme"))    # an alert fires, and gets worse
    await flow.publish(story.calm())           # it is resolved

Or without end, `story.go_on(count)`: the past (unless it was told already), then a burst and the calm after it,
brand after brand.
`story.bursts` are the brands that have burst so far; each burst that was told to its end raises exactly one
incident (fired, updated, and resolved by the end of the `calm()` after it). For a soak of half an hour at 1,000 mentions/s:

    story = Unrest(seed=7, begins=days_ago(22), usual_s=1.0)    # 292,000 mentions of past, then
    flow.publish(story.go_on(1_800_000), per_second=1000)       # an incident each 21,000 mentions: 72 of them

A brand does not page again within twelve hours: with less than four brands some bursts of `go_on` raise nothing.

Every record is a `Said`: the oracle's `judge` knows what must become of it. Nothing is kept of a record once it
is told, but for the latest few hundred, some of which are told again (`duplicate`).
"""

from __future__ import annotations

import random
from collections import deque
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from streams.records import Mention, encode
from tests.faults.oracle import BRANDS, Said

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LEARNING = timedelta(days=3, hours=9)
"""What the detector needs, and more: a brand's first mention is the first that is read, and raw partitions are read apart."""
BURST = timedelta(minutes=30)
CALM = timedelta(hours=4)
"""Until the storm has ebbed away, an hour has been quiet, and the incident's own quarter of an hour has passed."""
LOUDNESS = 15
"""Times a brand's usual volume, all of it angry: plain even to a worker that still lacks half of it."""
USUAL = ("I love my {} phone", "Bought a {} phone", "{} again", "My {} phone is terrible", "{} phones everywhere")
ANGRY = ("My {} phone caught fire, terrible, I hate it", "{} burned my hand, awful, so angry")
CROWD = 5_000
"""Different authors."""


def days_ago(days: float) -> datetime:
    """When a story begins that plays for so long at most."""
    return datetime.now(UTC) - timedelta(days=days)


class Unrest:
    """A seeded crowd. `usual_s`: event seconds from one mention of any brand to the next, while all is quiet.

    `gossip`: once the past is told, so many records are about no brand for each usual one that is. It makes an
    incident last longer (in records) without a longer past. A story must not last till now: AssertionError.
    """

    def __init__(
        self, seed: int, *, begins: datetime, brands: Sequence[str] = BRANDS, usual_s: float = 30.0, gossip: int = 0
    ) -> None:
        self._rng = random.Random(seed)
        self.now = begins
        self._brands, self._usual_s, self._gossips = tuple(brands), usual_s, gossip
        self._said = 0
        self._recent: deque[Said] = deque(maxlen=500)
        self._endless = self._without_end()
        self.bursts: list[str] = []

    @property
    def rules(self) -> str:
        """The rules file that watches every brand: an incident fires for its anger, and is critical for its volume."""
        return (
            "ruleset: unrest\nbrands:\n"
            + "".join(f"  - {{id: {brand}, role: own, match: {brand}}}\n" for brand in self._brands)
            + "watch:\n"
            + "".join(
                f"  - {{when: brand:{brand}, detect: negativity, severity: warning}}\n"
                f"  - {{when: brand:{brand}, detect: volume, severity: critical}}\n"
                for brand in self._brands
            )
        )

    def go_on(self, count: int) -> Iterator[Said]:
        """The next `count` records of the endless story; call it again to hear more."""
        return islice(self._endless, count)

    def past(self, lasts: timedelta = LEARNING) -> Iterator[Said]:
        """What is usual, for long enough to be known."""
        return self._tell(lasts, gossip=0)

    def calm(self, lasts: timedelta = CALM) -> Iterator[Said]:
        """What is usual, for long enough that whatever burst is over."""
        return self._tell(lasts, gossip=self._gossips)

    def burst(self, *brands: str, lasts: timedelta = BURST) -> Iterator[Said]:
        """These brands make many people angry, at the same time, while all else goes on as usual."""
        self.bursts += brands
        return self._tell(lasts, gossip=self._gossips, angry_at=brands)

    def _without_end(self) -> Iterator[Said]:
        if not self._said:
            yield from self.past()
        while True:
            for brand in self._brands:
                yield from self.burst(brand)
                yield from self.calm()

    def _tell(self, lasts: timedelta, *, gossip: int, angry_at: Sequence[str] = ()) -> Iterator[Said]:
        until = self.now + lasts
        assert until < datetime.now(UTC), "the story has caught up with the present: let it begin earlier"
        angry = LOUDNESS * len(angry_at) / len(self._brands)  # for each usual one
        step = timedelta(seconds=self._usual_s / (1 + gossip + angry))
        kinds, weights = (self._usual, self._gossip, self._outcry), (1, gossip, angry)
        while self.now < until:
            self.now += step
            (kind,) = self._rng.choices(kinds, weights)
            yield kind(angry_at)

    def _usual(self, _: Sequence[str]) -> Said:
        if self._recent and self._rng.random() < 0.03:
            return self._rng.choice(self._recent)._replace(what="duplicate", brands=(), tells=())
        said = self._mention(self._rng.choice(self._brands), USUAL)
        self._recent.append(said)
        return said

    def _outcry(self, angry_at: Sequence[str]) -> Said:
        return self._mention(self._rng.choice(angry_at), ANGRY)

    def _gossip(self, _: Sequence[str]) -> Said:
        mention = self._new("nothing new")
        return Said(mention.id.encode(), encode(mention), "unmatched")

    def _mention(self, brand: str, moods: Sequence[str]) -> Said:
        mention = self._new(self._rng.choice(moods).format(brand))
        return Said(mention.id.encode(), encode(mention), "matched", (brand,), ((mention.id, brand, ""),))

    def _new(self, text: str) -> Mention:
        self._said += 1
        author = f"a{self._rng.randrange(CROWD)}"
        return Mention(id=f"unrest:{self._said}", source="unrest", observed_at=self.now, text=text, author_id=author)
