"""`groundswell dead-letters`: what intake set aside, and sending it back."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections import Counter
from typing import TYPE_CHECKING

import click
from aiokafka.errors import KafkaError

from agents.cli.errors import CommandError
from agents.cli.letters import ATTEMPTS, Letter, Wanted, letters_in
from agents.cli.read import connected, reading
from agents.sources.publisher import make_producer
from streams.core.parse import REASONS
from streams.core.sanitise import one_line
from streams.topics import DEAD_LETTERS, RAW

if TYPE_CHECKING:
    from datetime import datetime

    from aiokafka.structs import RecordMetadata

    from agents.cli.chosen import Chosen
    from agents.cli.read import Ends
    from streams.settings import Settings

FIRST_BYTES = 400
SHORT, LONG = 80, 280
MOST_IN_FLIGHT = 1000


@click.group()
def dead_letters() -> None:
    """Look at what intake could not read, and send it back."""


@dead_letters.command("list")
@click.option("--reason", type=click.Choice(REASONS), help="Only these.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="The latest so many.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON each, in ASCII.")
@click.pass_obj
def show(chosen: Chosen, reason: str | None, limit: int, as_json: bool) -> None:
    """List what was set aside and why, the latest at the end.

    Each is shown with its place in mentions.raw (partition/offset), its key, and how its value begins.

    \b
    Examples:
      groundswell dead-letters list
      groundswell dead-letters list --reason not_json --limit 5

    Next: mend what caused it; what is worth another try goes back with `groundswell dead-letters replay`.
    """  # noqa: D301
    latest, counts = asyncio.run(_latest(chosen.settings(), Wanted(reason), limit))
    for letter in latest:
        click.echo(json.dumps(_as_record(letter)) if as_json else _as_text(letter))
    reasons = ", ".join(f"{name} {count:,}" for name, count in counts.most_common())
    shown = f"; the latest {limit:,} are shown" if counts.total() > limit else ""
    click.echo(f"{_many(counts.total())}{f': {reasons}' if reasons else ''}{shown}", err=True)


@dead_letters.command()
@click.option("--reason", type=click.Choice(REASONS), help="Only these.")
@click.option("--partition", type=click.IntRange(0), help="Only those that came from here in mentions.raw.")
@click.option("--offset", type=click.IntRange(0), help="Only the one that came from here; needs --partition.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
def replay(chosen: Chosen, reason: str | None, partition: int | None, offset: int | None, yes: bool) -> None:
    """Send dead letters back to mentions.raw, as they came.

    Key, bytes and partition are those of the first time; the header dlq.attempts counts the tries. What was
    sent back before is sent again: intake drops what it has taken, and sets aside again what it still
    cannot read. It stops when most of what it reads is rejected, so send back only what should be read now.

    \b
    Examples:
      groundswell dead-letters replay --reason time_future
      groundswell dead-letters replay --partition 0 --offset 1234 --yes

    Next: `groundswell dead-letters list` shows what came back.
    """  # noqa: D301
    if offset is not None and partition is None:
        raise click.UsageError("--offset needs --partition: each partition has its own offsets")
    settings, wanted = chosen.settings(), Wanted(reason, partition, offset)
    count, ends = asyncio.run(_count(settings, wanted))
    if not count:
        click.echo("No such dead letters.")
    elif yes or click.confirm(f"Send {_many(count)} back to {RAW.full_name(settings)}?"):
        sent = asyncio.run(_send_back(settings, wanted, ends))
        click.echo(f"{_many(sent)} sent back to {RAW.full_name(settings)}.")
    else:
        raise CommandError("nothing was sent")


async def _latest(settings: Settings, wanted: Wanted, limit: int) -> tuple[list[Letter], Counter[str]]:
    latest: list[tuple[datetime, int, int, int, Letter]] = []
    counts: Counter[str] = Counter()
    async with reading(settings, DEAD_LETTERS) as reader:
        async for letter in letters_in(reader, wanted):
            counts[letter.reason] += 1
            heapq.heappush(latest, (*letter[:4], letter))
            if len(latest) > limit:
                heapq.heappop(latest)
    return [letter for *_, letter in sorted(latest)], counts


async def _count(settings: Settings, wanted: Wanted) -> tuple[int, Ends]:
    async with reading(settings, DEAD_LETTERS) as reader:
        return sum([1 async for _ in letters_in(reader, wanted)]), reader.ends


async def _send_back(settings: Settings, wanted: Wanted, ends: Ends) -> int:
    """Send what `_count` counted, up to the same ends: what comes back meanwhile is not sent again."""
    sent = 0
    unacknowledged: list[asyncio.Future[RecordMetadata]] = []
    topic, producer = RAW.full_name(settings), make_producer(settings)

    async def settle() -> None:
        nonlocal sent
        await asyncio.gather(*unacknowledged)
        sent += len(unacknowledged)
        unacknowledged.clear()

    async with reading(settings, DEAD_LETTERS, ends) as reader, connected(producer, settings):
        try:
            async for letter in letters_in(reader, wanted):
                attempts = str(letter.attempts + 1).encode()
                # A client refuses a record with neither key nor value; an empty one is rejected just as well.
                value = letter.value or b""
                unacknowledged.append(
                    await producer.send(
                        topic, value, letter.key, partition=letter.partition, headers=[(ATTEMPTS, attempts)]
                    )
                )
                if len(unacknowledged) >= MOST_IN_FLIGHT:
                    await settle()
            await settle()
        except KafkaError as refused:
            raise CommandError(f"{topic}: {sent:,} were sent back, then Kafka refused: {refused}") from refused
    return sent


def _many(letters: int) -> str:
    return f"{letters:,} dead letter{'' if letters == 1 else 's'}"


def _as_text(letter: Letter) -> str:
    tried = f"  sent back {letter.attempts} times" if letter.attempts else ""
    return (
        f"{letter.set_aside_at:%Y-%m-%d %H:%M:%S}  {one_line(letter.reason, SHORT)}  {letter.partition}/{letter.offset}  "
        f"key {_printable(letter.key, SHORT)}{tried}\n"
        f"  {one_line(letter.detail, LONG)}\n"
        f"  {_printable(letter.value, LONG)}"
    )


def _as_record(letter: Letter) -> dict[str, object]:
    return letter._asdict() | {
        "set_aside_at": letter.set_aside_at.isoformat(),
        "key": _printable(letter.key, LONG),
        "value": _printable(letter.value, LONG),
        "value_bytes": len(letter.value or b""),
    }


def _printable(stood: bytes | None, limit: int) -> str:
    return one_line((stood or b"")[:FIRST_BYTES].decode(errors="backslashreplace"), limit) or "(nothing)"
