"""What `groundswell rules try` tries an expression on, and how it shows what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.cli.read import reading
from agents.sources.replay import Replay
from streams.core.parse import parse
from streams.core.recall import words_of
from streams.core.sanitise import one_line
from streams.records import Mention
from streams.topics import RAW

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from streams.records import Hit
    from streams.settings import Settings

WIDTH = 400


async def recorded(file: Path) -> list[Mention]:
    """The mentions of a recorded file; what cannot be read is passed over, as intake would set it aside."""
    parsed = [parse(said.key, said.value) async for said in Replay(file).listen()]
    return [one for one in parsed if isinstance(one, Mention) and one.op in ("create", "update")]


async def recent_ones(settings: Settings, count: int) -> list[Mention]:
    """The last `count` records of each raw partition that are mentions, without what was deleted since."""
    kept: dict[str, Mention] = {}
    async with reading(settings, RAW) as reader:
        async for record in reader.tail(count):
            one = parse(record.key, record.value)
            if not isinstance(one, Mention):
                continue
            if one.op == "account_removed":
                kept = {name: other for name, other in kept.items() if other.author_id != one.author_id}
            elif one.op == "delete":
                kept.pop(one.id, None)
            else:
                kept[one.id] = one
    return list(kept.values())


def shown(mention: Mention, hits: Iterable[Hit]) -> str:
    """A mention on one line, with what was hit in [brackets]; hits in other fields than the text stand behind."""
    marks = sorted({(hit.start, hit.end) for hit in hits if hit.field == "text"})
    text, at, line = mention.text or "", 0, ""
    for start, end in marks:
        if start >= at:
            line += text[at:start] + "[" + text[start:end] + "]"
            at = end
    line += text[at:]
    others = [f"{hit.field}: [{words_of(mention, hit)}]" for hit in hits if hit.field != "text"]
    return one_line("  ".join([f"{mention.id}:", line, *others]), WIDTH)
