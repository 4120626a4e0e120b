"""A YAML file read with its line numbers, so that whatever is wrong can be pointed at.

Scalars are taken as they are written: `no` is a fine id. Everything wrong is collected, not only
the first thing.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import TYPE_CHECKING

import yaml
from yaml import MappingNode, Node, ScalarNode, SequenceNode

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_CHARS = 160 * 1024
MOST_PROBLEMS = 50
MAX_NESTING = 20
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
CLOCK = r"([01]\d|2[0-3]):[0-5]\d"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


class RulesError(ValueError):
    """A rule file is refused. `problems` has one line for each: `file:line:column: found, expected (hint: ...)`."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class RuleFile:
    """The reader: every method takes a node, and answers None after noting a problem."""

    def __init__(self, text: str, where: str) -> None:
        self._where = where
        self._text = text
        self._noted: list[tuple[int, int, str]] = []
        self.root: Node | None = None
        if len(text) > MAX_CHARS:
            self._note(0, 0, f"{len(text)} characters, at most {MAX_CHARS} allowed (hint: split the ruleset)")
            self.check()
        try:
            if self._is_tame(text):
                self.root = yaml.compose(text, Loader=_LOADER)
        except yaml.MarkedYAMLError as wrong:
            mark = wrong.problem_mark or wrong.context_mark
            self._note(mark.line if mark else 0, mark.column if mark else 0, f"this is not YAML: {wrong.problem}")
        except yaml.YAMLError as wrong:
            self._note(0, 0, f"this is not YAML: {str(wrong).splitlines()[0]}")
        else:
            if self.root is None and not self._noted:
                self._note(0, 0, "the file is empty, expected at least ruleset: and brands:")

    def _is_tame(self, text: str) -> bool:
        """Whether reading it whole is safe: a few lines of aliases may stand for millions of nodes."""
        depth = 0
        for event in yaml.parse(text, Loader=_LOADER):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                what = f"found the alias *{event.anchor} (hint: write it out; rules share words by $terms)"
            elif depth > MAX_NESTING:
                what = f"lists inside lists, more than {MAX_NESTING} deep"
            else:
                continue
            mark = event.start_mark
            self._note(mark.line if mark else 0, mark.column if mark else 0, what)
            return False
        return True

    def refuse(self, node: Node, message: str, hint: str = "", *, at: int | None = None) -> None:
        """Note a problem at a node, or at code point `at` of its text."""
        line, column = self._position(node, at) if at is not None else (node.start_mark.line, node.start_mark.column)
        self._note(line, column, f"{message} (hint: {hint})" if hint else message)

    def check(self) -> None:
        """Stop if anything was wrong.

        Raises:
            RulesError: all of it, in the file's order.
        """
        if self._noted:
            raise RulesError(
                [f"{self._where}:{line + 1}:{column + 1}: {what}" for line, column, what in sorted(self._noted)]
            )

    def mapping(
        self, node: Node, what: str, known: Collection[str] | None, needed: Collection[str] = ()
    ) -> dict[str, Node]:
        """The keys of a mapping; `known` None allows any."""
        if not isinstance(node, MappingNode):
            self.refuse(node, f"{what}: found {_kind(node)}, expected key: value pairs")
            return {}
        found: dict[str, Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            if name in found:
                self.refuse(key, f"{what}: {name}: is given twice", "keep one")
            elif not name or (known is not None and name not in known):
                self.refuse(key, f"{what}: found the unknown key {name or _kind(key)}", self.suggest(name, known or ()))
            found[name] = value
        for name in needed:
            if name not in found:
                self.refuse(node, f"{what}: {name}: is missing", f"add {name}:")
        return found

    def items(self, node: Node | None, what: str) -> list[Node]:
        """The members of a list; one that is absent or left empty has none."""
        if node is None or (isinstance(node, ScalarNode) and not node.value):
            return []
        if not isinstance(node, SequenceNode):
            self.refuse(node, f"{what}: found {_kind(node)}, expected a list", "write [a, b]")
            return []
        return list(node.value)

    def text(self, node: Node, what: str, pattern: str = r"(?s).*\S.*", expected: str = "some text") -> str | None:
        """A scalar as it is written."""
        if not isinstance(node, ScalarNode) or node.tag == "tag:yaml.org,2002:null":
            self.refuse(node, f"{what}: found {_kind(node)}, expected {expected}")
            return None
        if not re.fullmatch(pattern, node.value):
            self.refuse(node, f"{what}: found {node.value!r}, expected {expected}")
            return None
        return str(node.value)

    def choice(self, node: Node, what: str, known: Collection[str]) -> str | None:
        """One of a closed set of words."""
        word = self.text(node, what, expected=f"one of {', '.join(known)}")
        if word is not None and word not in known:
            self.refuse(node, f"{what}: found {word!r}, expected one of {', '.join(known)}", self.suggest(word, known))
            return None
        return word

    def whole(self, node: Node, what: str) -> int | None:
        """A whole number from 1."""
        word = self.text(node, what, r"[1-9]\d{0,8}", "a whole number from 1")
        return None if word is None else int(word)

    def span(self, node: Node, what: str) -> timedelta | None:
        """A length of time: 30m, 24h, 7d."""
        word = self.text(node, what, r"[1-9]\d{0,5}[smhd]", "a length of time such as 30m, 24h or 7d")
        return None if word is None else timedelta(seconds=int(word[:-1]) * _SECONDS[word[-1]])

    def moment(self, node: Node, what: str, *, whole_day: bool = False) -> datetime | None:
        """A day, or a day and an hour, on the wall: 2026-03-03 09:00. Of `whole_day`, a day alone ends with it."""
        expected = "a day such as 2026-03-03, or 2026-03-03 09:00"
        word = self.text(node, what, rf"\d{{4}}-\d\d-\d\d( {CLOCK})?", expected)
        try:
            moment = datetime.fromisoformat(word) if word else None
            return moment + timedelta(days=1) if moment and whole_day and word and " " not in word else moment
        except (ValueError, OverflowError):
            self.refuse(node, f"{what}: found {word!r}, expected {expected}", "there is no such day")
            return None

    def factor(self, node: Node, what: str) -> float | None:
        """How many times as much: 3x."""
        word = self.text(node, what, r"[1-9]\d{0,2}(\.\d{1,2})?x", "how many times as much, such as 3x")
        return None if word is None else float(word[:-1])

    def suggest(self, word: str, known: Collection[str]) -> str:
        """What was probably meant."""
        near = get_close_matches(word, list(known), n=1)
        return f"did you mean {near[0]}?" if near else f"known are {', '.join(sorted(known)[:12]) or 'none'}"

    def at_most(self, node: Node | None, what: str, most: int) -> None:
        """Refuse more members than can be read while somebody waits."""
        if isinstance(node, MappingNode | SequenceNode) and len(node.value) > most:
            self.refuse(node, f"{what}: found {len(node.value)}, at most {most} allowed", "split the ruleset")

    def _note(self, line: int, column: int, what: str) -> None:
        self._noted.append((line, column, what))
        if len(self._noted) == MOST_PROBLEMS:
            self._noted.append((line, column + 1, f"{MOST_PROBLEMS} problems so far, the rest was not read"))
            self.check()

    def _position(self, node: Node, at: int) -> tuple[int, int]:
        """Line and column of a code point of a scalar, found by walking value and source side by side.

        The source has more than the value (quotes, doubled quotes, indents, block headers), in order.
        """
        here = node.start_mark.index
        for wanted in node.value[: at + 1]:
            step = here
            while (
                step < node.end_mark.index
                and self._text[step] != wanted
                and not (wanted == " " and self._text[step] == "\n")
            ):
                step += 1
            if step == node.end_mark.index:  # an escape such as \u0041: the scalar's start must do
                return node.start_mark.line, node.start_mark.column
            here = step + 1
        here -= at < len(node.value)  # one behind the end: something is missing there
        return self._text.count("\n", 0, here), here - (self._text.rfind("\n", 0, here) + 1)


def plain(node: Node) -> object:
    """A checked file's content without its comments, quoting and layout."""
    if isinstance(node, MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    return [plain(member) for member in node.value] if isinstance(node, SequenceNode) else node.value


def _kind(node: Node) -> str:
    if isinstance(node, ScalarNode):
        return repr(node.value) if node.value else "nothing"
    return "key: value pairs" if isinstance(node, MappingNode) else "a list"
