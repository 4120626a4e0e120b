"""What a team wants of what is heard, as a rule file says it: whom to tell of what, and which events are known."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from streams.core.calendar import DAYS, Event, Once, Weekly
from streams.core.detectors import WATCHED
from streams.core.rulefile import CLOCK
from streams.core.severity import SEVERITIES
from streams.core.tracking import Watch

if TYPE_CHECKING:
    from yaml import Node

    from streams.core.rulefile import RuleFile
    from streams.core.tracking import Brand, Issue

DETECTORS = tuple(dict.fromkeys(("volume", "negativity", "emerging_terms", "hazard", *WATCHED)))
MOST_HAZARDS = 32
"""Of one brand: for each, people are remembered."""

MOST_AT_LEAST, WITHIN = 100, (timedelta(minutes=1), timedelta(days=30))
_WATCH = ("when", "detect", "severity", "cooldown", "at_least", "within")
_EVENT = ("name", "brands", "from", "until", "every", "for", "expect", "mute", "hazard")


class Wishes:
    """The reader. `known` has the ids of brands and issues, and whether each is a hazard."""

    def __init__(self, file: RuleFile, known: dict[str, dict[str, bool]]) -> None:
        self._file, self._known = file, known
        self._watched: dict[tuple[str, str], Node] = {}

    def watch(self, node: Node) -> Watch | None:
        """One line of `watch`."""
        file, known = self._file, self._known
        found = file.mapping(node, "watch", _WATCH, needed=("when", "detect"))
        if "when" not in found or "detect" not in found:
            return None
        when = file.text(found["when"], "watch: when", r"(brand|issue):\S+", "brand:<id> or issue:<id>")
        detect = file.choice(found["detect"], "watch: detect", DETECTORS)
        severity = file.choice(found["severity"], "watch: severity", SEVERITIES) if "severity" in found else "warning"
        cooldown = file.span(found["cooldown"], "watch: cooldown") if "cooldown" in found else None
        at_least = file.whole(found["at_least"], "watch: at_least") if "at_least" in found else None
        within = file.span(found["within"], "watch: within") if "within" in found else None
        if at_least is not None and at_least > MOST_AT_LEAST:
            file.refuse(found["at_least"], f"watch: at_least: found {at_least}, at most {MOST_AT_LEAST} allowed")
        if within is not None and not WITHIN[0] <= within <= WITHIN[1]:
            file.refuse(found["within"], "watch: within: expected from 1m to 30d")
        kind, _, name = (when or "").partition(":")
        if when and name not in known[kind]:
            file.refuse(found["when"], f"watch: when: found the unknown {kind} {name}", file.suggest(name, known[kind]))
        if detect == "hazard" and kind == "issue" and known[kind].get(name) is False:
            file.refuse(found["detect"], f"watch: issue {name} is no hazard", "set hazard: true on the issue")
        for key in ("at_least", "within"):
            if key in found and detect != "hazard":
                file.refuse(found[key], f"watch: {key}: is only for detect: hazard", "remove it")
        if not (when and detect):
            return None
        if (when, detect) in self._watched:
            file.refuse(node, f"watch: {when}, detect: {detect}: is given twice", "keep one")
        self._watched[when, detect] = found["detect"]
        return Watch(cast("Any", kind), name, cast("Any", detect), cast("Any", severity), cooldown, at_least, within)

    def check(self, brands: list[Brand], issues: list[Issue], watch: list[Watch], node: Node) -> None:
        """Refuse what each line may say, but not together with the others; `node` is where the issues stand."""
        for brand in brands:
            hazards = [one for one in issues if one.hazard and (one.brands is None or brand.id in one.brands)]
            if len(hazards) > MOST_HAZARDS:
                what = f"brand {brand.id}: {len(hazards)} hazards, at most {MOST_HAZARDS} allowed"
                self._file.refuse(node, what, "give issues their brands")
            if not hazards and any((one.kind, one.id, one.detect) == ("brand", brand.id, "hazard") for one in watch):
                self._file.refuse(
                    self._watched[f"brand:{brand.id}", "hazard"],
                    f"watch: brand {brand.id} has no hazard",
                    "set hazard: true on one of its issues",
                )

    def event(self, node: Node) -> Event | None:
        """One entry of `calendar`."""
        file, brands = self._file, sorted(self._known["brand"])
        found = file.mapping(node, "calendar", _EVENT, needed=("name",))
        name = (
            file.text(found["name"], "calendar: name", r"[^\n]{1,80}", "a name in one line")
            if "name" in found
            else None
        )
        what = f"calendar {name}"
        when = self._occasion(node, found, what)
        expect = file.factor(found["expect"], f"{what}: expect") if "expect" in found else None
        mute, hazard = (
            file.choice(found[key], f"{what}: {key}", ("true", "false")) == "true" if key in found else False
            for key in ("mute", "hazard")
        )
        if mute == ("expect" in found):
            file.refuse(node, f"{what}: expected one of expect: and mute: true", "expect: 3x, or mute: true")
        if hazard and not mute:
            file.refuse(found["hazard"], f"{what}: hazard: is only for mute: true", "remove it")
        only = None
        if "brands" in found:
            only = frozenset(
                filter(None, (file.choice(n, f"{what}: brands", brands) for n in file.items(found["brands"], what)))
            )
            if not only:
                file.refuse(found["brands"], f"{what}: brands: there is none", "leave it out for all brands")
        return Event(name, when, only, expect, mute, hazard) if name and when else None

    def _occasion(self, node: Node, found: dict[str, Node], what: str) -> Once | Weekly | None:
        """Either from and until, or every and for."""
        file, keys = self._file, found.keys() & {"from", "until", "every", "for"}
        if keys == {"from", "until"}:
            first = file.moment(found["from"], f"{what}: from")
            until = file.moment(found["until"], f"{what}: until", whole_day=True)
            if first and until and until <= first:
                file.refuse(found["until"], f"{what}: until: is not after from")
            return Once(first, until) if first and until else None
        if keys == {"every", "for"}:
            each = file.text(
                found["every"],
                f"{what}: every",
                rf"({'|'.join(DAYS)}|day) {CLOCK}",
                "a day and an hour such as Thu 19:00, or day 19:00",
            )
            span = file.span(found["for"], f"{what}: for")
            if each is None or span is None:
                return None
            day, _, clock = each.partition(" ")
            hour, minute = map(int, clock.split(":"))
            if span > timedelta(days=1 if day == "day" else 7):
                file.refuse(found["for"], f"{what}: for: is longer than until the next time", "shorten it")
            weekday = None if day == "day" else DAYS.index(day)
            return Weekly(weekday, timedelta(hours=hour, minutes=minute), span)
        file.refuse(node, f"{what}: expected from: and until:, or every: and for:", "every: Thu 19:00, for: 2h")
        return None
