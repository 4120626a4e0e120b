"""What became of one mention, for whoever asks afterwards. It changes nothing.

Intake's memory says where the mention stands in the raw log and whom it was told to. What that record says is
judged again, by the version of the rules that judged it when it came. Whatever was deleted, or may have been, is not shown: the memory of removals
is bounded, and where it no longer reaches back to the mention nobody here can tell.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from streams.core.parse import parse
from streams.core.redeliveries import version_of
from streams.records import Mention, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from streams.core.books import Books
    from streams.core.redeliveries import Redeliveries
    from streams.core.removals import Removals
    from streams.core.rules import BrandMatch, Matched
    from streams.core.versions import Versions
    from streams.records import Hit, Sentiment

    ScoreMany = Callable[[Sequence[str], Sequence[str | None], Iterable[tuple[str, ...] | None]], Sequence[Sentiment]]
    """Texts, their declared languages, and what each calls the brand in question -> a verdict for each."""

Missing = Literal["unknown", "unmatched", "removed", "expired", "unsure"]
"""Why there is nothing to show: never matched or forgotten; an edit took the brands out; deleted; no longer
in the raw log; or it may have been deleted."""

_FIELD: Final = re.compile(r"(\w+)(?:\[(\d+)\])?")


class Retold(NamedTuple):
    """A mention, and how it is judged: its `sentiment` as a whole.

    `sentiments` are towards each of `matched.brands`, in that order.
    `told_to` are the brands that were told when it came.
    """

    mention: Mention
    origin: Origin
    matched: Matched
    sentiment: Sentiment
    sentiments: tuple[Sentiment, ...]
    rules_version: str
    told_to: tuple[str, ...]


class Recall:
    """Asks one raw partition's books, memory and rules."""

    def __init__(
        self,
        partition: int,
        books: Books,
        memory: Redeliveries,
        removed: Removals,
        versions: Versions,
        score_many: ScoreMany,
    ) -> None:
        self._partition, self._books, self._memory, self._removed = partition, books, memory, removed
        self._versions, self._score_many = versions, score_many

    def place_of(self, mention_id: str) -> int | Missing:
        """The offset, in the raw partition, of the newest version of a mention; or why there is none to look at."""
        newest = self._memory.latest(mention_id)
        if newest is None:
            return "unknown"
        if not newest.brands:
            return "unmatched"
        return newest.offset if newest.offset >= 0 else "expired"

    def retell(self, mention_id: str, offset: int, key: bytes | None, value: bytes | None) -> Retold | Missing:
        """Judge anew what stands at the offset that `place_of` gave; or say why it is not shown."""
        newest, mention = self._memory.latest(mention_id), parse(key, value)
        if newest is None or newest.offset != offset or not isinstance(mention, Mention):
            return "expired"
        if mention.id != mention_id or version_of(mention) != newest.version:
            return "expired"  # another log stands there now
        at = (self._books.epoch, offset)
        if self._removed.took(mention, at):
            return "removed"
        # Under another key its author is a stranger to us, whose removal we would not know.
        if not self._removed.reaches(at) or not self._memory.is_author(newest, mention.author_id):
            return "unsure"
        rules = self._versions.of(self._books.version_at(offset))
        [matched] = rules.match_many([mention])
        names = [None, *(names_in(mention, match) for match in matched.brands)]
        texts, langs = [scored_text(mention)] * len(names), [mention.lang] * len(names)
        sentiment, *towards = self._score_many(texts, langs, names)
        origin = Origin(self._books.epoch, self._partition, offset)
        return Retold(mention, origin, matched, sentiment, tuple(towards), rules.version, newest.brands)


def scored_text(mention: Mention) -> str:
    """What of a mention sentiment is heard in."""
    return mention.text or mention.title or ""


def names_in(mention: Mention, match: BrandMatch) -> tuple[str, ...]:
    """What the scored text calls a brand: the words by which its own rule knew it."""
    field, text = ("text", mention.text) if mention.text else ("title", mention.title or "")
    rule = f"{match.brand}.match"
    return tuple({text[hit.start : hit.end]: None for hit in match.hits if hit.rule == rule and hit.field == field})


def words_of(mention: Mention, hit: Hit) -> str:
    """What a rule found: the words themselves, from the field that the hit names."""
    named = _FIELD.fullmatch(hit.field)
    found = getattr(mention, named[1], None) if named else None
    if named and named[2]:
        found = found[int(named[2])] if found and int(named[2]) < len(found) else None
    return found[hit.start : hit.end] if isinstance(found, str) else ""
