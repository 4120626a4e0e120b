"""Text as the tracking rules see it: normalised, cut into tokens, and traced back to what was written.

A text is normalised whole, split at white space into chunks, and each chunk is cut into pieces. No
token spans white space, so a chunk's pieces depend on the chunk alone: a matcher may remember them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

LONGEST = 10_000
"""Code points of one field that are judged; what lies beyond is not. Unicode normalisation takes
quadratic time on long runs of combining marks, and one hostile text must not stall a worker."""

# Curly quotes, and the hyphens that look like "-". One for one, so that offsets stay true.
_STRAIGHT = (("’", "'"), ("‘", "'"), ("‛", "'"), ("ʼ", "'"), ("“", '"'), ("”", '"'), ("‟", '"'), ("„", '"'), ("‐", "-"))

# Scripts written without spaces give one token a character, so that a literal in them is a phrase.
# Katakana is the exception: its runs are mostly whole (borrowed) words, and parts of them mislead.
_ALONE = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
_KATAKANA = "\u30a1-\u30ff"
# Skin tones (1F3FB-1F3FF) are left out: a thumb is a thumb.
_EMOJI = "\u203c\u2049\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\U0001f000-\U0001f3fa\U0001f400-\U0001faff"


def _marks() -> str:
    """All combining marks as ranges for a character class; `re` has no name for them."""
    points = [c for c in range(0x300, 0x1F000) if unicodedata.category(chr(c))[0] == "M" and not 0xFE00 <= c <= 0xFE0F]
    starts = [c for c, before in zip(points, [0, *points], strict=False) if c != before + 1]
    ends = [c for c, after in zip(points, [*points[1:], 0], strict=True) if c != after - 1]
    return "".join(f"{chr(a)}-{chr(b)}" for a, b in zip(starts, ends, strict=True))


_RUN = rf"[^\W_{_ALONE}{_KATAKANA}](?:[^\W_{_ALONE}{_KATAKANA}]|[{_marks()}])*"
_WORD = rf"{_RUN}(?:['.\-]{_RUN})*|[{_KATAKANA}]+|[{_ALONE}]"
_TOKEN = re.compile(
    rf"""(?:https?://|www\.)(?P<host>[\w.\-]{{1,253}})[!-~]*
      | (?P<handle>(?<!\w)@\w+(?:[.\-]\w+)*(?:@\w+(?:[.\-]\w+)+)?)
      | (?P<tag>(?<!\w)\#(?:\w|[{_marks()}]){{1,140}})
      | (?P<word>{_WORD}|[{_EMOJI}])""",
    re.VERBOSE | re.IGNORECASE,
)
AROUND = '.,:;!?"()'
"""Never part of a token at the edges of a chunk."""
_END = re.compile(rf"""[.!?]+["')\]]*(?=\s)|[!?。]+(?=[{_ALONE}{_KATAKANA}])|\n\s*""")
_INITIAL = re.compile(r"(?:[^\W\d_]\.)*[A-Z]")
_ABBREVIATIONS = frozenset("mr mrs ms dr prof st vs inc ltd co corp no approx dept est e.g i.e".split())  # noqa: SIM905
_PART = re.compile(rf"{_RUN}|[{_KATAKANA}]+|[{_ALONE}]")


class Piece(NamedTuple):
    """One thing a rule may hit inside a chunk.

    `start` and `end` are offsets into the chunk, in code points; `first` and `last` are the token
    positions it covers, counted from the chunk's first token: "wi-fi" is `wi-fi` at 0 to 1, `wi` at
    0 and `fi` at 1. A handle keeps its @ and a tag its #.
    """

    kind: Literal["word", "tag", "handle", "host"]
    text: str
    start: int
    end: int
    first: int
    last: int


def normalise(text: str) -> str:
    """NFKC with straight quotes and hyphens, case kept; at most the first LONGEST code points."""
    text = text[:LONGEST]
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", text)
    for curly, straight in _STRAIGHT:
        text = text.replace(curly, straight)
    return text


def fold(text: str) -> str:
    """The caseless form under which words are compared."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFKC", text.casefold())


def tokens_in(chunk: str) -> int:
    """How many token positions a chunk has; 0: it is only punctuation."""
    return max((piece.last + 1 for piece in pieces(chunk)), default=0)


def sentence_ends(text: str) -> list[int]:
    """Where each sentence of a normalised text ends, the last one left out.

    At a full stop, ! or ? before white space, except after an abbreviation or an initial, and at three dots
    only if no small letter goes on; at a line break, unless it only wraps a line; in Chinese and Japanese without
    white space too.
    """
    return [match.end() for match in _END.finditer(text) if not _goes_on(text, match)]


def _goes_on(text: str, end: re.Match[str]) -> bool:
    sign, following = end.group(), text[end.end() : end.end() + 40].lstrip()[:1]
    if sign[0] == "\n":
        return sign.count("\n") == 1 and following.islower()
    if sign.startswith(".."):
        return following.islower()
    before = text[max(0, end.start() - 12) : end.start()].split()[-1:] if sign == "." else []
    return bool(before) and (
        before[0].lower().strip("(\"'") in _ABBREVIATIONS or _INITIAL.fullmatch(before[0]) is not None
    )


def pieces(chunk: str) -> list[Piece]:
    """Everything in a chunk of normalised text that a rule may hit, each whole before its parts."""
    bare = chunk.strip(AROUND)
    if bare.isalnum() and bare.isascii() and bare[:3].lower() != "www":
        start = chunk.index(bare)
        return [Piece("word", bare, start, start + len(bare), 0, 0)]
    found: list[Piece] = []
    at = 0
    for match in _TOKEN.finditer(chunk):
        kind, start, token = match.lastgroup, match.start(), match.group()
        if kind == "host":
            found += (Piece("host", host, *match.span("host"), at, at) for host in _domains(match["host"]))
            at += 1
        elif kind == "handle":
            names = (token, token[: token.find("@", 1)]) if token.count("@") > 1 else (token,)
            found += (Piece("handle", name, start, start + len(name), at, at) for name in names)
            at += 1
        else:
            parts = list(
                _parts(chunk, match.start("tag") + 1 if kind == "tag" else start, match.end(), case=kind == "tag")
            )
            last = at + max(len(parts), 1) - 1
            if kind == "tag":
                found.append(Piece("tag", token, start, match.end(), at, last))
                start += 1
            whole = chunk[start : match.end()]
            found.append(Piece("word", whole, start, match.end(), at, last))
            if len(parts) > 1:
                found += (Piece("word", chunk[a:b], a, b, at + n, at + n) for n, (a, b) in enumerate(parts))
            at = last + 1
    return found


def _domains(host: str) -> Iterator[str]:
    """`www.support.dell.com` is found as support.dell.com and as dell.com."""
    labels = host.strip(".-").split(".")
    if len(labels) > 2 and labels[0].lower() == "www":
        labels = labels[1:]
    for n in range(max(len(labels) - 1, 1)):
        yield ".".join(labels[n:])


def _parts(chunk: str, start: int, end: int, *, case: bool) -> Iterator[tuple[int, int]]:
    for run in _PART.finditer(chunk, start, end):
        begin = run.start()
        if case:
            for at in range(begin + 1, run.end()):
                if _turns(chunk[at - 1], chunk[at], chunk[at + 1 : run.end()][:1]):
                    yield begin, at
                    begin = at
        yield begin, run.end()


def _turns(before: str, here: str, after: str) -> bool:
    """Whether a new word of a tag starts here: DellFail, XPS13, USBHub."""
    if before.isdigit() != here.isdigit():
        return True
    return here.isupper() and (before.islower() or (before.isupper() and after.islower()))


def original_span(original: str, start: int, end: int) -> tuple[int, int]:
    """Where `normalise(original)[start:end]` stands in `original`, widened to whole characters.

    One character may become several ("㎏" is "kg") and several one (e and a combining acute), so the
    way back goes by the smallest stretches that normalise independently of their neighbours.
    """
    if original.isascii() or unicodedata.is_normalized("NFKC", original[:LONGEST]):
        return start, end
    ends_at = 0
    first = None
    for a, b in _stretches(original[:LONGEST]):
        ends_at += len(unicodedata.normalize("NFKC", original[a:b]))
        if first is None and ends_at > start:
            first = a
        if ends_at >= end and first is not None:
            return first, b
    raise IndexError(f"{start}:{end} is outside the text")


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    start = 0
    for at in range(1, len(text)):
        if text[at].isascii() or (not _leans(text[at]) and _parted(text, start, at)):
            yield start, at
            start = at
    yield start, len(text)


@cache
def _leans(char: str) -> bool:
    """Whether a character always joins what stands before it."""
    return unicodedata.combining(unicodedata.normalize("NFKD", char)[0]) != 0


def _parted(text: str, start: int, at: int) -> bool:
    """Whether a stretch and the character after it normalise apart (Hangul and some vowels do not)."""
    if text[start:at].isascii():
        return True
    nfkc = unicodedata.normalize
    return nfkc("NFKC", text[start : at + 1]) == nfkc("NFKC", text[start:at]) + nfkc("NFKC", text[at])
