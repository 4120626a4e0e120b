"""What was asked for, and how much of it is given at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, NamedTuple, Self, TypeVar

from agents.http.problems import bad_request

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aiohttp import web

USUAL, MOST = 100, 500
"""Items of a page, unless another limit is asked for; and at most."""

Item = TypeVar("Item")


def asked(request: web.Request, *allowed: str) -> Mapping[str, str]:
    """Return the query's parameters.

    Raises:
        Refused: one is given twice, or unknown: a filter that is silently not applied would tell too much.
    """
    query = request.query
    if len(query) != len(set(query)) or not set(query) <= set(allowed):
        raise bad_request(f"it takes {', '.join(allowed)}, each once" if allowed else "it takes no parameters")
    return query


class Page(NamedTuple, Generic[Item]):
    """Some items; `next` says where the rest begins, None: there is no more."""

    items: Sequence[Item]
    next: str | None

    @classmethod
    def of(cls, items: Sequence[Item], given: Mapping[str, str], key: Callable[[Item], str]) -> Self:
        """Cut a page out of items that are sorted by `key`; whatever comes or goes meanwhile, none of the others is missed.

        Raises:
            Refused: the limit is none.
        """
        limit = given.get("limit", str(USUAL))
        if not (limit.isascii() and limit.isdecimal() and len(limit) <= 4 and 1 <= int(limit) <= MOST):
            raise bad_request(f"limit is a number from 1 to {MOST}")
        left = [item for item in items if key(item) > given.get("after", "")]
        shown = left[: int(limit)]
        return cls(shown, key(shown[-1]) if len(left) > len(shown) else None)
