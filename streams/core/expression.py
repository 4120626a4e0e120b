"""The rule language: from what a person writes to a tree of literals and conditions.

The parser knows nothing of matching, and the tree nothing of text. deploy/docs/rules.md is the language's
reference; the grammar below is its definition. NOT binds closest, then NEAR, then AND and OR, which
want brackets where they meet.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextvars import ContextVar
from typing import Literal, NamedTuple, cast, get_args

from lark import Lark, Token, UnexpectedToken, v_args
from lark.visitors import Transformer

from streams.core.literals import literal, phrase
from streams.core.refusals import only_negative, refusal, start_of
from streams.core.text import fold, normalise
from streams.core.tree import Atom, Condition, ExpressionError, Group, Near, Node, Phrase, Sentence, Side
from streams.records import Channel

MAX_CHARS = 4096
MAX_LEAVES = 200
MAX_DEPTH = 30
"""Brackets, NOTs and $terms inside each other."""
MAX_BETWEEN = 20

_GRAMMAR = r"""
    ?start: level
    ?level: item | conjunction | disjunction
    conjunction: item (AND item | negation)+
    disjunction: item (OR item)+
    ?item: negation | near | side
    negation: NOT side
    near: side NEAR side
    ?side: OPENING level CLOSING -> bracket
         | SENT OPENING (side | AND)+ CLOSING -> sentence
         | WORD -> word
         | PHRASE -> phrase
         | UNCLOSED -> unclosed
         | TERM -> term
         | CONDITION -> condition

    OPENING: "("
    CLOSING: ")"
    AND.9: /AND(?![^\s()"])/
    OR.9: /OR(?![^\s()"])/
    NOT.9: /NOT(?![^\s()"])/
    NEAR.9: /O?NEAR(?![^\s()"\/])(\/[^\s()"]*)?/
    SENT.9: /SENT(?=\s*\()/
    CONDITION.8: /(lang|source|channel|place):("[^"]*"|[^\s()"]*)|followers[<>=:][^\s()"]*/
    PHRASE.7: /!?"[^"]*"/
    UNCLOSED.6: /!?"[^"]*/
    TERM.5: /\$\w*/
    WORD: /[^\s()"]+/
    %ignore /\s+/
"""
_TYPED_QUOTES = str.maketrans("“”„‟", '""""')
CHANNELS = get_args(Channel)
_EXAMPLES = {"lang": "en", "source": "reddit", "channel": "email", "place": "US"}
LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{1,8})*")


Terms = Callable[[str], Node | None]
"""Gives the tree of a $term; None for a name nobody has defined."""


def parse(text: str, term: Terms) -> Node:
    """Read one expression.

    Raises:
        ExpressionError: where it is wrong, what was found and expected, and a hint.
    """
    if len(text) > MAX_CHARS:
        raise ExpressionError(
            0, f"{len(text)} characters, at most {MAX_CHARS} allowed", "split the rule, or use $terms"
        )
    straight = text.translate(_TYPED_QUOTES)
    before = _TERMS.set(term)  # a term's tree is read, by the same parser, while the expression that uses it is
    try:
        said = cast("_Said", _PARSER.parse(straight))
    except UnexpectedToken as wrong:
        raise refusal(wrong, list(_PARSER.lex(straight)), len(text)) from None
    finally:
        _TERMS.reset(before)
    if _is_not(said.node):
        raise only_negative(said.at)
    return said.node


class _Said(NamedTuple):
    """A part of the tree, and where it begins."""

    node: Node
    at: int
    brackets: int = 0


@v_args(inline=True)
class _Tree(Transformer[Token, _Said]):
    """Builds our tree while lark reads, without recursion: there may be as many brackets as characters."""

    def conjunction(self, *said: _Said | Token) -> _Said:
        members = [one for one in said if isinstance(one, _Said)]
        if all(_is_not(one.node) for one in members):
            raise only_negative(members[0].at)
        return _group("and", members)

    def disjunction(self, *said: _Said | Token) -> _Said:
        members = [one for one in said if isinstance(one, _Said)]
        for one in members:
            if _is_not(one.node):
                raise only_negative(one.at)
        return _group("or", members)

    def negation(self, sign: Token, inner: _Said) -> _Said:
        if _is_not(inner.node):
            raise only_negative(inner.at)
        return _group("not", [inner], start_of(sign))

    def near(self, left: _Said, sign: Token, right: _Said) -> _Said:
        name, _, most = sign.partition("/")
        if not (most.isascii() and most.isdigit() and 1 <= int(most[:9]) <= MAX_BETWEEN):
            raise ExpressionError(
                start_of(sign),
                f"found {sign}, expected {name}/1 to {name}/{MAX_BETWEEN}: the most tokens that may stand between",
                f"write {name}/5",
            )
        sides = _side(left, name), _side(right, name)
        return _checked(Near(*sides, int(most), name == "ONEAR"), left.at)

    def sentence(self, sign: Token, *said: _Said | Token) -> _Said:
        sides = tuple(_side(one, "SENT") for one in said if isinstance(one, _Said))
        if len(sides) < 2:
            raise ExpressionError(start_of(sign), "found SENT with one side, expected two or more", "write SENT(a b)")
        return _checked(Sentence(sides), start_of(sign))

    def bracket(self, sign: Token, inner: _Said, _: Token) -> _Said:
        if inner.brackets >= MAX_DEPTH:
            raise _too_deep(start_of(sign))
        return _Said(inner.node, start_of(sign), inner.brackets + 1)

    def word(self, written: Token) -> _Said:
        return _read(literal, written)

    def phrase(self, written: Token) -> _Said:
        return _read(phrase, written)

    def unclosed(self, written: Token) -> _Said:
        raise ExpressionError(start_of(written), "found a quote that is never closed", 'write "a b"')

    def term(self, written: Token) -> _Said:
        known = _TERMS.get()(written[1:])
        if known is None:
            raise ExpressionError(start_of(written), f"found the unknown {written}", "define it under terms:")
        return _Said(known, start_of(written))

    def condition(self, written: Token) -> _Said:
        return _read(_condition, written)


_TERMS: ContextVar[Terms] = ContextVar("terms")
_PARSER = Lark(_GRAMMAR, parser="lalr", lexer="basic", transformer=_Tree())


def _read(what: Callable[[str], Node], written: Token) -> _Said:
    try:
        return _Said(what(str(written)), start_of(written))
    except ExpressionError as wrong:
        wrong.at += start_of(written)
        raise


def _is_not(node: Node) -> bool:
    return isinstance(node, Group) and node.op == "not"


def _group(op: Literal["and", "or", "not"], said: list[_Said], at: int | None = None) -> _Said:
    of = tuple(one.node for one in said)
    group = Group(op, of, sum(node.leaves for node in of), 1 + max(node.depth for node in of))
    return _checked(group, said[0].at if at is None else at)


def _checked(node: Node, at: int) -> _Said:
    if node.leaves > MAX_LEAVES:
        raise ExpressionError(
            at,
            f"{node.leaves} words and phrases with $terms written out, at most {MAX_LEAVES} allowed",
            "split the rule",
        )
    if node.depth > MAX_DEPTH:
        raise _too_deep(at)
    return _Said(node, at)


def _side(said: _Said, operator: str) -> Side:
    """What may stand on a side of NEAR or in SENT: one of several literals that have a place in the text."""
    match said.node:
        case Atom(kind) as one if kind != "from":
            return (one,)
        case Phrase() as one:
            return (one,)
        case Group("or", of):
            return tuple(one for member in of for one in _side(_Said(member, said.at), operator))
    raise ExpressionError(
        said.at,
        f"found {_kind(said.node)} beside {operator}, expected a word, a phrase, an OR-list in brackets or a $term of these",
        f"join it with AND, outside of {operator}",
    )


def _kind(node: Node) -> str:
    match node:
        case Near() | Sentence():
            return "another NEAR or SENT"
        case Group(op):
            return op.upper()
        case Condition(name):
            return f"the condition {name}"
    return "an author"


def _condition(written: str) -> Condition:
    if written.startswith("followers"):
        number = re.fullmatch(r"followers>=(\d{1,12})", written)
        if number is None:
            raise ExpressionError(0, f"found {written}, expected followers>= and a number", "write followers>=1000")
        return Condition("followers", int(number[1]))
    name, _, value = written.partition(":")
    value = fold(normalise(value.strip('"'))).strip()
    if not value:
        raise ExpressionError(
            0,
            f"found {name}: with nothing after it, expected its value without a blank",
            f"write {name}:{_EXAMPLES[name]}",
        )
    if name == "channel" and value not in CHANNELS:
        raise ExpressionError(0, f"found {written}, no channel", f"known are {', '.join(CHANNELS)}")
    if name == "lang" and not LANGUAGE.fullmatch(value):
        raise ExpressionError(0, f"found {written}, no language tag", "write lang:en or lang:pt-br")
    return Condition(name, value)


def _too_deep(at: int) -> ExpressionError:
    return ExpressionError(at, f"more than {MAX_DEPTH} brackets inside each other", "flatten the rule")
