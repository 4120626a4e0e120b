"""The versions of the rules on their topic, and how one is put in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agents.cli.errors import CommandError
from agents.cli.read import reading
from streams.outbox import NotDeliveredError
from streams.records import ON_RULES, Ruleset
from streams.rulebook import publish
from streams.topics import RULES

if TYPE_CHECKING:
    from streams.core.rules import Rules
    from streams.settings import Settings


async def put_in_force(settings: Settings, rules: Rules, text: str) -> str:
    """Publish a version, unless it is in force; return which one was.

    Raises:
        CommandError: no broker answers, or it has no such topic; or it did not take the version.
    """
    _, before = await published(settings)
    if before != rules.version:
        try:
            await publish(settings, rules, text)
        except NotDeliveredError as error:
            raise CommandError(f"{error}. Run this again.") from error
    return before


async def published(settings: Settings) -> tuple[dict[str, str], str]:
    """Return each version's text, oldest first, and which one is in force (empty: none).

    Raises:
        CommandError: no broker answers, or it has no such topic.
    """
    texts, in_force = {}, ""
    async with reading(settings, RULES) as reader:
        for record in await reader.latest():
            try:
                one = msgspec.json.decode(record.value, type=ON_RULES)
            except msgspec.DecodeError:
                continue  # none of ours; workers pass it over, too
            if isinstance(one, Ruleset):
                texts[one.version] = one.text
            else:
                in_force = one.version
    return texts, in_force
