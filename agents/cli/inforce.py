"""The versions of the rules on their topic, and how one is put in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from agents.cli.errors import CommandError
from agents.cli.read import reading
from streams.core.versions import UnknownVersionError, Versions
from streams.outbox import NotDeliveredError
from streams.records import ON_RULES, Ruleset
from streams.rulebook import publish
from streams.topics import RULES

if TYPE_CHECKING:
    from streams.core.rules import Rules
    from streams.settings import Settings

NONE_YET = "no rules were published yet: `groundswell rules publish FILE`, or start a worker with a file"


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


async def published_rules(settings: Settings, version: str = "") -> Rules:
    """Return a version that was published, read and checked; the one in force, where none is named.

    Raises:
        CommandError: the topic does not hold it (any more), or this software refuses it; or no broker answers.
    """
    texts, in_force = await published(settings)
    wanted = version or in_force
    if not wanted:
        raise CommandError(NONE_YET)
    versions = Versions()
    for name, text in texts.items():
        versions.add(name, text)
    try:
        return versions.of(wanted)
    except UnknownVersionError as error:
        raise CommandError(f"{error}; or name its file with --rules") from error
