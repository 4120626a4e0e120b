"""What a scenario file may say: brands and how people usually talk about them, incidents, campaigns."""

from __future__ import annotations

from pathlib import Path
from string import Formatter
from typing import TYPE_CHECKING, Annotated, Self

import msgspec
import yaml
from msgspec import Meta, Struct

from agents.sources.interface import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator

BUNDLED = Path(__file__).parent / "scenarios"
RULES_SUFFIX = ".rules.yaml"

Share = Annotated[float, Meta(ge=0, le=1)]
Positive = Annotated[float, Meta(gt=0)]
NotNegative = Annotated[float, Meta(ge=0)]
Texts = Annotated[tuple[str, ...], Meta(min_length=1)]


class Brand(Struct, frozen=True, forbid_unknown_fields=True):
    """A brand and its ordinary chatter: `per_hour` mentions, of which shares are positive and negative."""

    id: str
    name: str
    handle: str
    own_account: str
    per_hour: Positive
    positive: Share
    negative: Share
    products: Texts


class Rhythm(Struct, frozen=True, forbid_unknown_fields=True):
    """How volume breathes: a day's swing around 1, weekends, and hourly AR(1) noise (standard deviation of its log).

    `live_hour` (0-24) and `live_weekday` (0 = Monday) are the scenario's own clock when the live part starts.
    """

    swing: Share
    busiest_hour: NotNegative
    weekend: Positive
    noise: Share
    persistence: Share
    live_hour: NotNegative
    live_weekday: Annotated[int, Meta(ge=0, le=6)]


class Habits(Struct, frozen=True, forbid_unknown_fields=True):
    """Shares of ordinary mentions that are followed, or replaced, by something else."""

    repost: Share
    own_reply: Share
    duplicate: Share
    edit: Share
    delete: Share
    unmatched: Share
    excluded: Share


class Chatter(Struct, frozen=True, forbid_unknown_fields=True):
    """Texts with {slots}: name, handle, product of the brand, or any list in the scenario's `words`."""

    positive: Texts
    neutral: Texts
    negative: Texts
    own_reply: Texts
    unmatched: Texts
    excluded: Texts


class Surge(Struct, frozen=True, forbid_unknown_fields=True):
    """An incident or a campaign of one brand.

    It starts `starts_min` into the live part (negative: in the history) at `onset_per_hour`, doubles every
    `doubling_min` up to `peak_per_hour`, stays there for `hold_min`, halves every `half_life_min` and is
    over `ends_min` after its start.
    """

    id: str
    brand: str
    starts_min: float
    onset_per_hour: Positive
    doubling_min: Positive
    peak_per_hour: Positive
    hold_min: NotNegative
    half_life_min: Positive
    ends_min: Positive
    posts: Texts
    replies: tuple[str, ...] = ()
    reply: Share = 0.0
    repost: Share = 0.0


class Scenario(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A story with a fixed seed. `rules` is the file of tracking rules that it was written for.

    Alerts of the live part are hours old while it is played, so the notifier needs `notify_max_age_s`.
    """

    name: str
    about: str
    seed: int
    rules: str
    notify_max_age_s: Annotated[int, Meta(ge=1)]
    history_days: NotNegative
    live_min: Positive
    speed: Annotated[float, Meta(ge=1)]
    sources: dict[str, Annotated[int, Meta(ge=1)]]
    authors: Annotated[int, Meta(ge=1)]
    first_names: Texts
    rhythm: Rhythm
    brands: Annotated[tuple[Brand, ...], Meta(min_length=1)]
    words: dict[str, Texts]
    chatter: Chatter
    habits: Habits
    incidents: tuple[Surge, ...] = ()
    campaigns: tuple[Surge, ...] = ()

    @classmethod
    def load(cls, name_or_path: str | Path) -> Self:
        """Read a bundled scenario by its name, or a file by its path; afterwards `rules` is an absolute path.

        Raises:
            SourceError: there is none, or it is wrong; the message names the file, the place and what was expected.
        """
        path = Path(name_or_path)
        if path.suffix != ".yaml":
            path = BUNDLED / f"{name_or_path}.yaml"
        try:
            scenario = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), cls)
        except FileNotFoundError:
            raise SourceError(
                f"scenario {name_or_path}: not found; bundled: {', '.join(bundled())}; or give a .yaml file"
            ) from None
        except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError) as wrong:
            raise SourceError(f"scenario {path}: {wrong}") from None
        if problem := next(scenario._problems(path), None):  # noqa: SLF001  its own
            raise SourceError(f"scenario {path}: {problem}")
        return msgspec.structs.replace(scenario, rules=str(path.parent / scenario.rules))

    @property
    def surges(self) -> tuple[Surge, ...]:
        """Incidents and campaigns."""
        return self.incidents + self.campaigns

    @property
    def play_s(self) -> float:
        """How long the live part takes, in seconds of the clock on the wall."""
        return self.live_min * 60 / self.speed

    def _problems(self, path: Path) -> Iterator[str]:
        if not (path.parent / self.rules).is_file():
            yield f"rules: {path.parent / self.rules} does not exist"
        if not self.sources:
            yield "sources: at least one is needed"
        lag_s = self.live_min * 60 - self.play_s
        if self.notify_max_age_s < lag_s:
            yield f"notify_max_age_s: the live part starts {lag_s:.0f} s behind the clock; its alerts would not be sent"
        brands = {brand.id for brand in self.brands}
        for brand in self.brands:
            if brand.positive + brand.negative > 1:
                yield f"brands: {brand.id}: positive and negative make more than 1"
        for surge in self.surges:
            if surge.brand not in brands:
                yield f"{surge.id}: no brand {surge.brand!r}; brands: {', '.join(sorted(brands))}"
            if surge.reply and not surge.replies:
                yield f"{surge.id}: reply is {surge.reply}, but there are no replies"
        slots = {"name", "handle", "product", *self.words}
        for text in self._texts():
            if unknown := {slot for _, slot, _, _ in Formatter().parse(text) if slot is not None} - slots:
                yield f"{text!r}: no list of words for {{{', '.join(sorted(unknown))}}}"

    def _texts(self) -> Iterator[str]:
        for texts in msgspec.structs.astuple(self.chatter):
            yield from texts
        for surge in self.surges:
            yield from surge.posts + surge.replies


def bundled() -> list[str]:
    """The names of the scenarios that come with Groundswell."""
    return sorted(path.stem for path in BUNDLED.glob("*.yaml") if not path.name.endswith(RULES_SUFFIX))
