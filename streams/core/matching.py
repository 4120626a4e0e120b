"""Matching: which brands and issues a mention is about, and where it says so.

Fast because little is done twice. A text is split at white space; what a chunk can satisfy (its
exact words, wildcards, tags) is remembered, so that a usual word costs one look-up. Every rule
is filed under literals it cannot match without, and only rules so called are evaluated: the cost of
a mention grows with what it says, hardly with how many rules there are.
"""

from __future__ import annotations

from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from streams.core.candidates import Candidates, calls
from streams.core.evaluation import compile_node
from streams.core.heard import Heard, Part, hits
from streams.core.text import fold, normalise
from streams.core.tracking import BrandMatch, Matched
from streams.core.tree import atoms_of
from streams.core.vocabulary import Touch, Vocabulary
from streams.records import Hit

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from streams.core.heard import Place
    from streams.core.tracking import Brand, Issue
    from streams.core.vocabulary import Touches
    from streams.records import Mention

_NOTHING = Matched()


class Matcher:
    """Brands and issues, compiled."""

    def __init__(self, brands: Sequence[Brand], issues: Sequence[Issue], fields: Sequence[str]) -> None:
        self._brands = brands
        self._fields = tuple(f for f in fields if f != "image_text")
        self._get = attrgetter(*self._fields, "id")
        self._images = "image_text" in fields
        trees = [*(brand.match for brand in brands), *(issue.match for issue in issues)]
        excludes = [brand.exclude for brand in brands if brand.exclude]
        self._labels = [*(f"{brand.id}.match" for brand in brands), *(f"issue:{issue.id}" for issue in issues)]
        self._memory = Vocabulary(chain.from_iterable(map(atoms_of, (*trees, *excludes))))
        self._remember = self._memory.__getitem__
        number = self._memory.number
        self._tests = [compile_node(tree, number) for tree in trees]
        self._excludes = [compile_node(brand.exclude, number) if brand.exclude else None for brand in brands]
        self._names_of = [*(brand.id for brand in brands), *(issue.id for issue in issues)]
        self._only = [*(None for _ in brands), *(issue.brands for issue in issues)]
        self._candidates = Candidates([calls(tree) for tree in trees], number)
        self._own: dict[str, dict[str, list[int]]] = {}
        for owner, brand in enumerate(brands):
            for account in brand.own_accounts:
                self._own.setdefault(account.source, {}).setdefault(account.name, []).append(owner)
        self._authors, self._handles = self._memory.uses("from"), self._memory.uses("handle")

    def match(self, mention: Mention) -> Matched:
        """What the rules say about one mention."""
        heard = self._hear(mention)
        if self._authors or (self._handles and mention.mentions):
            self._hear_names(mention, heard)
        own = self._owners(mention) if mention.source in self._own else {}
        if not heard.found and not own:
            return _NOTHING
        tests, excludes, first_issue = self._tests, self._excludes, len(self._brands)
        brands: dict[int, list[Hit]] = {}
        places: dict[int, list[Place]] = {}
        excluded: dict[int, str] = {}
        for number in self._candidates.called(heard.found):
            found = tests[number](heard)
            if found is None:
                continue
            if number >= first_issue:
                places[number] = found
            elif (exclude := excludes[number]) and number not in own and exclude(heard) is not None:
                excluded[number] = f"{self._brands[number].id}.exclude"
            else:
                brands[number] = hits(heard, found, self._labels[number])
        if places and mention.parent_text:
            self._hear_parent(mention, places, brands, excluded)
        for number, hit in own.items():
            brands[number] = [hit, *brands.get(number, ())]
        if not brands:
            return Matched((), tuple(excluded.values())) if excluded else _NOTHING
        issues = {number: hits(heard, found, self._labels[number]) for number, found in places.items()}
        return Matched(tuple([self._told(n, brands[n], issues, own) for n in sorted(brands)]), tuple(excluded.values()))

    def _told(self, number: int, found: list[Hit], issues: dict[int, list[Hit]], own: dict[int, Hit]) -> BrandMatch:
        brand = self._brands[number].id
        role: Literal["public", "own"] = "own" if number in own else "public"
        about = [n for n in issues if (only := self._only[n]) is None or brand in only] if issues else ()
        if not about:
            return BrandMatch(brand, role, (), tuple(found))
        told = [*found, *chain.from_iterable(issues[n] for n in about)]
        named = tuple([self._names_of[n] for n in about])
        return BrandMatch(brand, role, named, tuple(told))

    def _hear_parent(
        self, mention: Mention, issues: Collection[int], brands: dict[int, list[Hit]], excluded: dict[int, str]
    ) -> None:
        """Add the brands that only the parent names, where the mention itself has an issue of theirs."""
        heard = Heard(mention, [], {})
        self._hear_text(heard, "parent_text", mention.parent_text or "")
        for number in self._candidates.called(heard.found):
            if number >= len(self._brands) or number in brands or number in excluded:
                continue
            brand = self._brands[number].id
            places = self._tests[number](heard)
            if places is None or not any((only := self._only[n]) is None or brand in only for n in issues):
                continue
            if (exclude := self._excludes[number]) and exclude(heard) is not None:
                excluded[number] = f"{brand}.exclude"
            else:
                brands[number] = hits(heard, places, self._labels[number])

    def _hear(self, mention: Mention) -> Heard:
        heard = Heard(mention, [], {})
        for name, value in zip(self._fields, self._get(mention), strict=False):
            if value:
                self._hear_text(heard, name, value)
        if self._images and mention.image_text:
            for number, value in enumerate(mention.image_text):
                self._hear_text(heard, f"image_text[{number}]", value)
        return heard

    def _hear_text(self, heard: Heard, name: str, original: str) -> None:
        text = normalise(original)
        chunks = text.split()
        found: Touches = {}
        for touches in reversed([*filter(None, map(self._remember, chunks))]):
            found.update(touches)  # so that what comes first stays
        if found:
            heard.parts.append(Part(len(heard.parts), name, original, text, chunks, found, self._memory))
            heard.found.update(found)

    def _hear_names(self, mention: Mention, heard: Heard) -> None:
        """Add who speaks and whom the source says it speaks to, where a rule asks for it."""
        names: list[tuple[str, str, str]] = []
        if self._authors:
            names += [
                ("from", "author_id", mention.author_id or ""),
                ("from", "author_name", mention.author_name or ""),
            ]
        if self._handles:
            names += [("handle", f"mentions[{n}]", name) for n, name in enumerate(mention.mentions)]
        for kind, name, value in names:
            atom = self._memory.known(kind, _name(value))
            if atom is not None and atom not in heard.found:
                text = normalise(value)
                found: Touches = {atom: (Touch(text, 0, len(text), 0, 0),)}
                heard.parts.append(Part(len(heard.parts), name, value, text, [text], found, self._memory))
                heard.found.update(found)

    def _owners(self, mention: Mention) -> dict[int, Hit]:
        owners: dict[int, Hit] = {}
        accounts = self._own[mention.source]
        for name, value in (("author_id", mention.author_id), ("author_name", mention.author_name)):
            if value:
                for number in accounts.get(_name(value), ()):
                    rule = f"{self._brands[number].id}.own_accounts"
                    owners.setdefault(number, Hit(rule, 0, len(value), name))
        return owners


def _name(value: str) -> str:
    return (value.lower() if value.isascii() else fold(normalise(value))).removeprefix("@")
