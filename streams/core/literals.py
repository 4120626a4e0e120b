"""The literals of the rule language: what one word or phrase of a rule asks of a text."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from streams.core.text import Piece, fold, normalise, pieces
from streams.core.tree import Atom, ExpressionError, Phrase

WILDCARD_LETTERS = 4
REMEMBERED = 4096
CONDITIONS = "from:, lang:, source:, channel:, place: and followers>="


def phrase(written: str) -> Atom | Phrase:
    """The literal of a phrase in quotes."""
    if written.startswith("!"):
        raise ExpressionError(0, f"found {written}, exact case is for single words", 'write "!Michael !Dell"')
    atoms: list[Atom] = []
    for word in written[1:-1].split():
        if pieces(normalise(word)):
            atoms += _atoms(word, strict=False)
    if not atoms:
        raise ExpressionError(0, f"found {written}, a phrase without a word", "put words between the quotes")
    return atoms[0] if len(atoms) == 1 else Phrase(tuple(atoms))


@lru_cache(REMEMBERED)
def literal(written: str) -> Atom | Phrase:
    """The literal of a word: plain, !Exact, wild*, #tag, @handle or from:author."""
    if match := re.fullmatch(r"(from:)?@?([\w.:@-]*\w)", written) if written.startswith(("from:", "@")) else None:
        return Atom("from" if match[1] else "handle", fold(normalise(match[2])))
    if match := re.match(r"([A-Za-z_]+)(:|[<>=]+)", written):
        raise ExpressionError(
            0, f"found {written}, {match[1]} is no condition", f"known are {CONDITIONS}; or put it in quotes"
        )
    atoms = _atoms(written, strict=True)
    return atoms[0] if len(atoms) == 1 else Phrase(tuple(atoms))


def _atoms(written: str, *, strict: bool) -> list[Atom]:
    """The atoms of one word of the language; `strict` refuses what would silently be left out."""
    exact, wild = written.startswith("!"), written.endswith("*")
    plain = normalise(written[exact : len(written) - wild])
    tokens = _wholes(plain)
    if strict and (not tokens or _left_out(plain, tokens)):
        raise ExpressionError(
            0, f"found {written}, which is not one word", f'put it in quotes: "{written.strip("*!")}"'
        )
    if not exact and not wild:
        return [_atom(token) for token in tokens]
    if len(tokens) != 1 or tokens[0].kind != "word" or (exact and wild):
        raise ExpressionError(0, f"found {written}, ! and * are each for one plain word", "write !Dell or batter*")
    if exact:
        return [Atom("exact", tokens[0].text)]
    if sum(c.isalpha() for c in plain) < WILDCARD_LETTERS:
        raise ExpressionError(
            0, f"found {written}, a wildcard needs {WILDCARD_LETTERS} letters before its *", "write more of the word"
        )
    return [Atom("prefix", fold(tokens[0].text))]


def _atom(token: Piece) -> Atom:
    key = fold(token.text)
    match token.kind:
        case "tag":
            return Atom("tag", key[1:])
        case "handle":
            return Atom("handle", key[1:])
        case "word" | "host":
            return Atom("word", key)


def _wholes(text: str) -> list[Piece]:
    covered, wholes = -1, []
    for piece in pieces(text):
        if piece.first > covered:
            wholes.append(piece)
            covered = piece.last
    return wholes


def _left_out(text: str, tokens: list[Piece]) -> bool:
    """Whether anything but joiners and variation selectors stands outside the tokens."""
    inside = {n for token in tokens for n in range(token.start, token.end)}
    return any(n not in inside and unicodedata.category(c) not in ("Mn", "Cf", "Sk") for n, c in enumerate(text))
