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
Parameter = float | int | str

YOUNG_S = 90 * 86_400
"""An account that is not as old was made lately."""


class Voice(Struct, frozen=True):
    """How much of its own a mention has to say; see `streams.core.detectors.independence`.

    `weight` is 1 for an original by somebody who has not just spoken, less for a repost, for a text that
    was seen already, for an author who repeats. `copy` says that its text, or nearly it, was heard before,
    `altered` that it was nearly it: people repost, machines vary a word.
    """

    weight: float = 1.0
    copy: bool = False
    altered: bool = False
    first_seen: bool = True
    """The author was never heard on this brand before."""


class Heard(Struct, frozen=True):
    """What a detector may know of one public mention. `at_s` is observed_at, seconds since 1970 UTC.

    `author` is a keyed 64-bit hash, stable between runs; `author_age_s` is how old the account was.
    """

    at_s: float
    id: str
    label: Literal["negative", "neutral", "positive", "unscored"]
    issues: tuple[str, ...] = ()
    author: int = 0
    text: str = ""
    source: str = ""
    followers: int = 0
    author_age_s: float | None = None
    voice: Voice = Voice()

    @property
    def young(self) -> bool:
        """Whether the account is known to have been made lately."""
        return self.author_age_s is not None and self.author_age_s < YOUNG_S


class Plan(Struct, frozen=True):
    """What a brand's rules ask of detectors.

    `timezone` is an IANA name: days and weeks are its. `hazards` holds, for each hazard issue, how many
    distinct authors within how many seconds suffice.
    """

    timezone: str = "UTC"
    hazards: dict[str, tuple[int, int]] = {}


NO_PLAN = Plan()

Nature = Literal["trouble", "praise", "flood", "notable"]
"""trouble: may page. praise: a storm of applause. flood: few voices, or copies, pretending to be many. notable: worth a look."""


class Rising(Struct, frozen=True):
    """A term behind a sign: `observed` mentions (weighted) hold it, `lift` times its usual share."""

    term: str
    observed: float
    lift: float


class Sign(Struct, frozen=True):
    """One step of one episode in one series.

    `observed` and `expected` are mentions within `window_s` seconds; `score` is about
    -ln(probability). `episode_s` is the start of the episode's first bucket, and with `series` and
    `step` (from 1) identifies the sign. Where the detector knows them: `mentions` are the ids of the
    latest few behind it (at most 12), `authors` how many distinct people, `terms` what they say.
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
    nature: Nature = "trouble"
    mentions: tuple[str, ...] = ()
    authors: int | None = None
    terms: tuple[Rising, ...] = ()


class Detector(Protocol[State]):
    """One way to notice that something is up. See `streams.core.detectors.REGISTRY`."""

    name: str
    version: str
    state_type: type[State]
    watched: Mapping[str, str]
    """The words of a rules file's `detect:` that ask for it, each with the series that it means."""

    def start(self, now_s: float) -> State:
        """A brand first heard of at `now_s`."""

    def heard(self, state: State, mention: Heard, plan: Plan = NO_PLAN) -> Sequence[Sign]:
        """One mention, in log order; it may be up to the allowed lateness behind the latest time."""

    def passed(self, state: State, now_s: float, plan: Plan = NO_PLAN, *, deaf: bool = False) -> Sequence[Sign]:
        """Event time has reached `now_s`. Saying so twice, or in smaller steps, changes nothing.

        `deaf`: the brand's source has fallen silent, so what did not come since the last call teaches nothing.
        """

    def due_s(self, state: State) -> float:
        """Before this time `passed` has nothing to do."""

    def learning_until_s(self, state: State) -> float:
        """Until this time nothing is paged, because the usual is not known yet."""

    def expects(self, state: State, now_s: float) -> Sequence[Expected]:
        """What it takes for usual, a line for each series it knows; nothing while it learns. Changes nothing."""


def parameters_of(one: object) -> dict[str, Parameter]:
    """What it takes to work out again what it says: its attribute `parameters`, where it has one.

    Thresholds and seeds; `baseline_s` is over about how long it learns what is usual.
    """
    return dict(getattr(one, "parameters", {}))
