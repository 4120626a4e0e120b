"""`groundswell alerts`: what the compacted topic `alerts` says, for people."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC
from typing import TYPE_CHECKING

import click
import msgspec
from rich.console import Console
from rich.text import Text

from agents.cli.errors import CommandError
from agents.cli.read import reading
from streams.core.sanitise import one_line
from streams.records import Alert
from streams.topics import ALERTS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from aiokafka.structs import ConsumerRecord

    from agents.cli.chosen import Chosen
    from streams.settings import Settings

STYLES = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
SHORT, LONG = 80, 280

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
      groundswell alerts --all --json | jq .title
      groundswell alerts --follow

    Next: if nothing shows where something should, see whether a worker runs and `groundswell dead-letters list`.
    """  # noqa: D301
    asyncio.run(_alerts(chosen.settings(), _as_json if as_json else _as_text, resolved_too=resolved_too, follow=follow))


async def _alerts(settings: Settings, show: Callable[[Alert], None], *, resolved_too: bool, follow: bool) -> None:
    latest: dict[str, Alert] = {}
    async with reading(settings, ALERTS) as reader:
        async for record in reader.to_end():
            if alert := _alert(record):
                latest[alert.id] = alert
            else:
                latest.pop((record.key or b"").decode(), None)
        shown = sorted(latest.values(), key=lambda alert: (alert.started_at, alert.id))
        shown = [alert for alert in shown if resolved_too or alert.status == "firing"]
        for alert in shown:
            show(alert)
        if not shown:
            click.echo("No alerts." if resolved_too else "No open alerts.", err=True)
        steps = {alert.id: alert.step for alert in latest.values()}
        async for record in reader.onwards() if follow else ():
            alert = _alert(record)
            if alert and alert.step > steps.get(alert.id, 0):  # an open alert is published again each minute
                steps[alert.id] = alert.step
                show(alert)


def _alert(record: ConsumerRecord) -> Alert | None:
    """The record's alert; None: its key is to be forgotten."""
    if record.value is None:
        return None
    try:
        return _decode(record.value)
    except msgspec.DecodeError as broken:
        where = f"{record.topic}, partition {record.partition}, offset {record.offset}"
        raise CommandError(f"{where}: this is no alert: {broken}. Does something else write to this topic?") from broken


def _as_json(alert: Alert) -> None:
    """ASCII, so that what strangers wrote is harmless in a terminal too."""
    click.echo(json.dumps(msgspec.to_builtins(alert)))


def _as_text(alert: Alert) -> None:
    Console(highlight=False).print(describe(alert), soft_wrap=True)


def describe(alert: Alert) -> Text:
    """Return an alert as a few lines; every word that a stranger may have chosen is made safe."""
    seen = alert.evidence
    over = alert.status == "resolved"
    text = Text()
    text.append(alert.status.upper(), style="green" if over else STYLES[alert.severity])
    text.append(f" {alert.severity}  ")
    text.append(one_line(alert.title, LONG), style="bold")
    until = f" to {_time(alert.resolved_at)}" if alert.resolved_at else ", "
    facts = [f"score {seen.score:.1f}", f"{seen.authors} authors"]
    if seen.negative_share is not None:
        usual = "" if seen.usual_negative_share is None else f" (usually {seen.usual_negative_share:.0%})"
        facts.append(f"{seen.negative_share:.0%} negative{usual}")
    lines = [
        f"{'' if over else 'since '}{_time(alert.started_at)}{until} step {alert.step}, id {one_line(alert.id, SHORT)}",
        ", ".join(facts),
        f"seen by {one_line(', '.join(alert.detectors), LONG)}",
        *(f"{name}: {_counts(of)}" for name, of in (("issues", seen.issues), ("sources", seen.sources)) if of),
    ]
    for sample in seen.samples:
        where = f"  {one_line(sample.url, LONG)}" if sample.url else ""
        who = one_line(sample.author_name or "somebody", SHORT)
        lines.append(f"- {sample.observed_at.astimezone(UTC):%H:%M} {who}: {one_line(sample.text, LONG)}{where}")
    for line in lines:
        text.append(f"\n  {line}")
    return text


def _time(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _counts(of: Mapping[str, int]) -> str:
    ranked = sorted(of.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{one_line(name, SHORT)} {count:,}" for name, count in ranked)
