"""A made-up world, or a scenario's story, as files: mentions, the truth about them, rules to hear them by."""

from __future__ import annotations

from datetime import timedelta
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from agents.simulator.events import Event, Truth
from agents.sources.teller import Teller
from streams.records import Mention, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from agents.simulator import World
    from agents.sources.scenario import Scenario


class Files(NamedTuple):
    """Where to write; None: not at all."""

    mentions: Path
    truth: Path | None = None
    rules: Path | None = None


def write_world(world: World, files: Files) -> Truth:
    """Tell a world into files, its mentions in order of time; return the truth. The same world, the same bytes.

    Raises:
        OSError: a file cannot be written.
    """
    with files.mentions.open("wb") as out:
        for said in world.tell():
            out.write(encode(said.mention) + b"\n")
    truth = world.truth()
    _write_rest(files, truth, world.rules())
    return truth


def write_story(scenario: Scenario, end: datetime, files: Files) -> Truth:
    """Tell a scenario, history and live part, so that it ends at `end`; all but incidents and campaigns is quiet.

    Raises:
        OSError: a file cannot be written.
    """
    live_ms = round(scenario.live_min * 60_000)
    surges: dict[str, list[Mention]] = {surge.id: [] for surge in scenario.surges}
    told, start = 0, end - timedelta(milliseconds=live_ms, days=scenario.history_days)
    with files.mentions.open("wb") as out:
        for one in takewhile(lambda each: each.at_ms < live_ms, Teller(scenario).tell()):
            at = end + timedelta(milliseconds=one.at_ms - live_ms)
            mention = Mention(observed_at=at, posted_at=at, **one.fields)
            out.write((encode(mention) + b"\n") * one.copies)
            told += one.copies
            if one.surge:
                surges[one.surge].append(mention)
    events = tuple(_events(scenario, surges))
    truth = Truth(
        seed=scenario.seed,
        hard=False,
        start=start,
        quiet_until=min((event.start for event in events), default=end),
        end=end,
        mentions=told,
        events=events,
    )
    _write_rest(files, truth, Path(scenario.rules).read_text(encoding="utf-8"))
    return truth


def _events(scenario: Scenario, surges: dict[str, list[Mention]]) -> Iterator[Event]:
    for surge in scenario.surges:
        if mentions := surges[surge.id]:
            yield Event(
                kind="incident" if surge in scenario.incidents else "campaign",
                brand=surge.brand,
                theme=surge.id,
                start=mentions[0].observed_at,
                end=mentions[-1].observed_at,
                mentions=tuple(mention.id for mention in mentions),
            )


def _write_rest(files: Files, truth: Truth, rules: str) -> None:
    if files.truth:
        # One line an event, so that people can look at it.
        written = msgspec.json.encode(truth).replace(b'{"kind":', b'\n{"kind":')
        files.truth.write_bytes(written + b"\n")
    if files.rules:
        files.rules.write_text(rules, encoding="utf-8")
