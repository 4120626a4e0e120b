"""A dead source is no quiet brand: which of a brand's sources have fallen silent, and whether that leaves it deaf.

Intake says which sources are silent, from all that they say, whoever it is about (`streams.core.pace`). Here is
what that means for one brand: a finding `source_silent`, and detectors that learn nothing meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from streams.core.detectors.interface import Sign
from streams.core.pace import Pace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

NAME: Final = "source_silent"
VERSION: Final = "1"
MISSED: Final = 3.0
"""Mentions that the brand would have had by now: who is seldom spoken of there misses nothing."""
MOST_SOURCES: Final = 32


class Ears(Struct, array_like=True):
    """One brand's: how often each source speaks of it, and since when those are silent that are, seconds since 1970."""

    paces: dict[str, Pace] = {}
    silent: dict[str, int] = {}

    def hear(self, source: str, at_s: float) -> None:
        """One mention."""
        if source in self.paces:
            self.paces[source].hear(at_s)
        elif len(self.paces) < MOST_SOURCES:
            self.paces[source] = Pace(at_s)

    def listen(self, now_s: float, silent: Collection[str]) -> Iterator[Sign]:
        """At `now_s` these sources are silent, all others speak: tell what has changed for this brand."""
        for source, pace in self.paces.items():
            if source in silent and source not in self.silent and (missed := pace.expected(now_s)) >= MISSED:
                self.silent[source] = int(pace.heard_s)
                yield self._sign(source, 1, now_s, missed)
            elif source in self.silent and source not in silent:
                yield self._sign(source, 2, now_s, 0.0)
                del self.silent[source]

    @property
    def deaf(self) -> bool:
        """Whether most of what is said of the brand usually comes from sources that are silent."""
        if not self.silent:
            return False
        rates = {source: pace.mentions / pace.seconds for source, pace in self.paces.items() if pace.seconds}
        return 2 * sum(rates.get(source, 0.0) for source in self.silent) >= sum(rates.values())

    def _sign(self, source: str, step: int, now_s: float, missed: float) -> Sign:
        since_s = self.silent[source]
        return Sign(
            series=source,
            episode_s=since_s,
            step=step,
            state="open" if step == 1 else "over",
            at_s=now_s,
            observed=0.0,
            expected=missed,
            score=missed,
            window_s=max(int(now_s) - since_s, 1),
            nature="notable",
        )
