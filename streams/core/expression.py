"""The rule language: from what a person writes to a tree of literals.

    level   = item { (AND | OR) item }      one of the two in a level; `a NOT b` is `a AND NOT b`
    item    = NOT item | "(" level ")" | $term | literal
    literal = word | word* | !Word | "a phrase" | #tag | @handle | from:handle

The parser knows nothing of matching, and the tree nothing of text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from streams.core.text import Piece, fold, normalise, pieces

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_CHARS = 4096
MAX_LEAVES = 200
MAX_DEPTH = 30
"""Brackets, NOTs and $terms inside each other."""
WILDCARD_LETTERS = 4

Kind = Literal["word", "exact", "prefix", "tag", "handle", "from"]


@dataclass(frozen=True, slots=True)
class Atom:
    """What one token can satisfy. `key` is folded, except for `exact`; `tag` and `handle` come without # and @."""

    kind: Kind
    key: str
    leaves: int = field(default=1, init=False)
    depth: int = field(default=0, init=False)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Atoms on adjacent tokens, in this order."""

    atoms: tuple[Atom, ...]
    leaves: int = field(default=1, init=False)
    depth: int = field(default=0, init=False)


@dataclass(frozen=True, slots=True)
class Group:
    """A bracket level. A `not` has one member, an `and` at least one that is no `not`."""

    op: Literal["and", "or", "not"]
    of: tuple[Node, ...]
    leaves: int
    depth: int


Node = Atom | Phrase | Group


class ExpressionError(Exception):
    """An expression is wrong at code point `at`; the text says what was found and expected, with a hint."""

    def __init__(self, at: int, message: str, hint: str) -> None:
        super().__init__(f"{message} (hint: {hint})")
        self.at = at


class _Lexeme(NamedTuple):
    kind: str
    text: str
    at: int


_LEXEME = re.compile(
    r"""\s+
      | (?P<bracket>[()])
      | (?P<phrase>!?"[^"]*")
      | (?P<open>!?"[^"]*$)
      | \$(?P<term>\w*)
      | (?P<word>[^\s()"]+)""",
    re.VERBOSE,
)
_TYPED_QUOTES = str.maketrans("“”„‟", '""""')
_OPERATORS = ("AND", "OR", "NOT")
_LATER = (
    (
        re.compile(r"O?NEAR(/.*)?"),
        "{0}: NEAR/n and ONEAR/n are not supported yet",
        'use AND, or a "phrase" for adjacent words',
    ),
    (re.compile(r"SENT"), "SENT( ) is not supported yet", "use AND; a word SENT is written in small letters"),
    (
        re.compile(r"(lang|source|channel|place):.*"),
        "{0}: the condition {1}: is not supported yet",
        "leave it out for now",
    ),
    (re.compile(r"(followers)[<>=].*"), "{0}: the condition {1} is not supported yet", "leave it out for now"),
)


def parse(text: str, term: Callable[[str], Node | None]) -> Node:
    """Read one expression; `term` gives the tree of a $term, None for a name nobody has defined.

    Raises:
        ExpressionError: where it is wrong, what was found and expected, and a hint.
    """
    if len(text) > MAX_CHARS:
        raise ExpressionError(
            0, f"{len(text)} characters, at most {MAX_CHARS} allowed", "split the rule, or use $terms"
        )
    return _Parser(text, term).whole()


class _Parser:
    def __init__(self, text: str, term: Callable[[str], Node | None]) -> None:
        straight = text.translate(_TYPED_QUOTES)
        found = ((m.lastgroup, m) for m in _LEXEME.finditer(straight))
        self._lexemes = [_Lexeme(kind, match[kind], match.start()) for kind, match in found if kind]
        self._lexemes.append(_Lexeme("end", "the end", len(text)))
        self._next = 0
        self._term = term

    def whole(self) -> Node:
        node = self._level(0)
        extra = self._take()
        if extra.kind != "end":
            raise ExpressionError(extra.at, 'found ")" without its "("', "remove it, or open a bracket before")
        if isinstance(node, Group) and node.op == "not":
            raise _only_negative(self._lexemes[0].at)
        return node

    def _take(self) -> _Lexeme:
        lexeme = self._lexemes[self._next]
        self._next += lexeme.kind != "end"
        return lexeme

    def _level(self, depth: int) -> Node:
        start = self._lexemes[self._next].at
        members = [self._item(depth)]
        op = ""
        while (lexeme := self._lexemes[self._next]).kind != "end" and lexeme.text != ")":
            if lexeme.text not in _OPERATORS or lexeme.kind != "word":
                _refuse_later(lexeme.text, lexeme.at)
                before = self._lexemes[self._next - 1].text
                raise ExpressionError(
                    lexeme.at,
                    f"found {lexeme.text} directly after {before}, expected AND, OR or NOT between them",
                    'operators are written in capitals; adjacent words are a "phrase" in quotes',
                )
            this = "or" if lexeme.text == "OR" else "and"
            if op and op != this:
                raise ExpressionError(lexeme.at, "AND and OR are mixed without brackets", "write (a OR b) AND c")
            op = this
            self._next += lexeme.text != "NOT"
            members.append(self._item(depth))
        if len(members) == 1:
            return members[0]
        negative = [isinstance(m, Group) and m.op == "not" for m in members]
        if all(negative) or (op == "or" and any(negative)):
            raise _only_negative(start)
        return _group("or" if op == "or" else "and", tuple(members), start)

    def _item(self, depth: int) -> Node:
        lexeme = self._take()
        if depth >= MAX_DEPTH:
            raise _too_deep(lexeme.at)
        match lexeme:
            case _Lexeme("word", "NOT"):
                inner = self._item(depth + 1)
                if isinstance(inner, Group) and inner.op == "not":
                    raise _only_negative(lexeme.at)
                return _group("not", (inner,), lexeme.at)
            case _Lexeme("bracket", "("):
                node = self._level(depth + 1)
                if self._take().text != ")":
                    raise ExpressionError(lexeme.at, 'found "(" without its ")"', "close the bracket")
                return node
            case _Lexeme("term", name):
                known = self._term(name)
                if known is None:
                    raise ExpressionError(lexeme.at, f"found the unknown ${name}", "define it under terms:")
                return known
            case _Lexeme("open"):
                raise ExpressionError(lexeme.at, "found a quote that is never closed", 'write "a b"')
            case _Lexeme("phrase", written):
                return _phrase(written, lexeme.at)
            case _Lexeme("word", written) if written not in _OPERATORS:
                return _literal(written, lexeme.at)
        raise ExpressionError(
            lexeme.at, f"found {lexeme.text}, expected a word, a phrase or a bracket", "complete it, or remove it"
        )


def _group(op: Literal["and", "or", "not"], of: tuple[Node, ...], at: int) -> Group:
    group = Group(op, of, sum(n.leaves for n in of), 1 + max(n.depth for n in of))
    if group.leaves > MAX_LEAVES:
        raise ExpressionError(
            at,
            f"{group.leaves} words and phrases with $terms written out, at most {MAX_LEAVES} allowed",
            "split the rule",
        )
    if group.depth > MAX_DEPTH:
        raise _too_deep(at)
    return group


def _too_deep(at: int) -> ExpressionError:
    return ExpressionError(at, f"more than {MAX_DEPTH} brackets inside each other", "flatten the rule")


def _only_negative(at: int) -> ExpressionError:
    return ExpressionError(at, "NOT has no positive sibling, so nothing says what to look for", "write a AND NOT b")


def _phrase(written: str, at: int) -> Node:
    if written.startswith("!"):
        raise ExpressionError(at, f"found {written}, exact case is for single words", 'write "!Michael !Dell"')
    atoms: list[Atom] = []
    for word in written[1:-1].split():
        if pieces(normalise(word)):
            atoms += _atoms(word, at, strict=False)
    if not atoms:
        raise ExpressionError(at, f"found {written}, a phrase without a word", "put words between the quotes")
    return atoms[0] if len(atoms) == 1 else Phrase(tuple(atoms))


def _refuse_later(written: str, at: int) -> None:
    for pattern, message, hint in _LATER:
        if match := pattern.fullmatch(written):
            raise ExpressionError(at, message.format(written, match[match.lastindex or 0]), hint)


def _literal(written: str, at: int) -> Node:
    _refuse_later(written, at)
    if match := re.fullmatch(r"(from:)?@?([\w.:@-]*\w)", written) if written.startswith(("from:", "@")) else None:
        return Atom("from" if match[1] else "handle", fold(normalise(match[2])))
    if match := re.match(r"([A-Za-z_]+)(:|[<>=]+)", written):
        raise ExpressionError(
            at, f"found {written}, {match[1]} is no condition", "the one there is: from:handle; or put it in quotes"
        )
    atoms = _atoms(written, at, strict=True)
    return atoms[0] if len(atoms) == 1 else Phrase(tuple(atoms))


def _atoms(written: str, at: int, *, strict: bool) -> list[Atom]:
    """The atoms of one word of the language; `strict` refuses what would silently be left out."""
    exact, wild = written.startswith("!"), written.endswith("*")
    plain = normalise(written[exact : len(written) - wild])
    tokens = _wholes(plain)
    if strict and (not tokens or _left_out(plain, tokens)):
        raise ExpressionError(
            at, f"found {written}, which is not one word", f'put it in quotes: "{written.strip("*!")}"'
        )
    if not exact and not wild:
        return [_atom(token) for token in tokens]
    if len(tokens) != 1 or tokens[0].kind != "word" or (exact and wild):
        raise ExpressionError(at, f"found {written}, ! and * are each for one plain word", "write !Dell or batter*")
    if exact:
        return [Atom("exact", tokens[0].text)]
    if sum(c.isalpha() for c in plain) < WILDCARD_LETTERS:
        raise ExpressionError(
            at, f"found {written}, a wildcard needs {WILDCARD_LETTERS} letters before its *", "write more of the word"
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
