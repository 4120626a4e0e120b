"""The words of a text as the service lexicon sees them: cut once, remembered, and known by their keys."""

# ruff: noqa: SIM905  lists of words are read and changed as running text

from __future__ import annotations

import re
import string
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from streams.core.chunks import LONGEST_REMEMBERED, ChunkMemory
from streams.core.text import pieces
from streams.core.vader import PLAIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from streams.core.servicelexicon import Node
    from streams.core.vader import Fact

TIME, NUMBER = "<time>", "<n>"
_UNITS: Final = frozenset(
    "h hr hrs hour hours min mins minute minutes day days week weeks wk wks month months mth mths year years yr yrs".split()
)
_TIME: Final = re.compile(rf"(?:\d[\d.,:/+-]*)?(?:{'|'.join(sorted(_UNITS))})")
_NUMBER: Final = re.compile(r"[\d.,:/+x~$£€%-]*\d[\d.,:/+x~$£€%-]*(?:st|nd|rd|th|k)?")
_ENDS: Final = re.compile(r"[.!?…][\"')\]”’]*$")
_APART: Final = re.compile(r"(?<=\w)(?:[,;:/…]|\.{2,}|[!?]+|--+|—|–|&)(?=[^\W\d])|(?<=[^\W\d]{2})\.(?=[^\W\d]{3,})")
_STRAIGHT: Final = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "“": '"', "”": '"'})


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """One word: as written, the key by which the lexicon and names know it, and VADER's facts about it.

    `node` is where phrases of several words that begin with it go on, if there are any; `hint` is what it says
    beside boosting or negating others; `speaks` if there is either. `kind` is "word", "tag" (a part of one), "emoji" or "handle"; `ends` is the mark that ends a sentence with it: one of ".", "!" and "?", or "".
    """

    text: str
    key: str
    fact: Fact
    node: Node | None = None
    hint: float = 0.0
    speaks: bool = False
    kind: str = "word"
    ends: str = ""
    marks: bool = field(init=False)
    """It is a handle or ends a sentence."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "marks", bool(self.ends) or self.kind == "handle")


def key_of(word: str) -> str:
    """The form under which words are the same: no case, no apostrophes, a time or a number only as such."""
    if word.isascii() and word.isalpha():
        key = word.lower()
        return TIME if key in _UNITS else key
    key = word.lower().translate(_STRAIGHT).strip(string.punctuation + "…").removesuffix("'s").replace("'", "")
    if _TIME.fullmatch(key):
        return TIME
    return NUMBER if _NUMBER.fullmatch(key) else key


class Words(ChunkMemory[tuple[Word, ...]]):
    """The words of each chunk."""

    def __init__(
        self,
        fact_of: Callable[[str, str], Fact],
        trie: Node,
        emojis: Iterable[str],
        known: frozenset[str],
        strong: frozenset[str],
    ) -> None:
        super().__init__()
        self._fact_of, self._trie, self._known, self._strong = fact_of, trie, known, strong
        self._emoji = re.compile("|".join(map(re.escape, sorted(emojis, key=len, reverse=True))))

    def work_out(self, chunk: str) -> tuple[Word, ...]:
        """Cut a chunk into words, each with its facts."""
        return tuple(self._cut(chunk))

    def _cut(self, chunk: str) -> Iterable[Word]:
        if chunk.isascii():  # most new chunks are plain words, handles and links
            if chunk.isalpha():
                return (self._known_as(chunk, key_of(chunk)),)
            if chunk[0] == "@" and chunk[1:].isalnum():
                return (Word(chunk, chunk.lower(), PLAIN, kind="handle"),)
            if chunk.startswith(("http://", "https://")):
                return ()
        words = list(self._whole(chunk))
        if _ENDS.search(chunk):
            words = words or [Word(chunk, chunk[-1], PLAIN)]
            words[-1] = replace(words[-1], ends="?" if "?" in chunk else "!" if "!" in chunk else ".")
        return words

    def _whole(self, chunk: str) -> Iterable[Word]:
        if "://" in chunk or chunk.startswith("www."):
            return
        at = 0
        for emoji in self._emoji.finditer(chunk) if not chunk.isascii() else ():
            yield from self._apart(chunk[at : emoji.start()])
            yield self._known_as(emoji.group(), emoji.group(), "emoji")
            at = emoji.end()
        yield from self._apart(chunk[at:])

    def _apart(self, chunk: str) -> Iterable[Word]:
        if (
            "#" not in chunk and "@" not in chunk and self._fact_of(chunk, "").valence is not None
        ):  # an emoticon, or a word with nothing but punctuation around it
            yield self._known_as(chunk, key_of(chunk) or chunk)
            return
        for part in _APART.split(chunk):
            yield from self._word(part)

    def _word(self, part: str) -> Iterable[Word]:
        bare = part.translate(_STRAIGHT).lstrip("\"'(*[.-_").rstrip(string.punctuation)
        if bare.startswith("@") and len(bare) > 1:
            yield Word(bare, bare.lower(), PLAIN, kind="handle")
        elif bare.startswith("#") and len(bare) > 1:
            for text in self._tag(bare):
                yield self._known_as(text, key_of(text), "tag")
        elif bare:
            yield self._known_as(bare, key_of(bare))

    def _known_as(self, text: str, key: str, kind: str = "word") -> Word:
        fact, node = self._fact_of(text, key), self._trie.get(key)
        entry = node.entry if node is not None else None
        hint = entry.valence if entry and fact.valence is None else 0.0
        return Word(text, key, fact, node or None, hint, bool(node or hint), kind)

    def _tag(self, tag: str) -> list[str]:
        """The words of a tag: cut at case and digits, else where words that are known meet."""
        words = [p.text for p in pieces(tag) if p.kind == "word"]
        words = words[1:] if len(words) > 1 else words
        return [part for word in words for part in ([word] if word.lower() in self._known else self._split(word))]

    def _split(self, word: str) -> list[str]:
        lower = word.lower()
        if len(lower) > LONGEST_REMEMBERED:
            return [word]
        best: list[list[str] | None] = [[]] + [None] * len(lower)
        for end in range(1, len(lower) + 1):
            for start in range(max(0, end - 16), end):
                before = best[start]
                if before is not None and lower[start:end] in self._known:
                    found, held = [*before, word[start:end]], best[end]
                    if held is None or len(found) < len(held):
                        best[end] = found
        if whole := best[len(lower)]:
            return whole
        for length in range(len(lower) - 2, 3, -1):
            # A name nobody told us, with a word that tells: dellfail, nowfail
            if lower[-length:] in self._strong:
                return [word[:-length], word[-length:]]
        return [word]
