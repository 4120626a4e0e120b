"""`groundswell alerts`: what the compacted topic `alerts` says, for people."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import click
import msgspec
from msgspec.structs import replace
from rich.console import Console
from rich.text import Text

from agents.cli.errors import CommandError
from agents.cli.read import reading
from streams.records import Alert
from streams.topics import ALERTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiokafka.structs import ConsumerRecord

    from agents.cli.chosen import Chosen
    from streams.settings import Settings

STYLES = {"critical": "bold red", "warning": "bold yellow", "info": "bold cyan", "ticket": "cyan"}

_decode = msgspec.json.Decoder(Alert).decode


@click.command()
@click.option("--all", "resolved_too", is_flag=True, help="Resolved ones as well; they are kept for 30 days.")
@click.option("--follow", is_flag=True, help="Then go on, and print each step of each alert as it comes.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON an alert: the record, in ASCII.")
@click.pass_obj
def alerts(chosen: Chosen, resolved_too: bool, follow: bool, as_json: bool) -> None:
    """Show what is wrong right now, with the evidence.

    The newest is at the end.

    \b
    Examples:
      groundswell alerts
      groundswell alerts --follow
      groundswell alerts --all --json | jq .title

    Next: if nothing shows where something should, see whether a worker runs, and `groundswell dead-letters list`.
    """  # noqa: D301
    show = _as_json if as_json else _as_text
    asyncio.run(_alerts(chosen.settings(), show, resolved_too=resolved_too, follow=follow))


async def _alerts(settings: Settings, show: Callable[[Alert], None], *, resolved_too: bool, follow: bool) -> None:
    async with reading(settings, ALERTS) as reader:
        latest = sorted(map(_alert, await reader.latest()), key=lambda alert: (alert.started_at, alert.id))
        shown = [alert for alert in latest if resolved_too or alert.status == "firing"]
        for alert in shown:
            show(alert)
        if not shown:
            click.echo("No alerts." if resolved_too else "No open alerts.", err=True)
        if not follow:
            return
        steps = {alert.id: alert.step for alert in latest}
        async for record in reader.onwards():
            if record.value is not None:
                alert = _alert(record)
                if alert.step > steps.get(alert.id, 0):  # an open alert is published again each minute
                    steps[alert.id] = alert.step
                    show(alert)


def _alert(record: ConsumerRecord) -> Alert:
    try:
        return _decode(record.value)
    except msgspec.DecodeError as broken:
        where = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        raise CommandError(f"{where}: this is no alert: {broken}. Does something else write to this topic?") from broken


def _as_json(alert: Alert) -> None:
    """ASCII, so that what strangers wrote is harmless in a terminal too."""
    click.echo(json.dumps(msgspec.to_builtins(alert)))


def _as_text(alert: Alert) -> None:
    from agents.notifiers.log import describe  # noqa: PLC0415  brings the other notifiers, and --help needs none

    # That it was said again just now is news to nobody who asks what is open.
    told = replace(alert, change="fired") if alert.change == "refreshed" else alert
    text = Text(describe(told, f"id {alert.id}"))
    style = (
        "bold green" if alert.status == "resolved" else STYLES[alert.severity if alert.urgency == "page" else "ticket"]
    )
    text.stylize(style, 0, text.plain.index("\n"))
    Console(highlight=False).print(text, soft_wrap=True)
