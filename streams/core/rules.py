"""Tracking rules: what a team writes to say what to listen for, checked whole before any of it is used.

A rule file that loads is right in every part that can be checked, its own tests included.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast
from zoneinfo import ZoneInfo

from yaml import MappingNode, SequenceNode

from streams.core.candidates import calls
from streams.core.expression import CHANNELS, LANGUAGE, MAX_DEPTH, parse
from streams.core.matching import Matcher
from streams.core.rulefile import RuleFile, RulesError, plain
from streams.core.text import fold
from streams.core.tracking import Account, Brand, BrandMatch, CustomerValue, Issue, Matched, Watch
from streams.core.tree import Atom, Condition, ExpressionError, Group, conditions
from streams.core.wishes import Wishes
from streams.records import Mention, Place

if TYPE_CHECKING:
    from collections.abc import Sequence

    from yaml import Node as YamlNode

    from streams.core.calendar import Event
    from streams.core.tree import Node

__all__ = ["Brand", "BrandMatch", "Issue", "Matched", "Rules", "RulesError", "Watch", "load_rules"]

FIELDS = ("text", "title", "image_text", "quoted_text")
_NO_LITERAL = "it could match without any word, phrase, tag, handle or author"
_LITERAL_HINT = "write (a OR b) AND lang:en"
_BROKEN = Atom("word", "")  # stands for a term already refused, so that it is told once
_ID = r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}"
_ID_EXPECTED = "letters, digits, _ and -, at most 64"
_TEST = ("text", "title", "quoted_text", "parent_text", "author_name", "lang", "source", "channel")
MOST = {"terms": 1000, "brands": 1000, "issues": 2000, "watch": 4000, "tests": 2000, "calendar": 1000}
"""Of each in a file: what a worker can check and compile while somebody waits."""
_TOP = ("ruleset", "defaults", "terms", "brands", "issues", "watch", "calendar", "tests")
_BRAND = ("id", "role", "own_accounts", "timezone", "match", "exclude", "customer_value")


@dataclass(frozen=True, slots=True)
class Rules:
    """A checked ruleset. `version` is the sha256 of its content, whatever its comments and layout."""

    ruleset: str
    version: str
    brands: tuple[Brand, ...]
    issues: tuple[Issue, ...]
    watch: tuple[Watch, ...]
    _matcher: Matcher = field(repr=False, compare=False)
    calendar: tuple[Event, ...] = ()

    def match_many(self, mentions: Sequence[Mention]) -> list[Matched]:
        """What the rules say about each mention, in the same order. Asked again, they say the same."""
        return [self._matcher.match(mention) for mention in mentions]


def load_rules(text: str, *, where: str = "rules.yaml") -> Rules:
    """Read, check and compile a rule file, and run the tests inside it.

    Raises:
        RulesError: everything that is wrong, each with file, line, column and a hint.
    """
    return _Loader(RuleFile(text, where)).rules()


def load_expression(written: str, *, rules: str | None = None, where: str = "rules.yaml") -> Rules:
    """One expression as the only brand of a ruleset, with the $terms of a rule file.

    Raises:
        RulesError: what is wrong with it, or with the terms that it uses.
    """
    loader = _Loader(RuleFile(rules, where)) if rules is not None else None
    try:
        tree = parse(written, loader.term if loader else lambda _: None)
        if loader:
            loader.check()
    except ExpressionError as wrong:
        raise RulesError([f"expression:1:{wrong.at + 1}: {wrong}"]) from None
    if not calls(tree):
        raise RulesError([f"expression:1:1: {_NO_LITERAL} (hint: {_LITERAL_HINT})"])
    brand = Brand("expression", "own", tree)
    return Rules("expression", "", (brand,), (), (), Matcher([brand], [], FIELDS))


class _Loader:
    def __init__(self, file: RuleFile) -> None:
        file.check()
        assert file.root is not None
        self._file = file
        self._top = file.mapping(file.root, "the file", _TOP, needed=("ruleset", "brands"))
        self._term_nodes = file.mapping(self._top["terms"], "terms", None) if "terms" in self._top else {}
        self._terms: dict[str, Node] = {}
        self._open_terms: set[str] = set()

    def check(self) -> None:
        """Stop if anything that was read so far is wrong.

        Raises:
            RulesError: all of it.
        """
        self._file.check()

    def rules(self) -> Rules:
        file, top = self._file, self._top
        ruleset = file.text(top["ruleset"], "ruleset", _ID, _ID_EXPECTED) if "ruleset" in top else ""
        for name, most in MOST.items():
            file.at_most(top.get(name), name, most)
        file.check()
        fields, self._lang = self._defaults(top.get("defaults"))
        for name, node in self._term_nodes.items():
            if file.text(node, f"term {name}") is not None and not name.isidentifier():
                file.refuse(node, f"terms: found the name {name}", "use letters, digits and _")
            self.term(name)
        known = {"brand": self._declared("brand"), "issue": self._declared("issue")}
        brands = [b for n in file.items(top.get("brands"), "brands") if (b := self._brand(n))]
        if "brands" in top and not known["brand"]:
            file.refuse(top["brands"], "brands: there is none", "add {id: dell, match: dell}")
        issues = [i for n in file.items(top.get("issues"), "issues") if (i := self._issue(n, set(known["brand"])))]
        wishes = Wishes(file, known)
        watch = [w for n in file.items(top.get("watch"), "watch") if (w := wishes.watch(n))]
        wishes.check(brands, issues, watch, top.get("issues") or top["brands"])
        calendar = [e for n in file.items(top.get("calendar"), "calendar") if (e := wishes.event(n))]
        tests = [(n, self._test(n, known)) for n in file.items(top.get("tests"), "tests")]
        file.check()
        matcher = Matcher(brands, issues, fields)
        for node, test in tests:
            self._run(node, test, matcher)
        file.check()
        canonical = json.dumps(plain(cast("YamlNode", file.root)), sort_keys=True, separators=(",", ":"))
        version = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
        return Rules(ruleset or "", version, tuple(brands), tuple(issues), tuple(watch), matcher, tuple(calendar))

    def _defaults(self, node: YamlNode | None) -> tuple[tuple[str, ...], Condition | None]:
        """The fields that are heard, and the language that is asked for where a rule asks for none."""
        file, lang = self._file, None
        fields: tuple[str, ...] = FIELDS
        if node is None:
            return fields, lang
        found = file.mapping(node, "defaults", ("lang", "fields"))
        if "lang" in found:
            word = file.text(
                found["lang"], "defaults: lang", rf"any|{LANGUAGE.pattern}", "any, or a language such as en"
            )
            lang = Condition("lang", word) if word and word != "any" else None
        if "fields" in found:
            names = [
                file.choice(n, "defaults: fields", FIELDS) for n in file.items(found["fields"], "defaults: fields")
            ]
            if not names:
                file.refuse(found["fields"], "defaults: fields: there is none", f"known are {', '.join(FIELDS)}")
            fields = tuple(name for name in FIELDS if name in names)
        return fields, lang

    def _declared(self, what: str) -> dict[str, bool]:
        """The ids in a list, right or wrong in the rest, and whether each is a hazard."""
        ids: dict[str, bool] = {}
        section = self._top.get(f"{what}s")
        for node in section.value if isinstance(section, SequenceNode) else ():
            pairs = {key.value: value for key, value in node.value} if isinstance(node, MappingNode) else {}
            if "id" in pairs and isinstance(name := pairs["id"].value, str):
                if name in ids:
                    self._file.refuse(pairs["id"], f"{what} {name} is given twice", "give each its own id")
                ids[name] = "hazard" in pairs and pairs["hazard"].value == "true"
        return ids

    def term(self, name: str) -> Node | None:
        """A term's tree; terms may use terms, but not themselves."""
        node = self._term_nodes.get(name)
        if node is None:
            return None
        if name in self._open_terms:
            self._file.refuse(node, f"term {name} uses itself", "write it out")
        elif len(self._open_terms) >= MAX_DEPTH:
            self._file.refuse(node, f"term {name}: more than {MAX_DEPTH} terms inside each other", "write some out")
        elif name not in self._terms:
            self._open_terms.add(name)
            self._terms[name] = self._expression(node, f"term {name}") or _BROKEN
            self._open_terms.remove(name)
        return self._terms.get(name, _BROKEN)

    def _expression(self, node: YamlNode, what: str) -> Node | None:
        written = self._file.text(node, what, expected="an expression")
        if written is None:
            return None
        try:
            return parse(written, self.term)
        except ExpressionError as wrong:
            self._file.refuse(node, f"{what}: {wrong}", at=wrong.at)
        return None

    def _match(self, node: YamlNode, what: str) -> Node | None:
        """What a brand or an issue is matched by: it must say what to look for."""
        tree = self._expression(node, what)
        if tree is None:
            return None
        if tree != _BROKEN and not calls(tree):
            self._file.refuse(
                node,
                f"{what}: {_NO_LITERAL}",
                _LITERAL_HINT,
                at=0,
            )
        if self._lang and "lang" not in conditions(tree):
            return Group("and", (tree, self._lang), tree.leaves + 1, tree.depth + 1)
        return tree

    def _brand(self, node: YamlNode) -> Brand | None:
        file = self._file
        found = file.mapping(node, "brand", _BRAND, needed=("id", "match"))
        brand = file.text(found["id"], "brand: id", _ID, _ID_EXPECTED) if "id" in found else None
        what = f"brand {brand}"
        role = file.choice(found["role"], f"{what}: role", ("own", "competitor")) if "role" in found else "own"
        match = self._match(found["match"], f"{what}: match") if "match" in found else None
        exclude = self._expression(found["exclude"], f"{what}: exclude") if "exclude" in found else None
        accounts = [
            Account(source, fold(name).removeprefix("@"))
            for n in file.items(found.get("own_accounts"), f"{what}: own_accounts")
            if (
                text := file.text(
                    n, f"{what}: own_accounts", r"[a-z0-9_-]+:\S+", 'source:account, such as "x:dellcares"'
                )
            )
            for source, _, name in [text.partition(":")]
        ]
        zone = self._zone(found["timezone"], what) if "timezone" in found else None
        value = self._value(found["customer_value"], what) if "customer_value" in found else None
        if brand is None or match is None:
            return None
        return Brand(brand, cast("Any", role), match, exclude, tuple(accounts), zone, value)

    def _zone(self, node: YamlNode, what: str) -> ZoneInfo | None:
        name = self._file.text(node, f"{what}: timezone")
        try:
            return ZoneInfo(name) if name else None
        except (LookupError, ValueError, OSError):
            self._file.refuse(node, f"{what}: timezone: found {name!r}, no known time zone", "write America/Chicago")
        return None

    def _value(self, node: YamlNode, what: str) -> CustomerValue | None:
        found = self._file.mapping(node, f"{what}: customer_value", ("currency", "save"), needed=("currency", "save"))
        if len(found) < 2:
            return None
        currency = self._file.text(found["currency"], f"{what}: currency", r"[A-Z]{3}", "three capitals such as USD")
        save = self._file.text(found["save"], f"{what}: save", r"\d{1,12}(\.\d+)?", "an amount such as 385")
        return CustomerValue(currency, float(save)) if currency and save else None

    def _issue(self, node: YamlNode, brands: set[str]) -> Issue | None:
        file = self._file
        found = file.mapping(node, "issue", ("id", "brands", "match", "hazard"), needed=("id", "match"))
        issue = file.text(found["id"], "issue: id", _ID, _ID_EXPECTED) if "id" in found else None
        match = self._match(found["match"], f"issue {issue}: match") if "match" in found else None
        hazard = (
            file.choice(found["hazard"], f"issue {issue}: hazard", ("true", "false")) if "hazard" in found else None
        )
        only = None
        if "brands" in found:
            only = frozenset(filter(None, self._names(found["brands"], f"issue {issue}: brands", brands)))
            if not only:
                file.refuse(found["brands"], f"issue {issue}: brands: there is none", "leave it out for any brand")
        return Issue(issue, match, only, hazard == "true") if issue and match else None

    def _names(self, node: YamlNode, what: str, known: set[str]) -> list[str | None]:
        return [self._file.choice(n, what, sorted(known)) for n in self._file.items(node, what)]

    def _test(self, node: YamlNode, known: dict[str, dict[str, bool]]) -> dict[str, Any]:
        """A mention, and what is expected of it."""
        file = self._file
        found = file.mapping(
            node, "test", (*_TEST, "followers", "place", "brand", "issue", "note"), needed=("text", "brand")
        )
        said: dict[str, Any] = {
            name: file.text(found[name], f"test: {name}") or "" for name in _TEST if name in found and name != "channel"
        }
        if "channel" in found:
            said["channel"] = file.choice(found["channel"], "test: channel", CHANNELS) or "post"
        if "followers" in found:
            said["author_followers"] = int(
                file.text(found["followers"], "test: followers", r"\d{1,12}", "a number") or 0
            )
        if "place" in found:
            said["place"] = Place(city=file.text(found["place"], "test: place"))
        test: dict[str, Any] = {"said": said}
        for key in known.keys() & found.keys():
            test[key] = sorted(filter(None, self._names(found[key], f"test: {key}", set(known[key]))))
        return test

    def _run(self, node: YamlNode, test: dict[str, Any], matcher: Matcher) -> None:
        """Refuse a test that fails. A test that names no issue: says nothing about issues."""
        said = {"source": "test", **test["said"]}
        matched = matcher.match(Mention(id="test", observed_at=datetime.min.replace(tzinfo=UTC), **said))
        got = {
            "brand": sorted(b.brand for b in matched.brands),
            "issue": sorted({i for b in matched.brands for i in b.issues}),
        }
        for key in sorted(got.keys() & test.keys()):
            if got[key] != test[key]:
                out = f", taken out by {', '.join(matched.excluded_by)}" if matched.excluded_by else ""
                self._file.refuse(
                    node,
                    f"the test {said['text']!r} failed: expected {key} {test[key]}, found {got[key]}{out}",
                    "mend the rule or the test",
                )
