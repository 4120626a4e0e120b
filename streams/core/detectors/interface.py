"""What a detector is: a pure state machine over one brand's mentions and time.

A detector never asks the clock and never sees offsets, topics or rows. The same mentions and times
in the same order give the same signs, whatever batches they came in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from streams.records import Expected

State = TypeVar("State", bound=Struct)


class Heard(Struct, frozen=True):
    """What a detector may know of one public mention. `at_s` is observed_at, seconds since 1970 UTC."""

    at_s: float
    id: str
    label: Literal["negative", "neutral", "positive", "unscored"]
    issues: tuple[str, ...] = ()
    author: str = ""
    text: str = ""


class Sign(Struct, frozen=True):
    """One step of one episode in one series.

    `observed` and `expected` are mentions within `window_s` seconds; `score` is about
    -ln(probability). `episode_s` is the start of the episode's first bucket, and with `series` and
    `step` (from 1) identifies the sign.
    """

    series: str
    episode_s: int
    step: int
    state: Literal["open", "over"]
    at_s: float
    observed: float
    expected: float
    score: float
    window_s: int


class Detector(Protocol[State]):
    """One way to notice that something is up. See `streams.core.detectors.REGISTRY`."""

    name: str
    version: str
    state_type: type[State]
    watched: Mapping[str, str]
    """The words of a rules file's `detect:` that ask for it, each with the series that it means."""

    def start(self, now_s: float) -> State:
        """A brand first heard of at `now_s`."""

    def heard(self, state: State, mention: Heard) -> Sequence[Sign]:
        """One mention, in log order; it may be up to the allowed lateness behind the latest time."""

    def passed(self, state: State, now_s: float) -> Sequence[Sign]:
        """Event time has reached `now_s`. Saying so twice, or in smaller steps, changes nothing."""

    def due_s(self, state: State) -> float:
        """Before this time `passed` has nothing to do."""

    def learning_until_s(self, state: State) -> float:
        """Until this time nothing is paged, because the usual is not known yet."""

    def expects(self, state: State, now_s: float) -> Sequence[Expected]:
        """What it takes for usual, a line for each series it knows; nothing while it learns. Changes nothing."""
