"""What is told of an expression that the grammar does not allow: what was found, what was expected, and a hint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from streams.core.tree import ExpressionError

if TYPE_CHECKING:
    from lark import Token, UnexpectedToken


def start_of(token: Token) -> int:
    """Where a token begins."""
    return token.start_pos or 0


def only_negative(at: int) -> ExpressionError:
    """A NOT by itself."""
    return ExpressionError(at, "NOT has no positive sibling, so nothing says what to look for", "write a AND NOT b")


def refusal(wrong: UnexpectedToken, tokens: list[Token], length: int) -> ExpressionError:
    """What is wrong where the grammar allows no such token."""
    found, accepts = wrong.token, wrong.accepts
    kind, at = found.type, length if found.type == "$END" else start_of(found)
    before = next((token for token in reversed(tokens) if token.end_pos is not None and token.end_pos <= at), None)
    if "WORD" in accepts and "AND" not in accepts:
        return _no_operand(found, before, at)
    if kind == "$END":
        return ExpressionError(_unclosed(tokens), 'found "(" without its ")"', "close the bracket")
    if kind == "CLOSING":
        return ExpressionError(at, 'found ")" without its "("', "remove it, or open a bracket before")
    if "WORD" in accepts:
        return ExpressionError(
            at,
            f"found {found} in SENT( ), whose sides stand side by side",
            "write SENT(a b), and an OR-list in brackets of its own",
        )
    if kind in ("AND", "OR", "NOT"):
        return ExpressionError(at, "AND and OR are mixed without brackets", "add brackets: (a OR b) AND c")
    if kind == "NEAR":
        return _no_near(found, tokens, at)
    return ExpressionError(
        at,
        f"found {found} directly after {before}, expected AND, OR or NOT between them",
        'operators are written in capitals; adjacent words are a "phrase" in quotes',
    )


def _no_operand(found: Token, before: Token | None, at: int) -> ExpressionError:
    if before is not None and before.type == "NOT" and found.type == "NOT":
        return only_negative(at)
    return ExpressionError(
        at,
        f"found {'the end' if found.type == '$END' else found}, expected a word, a phrase or a bracket",
        "complete it, or remove it",
    )


def _no_near(found: Token, tokens: list[Token], at: int) -> ExpressionError:
    signs = [token.type for token in tokens if start_of(token) < at and token.type in ("NOT", "NEAR")]
    if signs and signs[-1] == "NOT":
        return ExpressionError(at, f"NOT binds closer than {found}", f"write NOT (a {found} b)")
    return ExpressionError(at, f"found {found} after another, expected two sides", "write a NEAR/3 b AND b NEAR/3 c")


def _unclosed(tokens: list[Token]) -> int:
    opened: list[int] = []
    for token in tokens:
        if token.type == "OPENING":
            opened.append(start_of(token))
        elif token.type == "CLOSING":
            opened.pop()
    return opened[-1]
