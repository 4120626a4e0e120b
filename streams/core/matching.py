"""Matching: which brands and issues a mention is about, and where it says so.

Fast because little is done twice. A text is split at white space; what a chunk can satisfy (its
exact words, wildcards, tags) is remembered, so that a usual word costs one look-up. Every rule
is filed under literals it cannot match without, and only rules so called are evaluated: the cost of
a mention grows with what it says, hardly with how many rules there are.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Literal

from streams.core.evaluation import Heard, Part, compile_node, hits, needed
from streams.core.text import fold, normalise
from streams.core.tracking import BrandMatch, Matched
from streams.core.vocabulary import Vocabulary
from streams.records import Hit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from streams.core.evaluation import Place
    from streams.core.tracking import Brand, Issue
    from streams.records import Mention

_NOTHING = Matched()


class Matcher:
    """Brands and issues, compiled."""

    def __init__(self, brands: Sequence[Brand], issues: Sequence[Issue], fields: Sequence[str]) -> None:
        self._brands, self._issues = brands, issues
        self._fields = tuple(f for f in fields if f != "image_text")
        self._images = "image_text" in fields
        self._memory = Vocabulary()
        trees = [*(brand.match for brand in brands), *(issue.match for issue in issues)]
        self._labels = [*(f"{brand.id}.match" for brand in brands), *(f"issue:{issue.id}" for issue in issues)]
        number = self._memory.number
        self._tests = [compile_node(tree, number) for tree in trees]
        self._excludes = [
            (frozenset(map(number, needed(brand.exclude))), compile_node(brand.exclude, number))
            if brand.exclude
            else None
            for brand in brands
        ]
        self._called: dict[int, tuple[int, ...]] = {}
        for rule, tree in enumerate(trees):
            for atom in map(number, needed(tree)):
                self._called[atom] = (*self._called.get(atom, ()), rule)
        self._own: dict[str, dict[str, list[int]]] = {}
        for owner, brand in enumerate(brands):
            for account in brand.own_accounts:
                self._own.setdefault(account.source, {}).setdefault(account.name, []).append(owner)
        self._names = self._memory.uses("from"), self._memory.uses("handle")

    def match(self, mention: Mention) -> Matched:
        """What the rules say about one mention."""
        heard = self._hear(self._texts(mention))
        self._hear_names(mention, heard)
        own = self._owners(mention) if mention.source in self._own else {}
        if not heard.found and not own:
            return _NOTHING
        tests, first_issue = self._tests, len(self._brands)
        brands: dict[int, list[Hit]] = {}
        issues: dict[int, list[Hit]] = {}
        excluded: dict[int, str] = {}
        called = self._called
        for number in sorted({rule for atom in heard.found for rule in called.get(atom, ())}):
            places = tests[number](heard)
            if places is None:
                continue
            if number >= first_issue:
                issues[number] = hits(heard, places, self._labels[number])
                continue
            if number not in own and self._excluded(number, heard):
                excluded[number] = f"{self._brands[number].id}.exclude"
            else:
                brands[number] = hits(heard, places, self._labels[number])
        if mention.parent_text and issues:
            self._hear_parent(mention.parent_text, issues, brands, excluded)
        for number, hit in own.items():
            brands[number] = [hit, *brands.get(number, ())]
        return Matched(tuple([self._told(n, brands[n], issues, own) for n in sorted(brands)]), tuple(excluded.values()))

    def _excluded(self, brand: int, heard: Heard) -> bool:
        exclude = self._excludes[brand]
        if exclude is None or exclude[0].isdisjoint(heard.found):
            return False
        return exclude[1](heard) is not None

    def _told(self, number: int, found: list[Hit], issues: dict[int, list[Hit]], own: dict[int, Hit]) -> BrandMatch:
        brand = self._brands[number].id
        role: Literal["public", "own"] = "own" if number in own else "public"
        about = [n for n in issues if self._concerns(n, brand)]
        if not about:
            return BrandMatch(brand, role, (), tuple(found))
        told = [*found, *chain.from_iterable(issues[n] for n in about)]
        named = tuple(self._issues[n - len(self._brands)].id for n in about)
        return BrandMatch(brand, role, named, tuple(told))

    def _concerns(self, issue: int, brand: str) -> bool:
        only = self._issues[issue - len(self._brands)].brands
        return only is None or brand in only

    def _hear_parent(
        self, text: str, issues: dict[int, list[Hit]], brands: dict[int, list[Hit]], excluded: dict[int, str]
    ) -> None:
        """Add the brands that only the parent names, where the mention itself has an issue of theirs."""
        heard = self._hear([("parent_text", text)])
        for number in sorted({rule for atom in heard.found for rule in self._called.get(atom, ())}):
            if number >= len(self._brands) or number in brands or number in excluded:
                continue
            brand = self._brands[number].id
            places = self._tests[number](heard)
            if places is None or not any(self._concerns(n, brand) for n in issues):
                continue
            if self._excluded(number, heard):
                excluded[number] = f"{brand}.exclude"
            else:
                brands[number] = hits(heard, places, self._labels[number])

    def _texts(self, mention: Mention) -> list[tuple[str, str]]:
        texts = [(name, value) for name in self._fields if (value := getattr(mention, name))]
        if self._images and mention.image_text:
            texts += [(f"image_text[{n}]", value) for n, value in enumerate(mention.image_text)]
        return texts

    def _hear(self, texts: Iterable[tuple[str, str]]) -> Heard:
        remember = self._memory.__getitem__
        parts: list[Part] = []
        found: dict[int, Place] = {}
        for number, (name, original) in enumerate(texts):
            text = normalise(original)
            chunks = text.split()
            touched = [(at, touches) for at, touches in enumerate(map(remember, chunks)) if touches]
            parts.append(Part(name, original, text, chunks, touched))
            for at, touches in touched:
                for atom, start, end, _, _, _ in touches:
                    if atom not in found:
                        found[atom] = (number, at, start, at, end)
        return Heard(parts, found)

    def _hear_names(self, mention: Mention, heard: Heard) -> None:
        """Add who speaks and whom the source says it speaks to, where a rule asks for it."""
        authors, handles = self._names
        names: list[tuple[str, str, str]] = []
        if authors:
            names += [
                ("from", "author_id", mention.author_id or ""),
                ("from", "author_name", mention.author_name or ""),
            ]
        if handles and mention.mentions:
            names += [("handle", f"mentions[{n}]", name) for n, name in enumerate(mention.mentions)]
        for kind, name, value in names:
            atom = self._memory.known(kind, _name(value))
            if atom is not None and atom not in heard.found:
                heard.found[atom] = (len(heard.parts), 0, 0, 0, len(normalise(value)))
                heard.parts.append(Part(name, value, normalise(value), [normalise(value)], []))

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
