"""What a rule file says, and what it says about one mention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from datetime import timedelta
    from zoneinfo import ZoneInfo

    from streams.core.tree import Node
    from streams.records import Hit


@dataclass(frozen=True, slots=True)
class CustomerValue:
    """What a turned ranter is worth: `save` in `currency` (ISO 4217)."""

    currency: str
    save: float


@dataclass(frozen=True, slots=True)
class Account:
    """One of a brand's own accounts: a source, and an author id or name there, folded and without @."""

    source: str
    name: str


@dataclass(frozen=True, slots=True)
class Brand:
    """What is tracked."""

    id: str
    role: Literal["own", "competitor"]
    match: Node
    exclude: Node | None = None
    own_accounts: tuple[Account, ...] = ()
    timezone: ZoneInfo | None = None
    customer_value: CustomerValue | None = None


@dataclass(frozen=True, slots=True)
class Issue:
    """A named kind of problem. `brands` None: with any brand. `hazard`: a few distinct authors suffice."""

    id: str
    match: Node
    brands: frozenset[str] | None = None
    hazard: bool = False


@dataclass(frozen=True, slots=True)
class Watch:
    """What somebody wants to be told. None: the detector's own default."""

    kind: Literal["brand", "issue"]
    id: str
    detect: Literal["volume", "negativity", "emerging_terms", "hazard"]
    severity: Literal["info", "warning", "critical"]
    cooldown: timedelta | None = None
    at_least: int | None = None
    within: timedelta | None = None


class BrandMatch(Struct, frozen=True, gc=False):
    """A brand found in a mention, and why. `role` is `own` where the brand itself is speaking.

    A hit's rule is `<brand>.match`, `<brand>.own_accounts` or `issue:<issue>`; its field may be one
    of several (`image_text[0]`, `mentions[2]`). Each literal is told once: where it comes first, or of NEAR and
    SENT where both sides first meet.
    """

    brand: str
    role: Literal["public", "own"]
    issues: tuple[str, ...]
    hits: tuple[Hit, ...]


class Matched(Struct, frozen=True, gc=False):
    """What the rules say about one mention. `excluded_by` names the rules that took a brand out: `dell.exclude`."""

    brands: tuple[BrandMatch, ...] = ()
    excluded_by: tuple[str, ...] = ()
