"""The conditions of the rule language: what a mention says of itself.

What its source does not say is not so: a mention of no declared language is in none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.core.text import fold, normalise

if TYPE_CHECKING:
    from streams.records import Mention


def holds(name: str, value: str | int, mention: Mention) -> bool:
    """Whether a condition is true of a mention. `value` is folded."""
    match name:
        case "followers":
            return mention.author_followers is not None and mention.author_followers >= int(value)
        case "lang":
            said = _folded(mention.lang).replace("_", "-")
            return said == value or said.startswith(f"{value}-")
        case "place":
            place = mention.place
            return place is not None and value in {_folded(place.country), _folded(place.region), _folded(place.city)}
    return _folded(mention.source if name == "source" else mention.channel) == value


def _folded(said: str | None) -> str:
    return fold(normalise(said or "")).strip()
