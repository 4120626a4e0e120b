"""What a mention says, in comparable words: for terms that rise, and for texts that are copied.

A URL, a handle and the mark of a repost say nothing of their own; a hashtag is its word. Scripts
written without spaces give pairs of characters.
"""

# ruff: noqa: SIM905  a list of words is read and changed as running text

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from streams.core.chunks import ChunkMemory

LONGEST_TEXT = 2_000
MOST_WORDS = 120
LONGEST_WORD = 24
LONGEST_OTHER = 12  # not ASCII: up to four bytes each
REMEMBERED = 8  # several readers ask for the words of the same mention, one after the other

_WORD: Final = re.compile(r"(?:https?://|www\.)\S+|(?<!\w)@[\w.\-]+|(\w+(?:['’]\w+)*)")
_REPOST: Final = re.compile(r"\s*rt\s+@\S+\s*:?\s*", re.IGNORECASE)
# Thai to Khmer, kana, Han: runs of these are sentences, not words.
_UNSPACED: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]{2,}")
_EMPTY: Final = frozenset(
    "a about after again all also am an and any are as at back be because been before being but by can could did do "
    "does doing don't down even ever for from get getting go going got had has have having he her here him his how i "
    "i'm i've if in into is isn't it it's its just know like made make many me more most much my new no not now of off "
    "on one only or other our out over own really said same say see she should so some still such than that that's the "
    "their them then there these they they're thing this those through time to too try up us use very want was way we "
    "well were what when where which while who why will with won't would yes yet you you're your".split()
)
"""English words that carry no topic. What a brand's people say all the time is learned, not listed."""


class _Words(ChunkMemory[tuple[str, ...]]):
    """The words of each chunk of a text that is all ASCII, caseless already."""

    def work_out(self, chunk: str) -> tuple[str, ...]:
        return tuple([word[:LONGEST_WORD] for word in _WORD.findall(chunk) if word])


class _OtherWords(ChunkMemory[tuple[str, ...]]):
    """The words of each chunk of any other text."""

    def work_out(self, chunk: str) -> tuple[str, ...]:
        words: list[str] = []
        for word in _WORD.findall(chunk):
            if _UNSPACED.search(word):
                words += (word[at : at + 2] for at in range(len(word) - 1))
            elif word:
                words.append(word.replace("’", "'")[:LONGEST_OTHER])
        return tuple(words)


_words, _other_words = _Words(), _OtherWords()


@lru_cache(REMEMBERED)
def words_of(text: str) -> tuple[str, ...]:
    """The words of a text in their order, caseless; at most MOST_WORDS, each cut to its LONGEST."""
    text = text[:LONGEST_TEXT].casefold()
    if text.startswith("rt"):
        text = _REPOST.sub("", text, count=1)
    words_in = _words if text.isascii() else _other_words
    return tuple([word for chunk in text.split() for word in words_in[chunk]][:MOST_WORDS])


@lru_cache(REMEMBERED)
def terms_in(words: tuple[str, ...]) -> tuple[str, ...]:
    """Each word that may carry a topic, once, in the order of the text."""
    return tuple([word for word in dict.fromkeys(words) if len(word) > 1 and word not in _EMPTY])
