"""`groundswell explain`: an alert's numbers, worked out again from the raw mentions."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec
from rich.text import Text

from agents.cli.backtest import RULES, opened
from agents.cli.errors import FAILED, CommandError
from agents.cli.rules import load_file
from agents.cli.shown import console, table
from streams.core.sanitise import one_line
from streams.records import Alert

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agents.cli.chosen import Chosen
    from agents.cli.incidents import Incident
    from streams.core.rules import Rules
    from streams.settings import Settings

STRAGGLERS = timedelta(hours=1)
"""Read on for so long after the step: what was under way then may have been witnessed before it."""
WIDTH = 60
PASSING = frozenset({"change", "at"})
"""What a publication that only refreshes says of itself and not of the incident."""


class Row(NamedTuple):
    """One thing that an alert says."""

    field: str
    published: Any
    recomputed: Any

    @property
    def same(self) -> bool:
        """Whether both say the same."""
        return bool(self.published == self.recomputed)


@click.command()
@click.argument("alert_id")
@click.option(
    "--rules", type=RULES, metavar="FILE", help="Rules to judge by. Otherwise the published version it names."
)
@click.option(
    "--input", "file", type=click.Path(path_type=Path), metavar="FILE", help="Recorded mentions, not the raw topic."
)
@click.option("--map", "mapping", metavar="SPEC", help="Columns of a CSV, as `groundswell replay` takes them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object, in ASCII.")
@click.pass_context
def explain(
    ctx: click.Context, alert_id: str, rules: Path | None, file: Path | None, mapping: str | None, as_json: bool
) -> None:
    """Work an alert out again from the raw mentions, and compare the numbers.

    It reads the alert from its topic, runs the worker's own agents in memory over mentions.raw, as far back as that
    reaches, and puts what they say of the same step beside what was published. Use the workers' settings.

    Exit code 0: identical. 1: it is not, or cannot be worked out; each difference is named. What was learned from
    mentions that have expired since, or by other rules, cannot come out the same: then it says so.

    \b
    Examples:
      groundswell explain bcd84ae3850649ee
      groundswell explain bcd84ae3850649ee --rules rules.yaml --input archive.jsonl --json

    Next: `groundswell backtest` shows what other rules would have said.
    """  # noqa: D301
    from agents.cli.inforce import published_rules  # noqa: PLC0415  loads a Kafka client

    chosen: Chosen = ctx.obj
    settings = chosen.settings()
    published = asyncio.run(_published(settings, alert_id))
    judged_by = load_file(rules) if rules else asyncio.run(published_rules(settings, published.rules_version))
    found, caveats = asyncio.run(_recompute(settings, judged_by, published, file, mapping))
    if published.rules_version not in ("", judged_by.version):
        caveats.append(f"it was judged by rules {published.rules_version[:12]}; {rules} is {judged_by.version[:12]}")
    rows = list(compared(published, found))
    identical = found is not None and all(row.same for row in rows)
    if as_json:
        click.echo(json.dumps(_as_record(rows, published, found, caveats, identical=identical)))
    else:
        _say(rows, published, found, caveats, identical=identical)
    if not identical:
        ctx.exit(FAILED)


async def _published(settings: Settings, alert_id: str) -> Alert:
    from agents.cli.read import reading  # noqa: PLC0415  loads a Kafka client
    from streams.topics import ALERTS  # noqa: PLC0415

    async with reading(settings, ALERTS) as reader:
        for record in await reader.latest():
            if record.key == alert_id.encode():
                return msgspec.json.decode(record.value, type=Alert)
    raise CommandError(
        f"there is no alert {alert_id} on {ALERTS.full_name(settings)}: resolved ones are kept for 30 days; "
        "`groundswell alerts --all` lists them"
    )


async def _recompute(
    settings: Settings, rules: Rules, published: Alert, file: Path | None, mapping: str | None
) -> tuple[Alert | None, list[str]]:
    """Return what the same step says now, or the last one where it does not come to that; and what stands in the way."""
    from agents.cli.recorded import FromTopic  # noqa: PLC0415  loads Faust and all agents
    from agents.cli.rehearsed import Rehearsed, rehearse  # noqa: PLC0415

    steps: dict[int, Alert] = {}

    def note(alert: Alert) -> None:
        if alert.id == published.id and alert.change != "refreshed" and alert.step <= published.step:
            steps[alert.step] = alert

    run = Rehearsed(settings, rules, note)
    recorded = opened(file, mapping, settings) if file else FromTopic(settings)
    await rehearse(recorded, [run], published.at + STRAGGLERS)
    run.end(published.at)
    caveats = []
    if recorded.expired:
        caveats.append(
            f"{recorded.expired:,} raw records before these have expired: what they taught is not known here"
        )
    if not steps:
        met = [one for one in run.incidents.told() if _overlaps(one, published)]
        caveats += [f"no incident has this id now, but {one.fired.id}: {one.fired.title}" for one in met]
        return None, caveats
    return steps[max(steps)], caveats


def _overlaps(incident: Incident, published: Alert) -> bool:
    ended = incident.latest.resolved_at
    return incident.fired.brand == published.brand and (ended is None or published.started_at <= ended)


def compared(published: Alert, found: Alert | None) -> Iterator[Row]:
    """Put both side by side, evidence one by one."""
    passing = PASSING if published.change == "refreshed" else frozenset[str]()
    was, now = _flat(published), _flat(found) if found else {}
    for field in dict.fromkeys((*was, *now)):
        if field not in passing:
            yield Row(field, was.get(field), now.get(field))


def _flat(alert: Alert) -> Mapping[str, Any]:
    fields = msgspec.to_builtins(alert)
    evidence = fields.pop("evidence")
    return fields | {f"evidence.{name}": value for name, value in evidence.items()}


def _as_record(
    rows: list[Row], published: Alert, found: Alert | None, caveats: list[str], *, identical: bool
) -> dict[str, Any]:
    return {
        "identical": identical,
        "differences": [row._asdict() for row in rows if not row.same],
        "caveats": caveats,
        "published": msgspec.to_builtins(published),
        "recomputed": msgspec.to_builtins(found),
    }


def _say(rows: list[Row], published: Alert, found: Alert | None, caveats: list[str], *, identical: bool) -> None:
    out = console()
    shown = ((row.field, _cell(row.published), _cell(row.recomputed), "" if row.same else "differs") for row in rows)
    columns = ("", "published", "recomputed", "")
    out.print(table(f"{published.id}, step {published.step}", columns, shown, words=len(columns)))
    for caveat in caveats:
        out.print(Text(one_line(caveat, 300)), soft_wrap=True)
    if found is None:
        out.print(Text("It does not come out again."))
    elif identical:
        out.print(Text("Identical."))
    else:
        out.print(Text(f"{sum(not row.same for row in rows)} differences."))


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return one_line(value if isinstance(value, str) else json.dumps(value), WIDTH)
