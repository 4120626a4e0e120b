"""`groundswell rules`."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agents.cli.errors import FAILED, CommandError
from streams.core.rulefile import RuleFile, RulesError, plain
from streams.core.rules import load_expression, load_rules

if TYPE_CHECKING:
    from agents.cli.chosen import Chosen

WIDTH = 120


@click.group()
def rules() -> None:
    """Work on the rules that say what to listen for."""


@rules.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def check(ctx: click.Context, file: Path) -> None:
    """Check a rule file, and run the tests inside it.

    Every problem is told with FILE:LINE:COLUMN first, as editors and CI read it, and the line with a mark
    below; then the exit code is 1. A worker refuses what this refuses.

    \b
    Example:
      groundswell rules check rules.yaml

    Next: `groundswell worker --rules rules.yaml`.
    """  # noqa: D301
    text = read_rules(file)
    try:
        found = load_rules(text, where=str(file))
    except RulesError as refused:
        for problem in refused.problems:
            click.echo(problem, err=True)
            click.echo(pointed_at(problem, text), err=True, nl=False)
        ctx.exit(FAILED)
    brands = [f"{brand.id} ({brand.role})" for brand in found.brands]
    issues = [f"{issue.id} (hazard)" if issue.hazard else issue.id for issue in found.issues]
    click.echo(f"{file}: ruleset {found.ruleset}, version {found.version[:12]}")
    click.echo(f"  brands: {', '.join(brands)}")
    click.echo(f"  issues: {', '.join(issues) or 'none'}")
    click.echo(f"  watch:  {len(found.watch)} lines")
    click.echo(f"  tests:  {_tests_in(text)} passed")


@rules.command("try")
@click.argument("expression")
@click.option(
    "--input", "source", type=click.Path(path_type=Path), help="Recorded mentions: .jsonl, or any .csv or .tsv."
)
@click.option(
    "--recent", type=click.IntRange(1), default=1000, show_default=True, help="Without --input: of each raw partition."
)
@click.option(
    "--rules", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Where its $terms are."
)
@click.option("--limit", type=click.IntRange(0), default=20, show_default=True, help="Show the first so many.")
@click.pass_context
def try_expression(
    ctx: click.Context, expression: str, source: Path | None, recent: int, file: Path | None, limit: int
) -> None:
    """Show what an expression would match, in a file or in what was heard lately.

    Without --input it reads the end of mentions.raw; what was deleted since is left out.

    \b
    Examples:
      groundswell rules try '!Dell NEAR/5 (fire OR smoke)' --input mentions.jsonl
      groundswell rules try '$battery AND lang:en' --rules rules.yaml --recent 500

    Next: put it into the rules, with a test.
    """  # noqa: D301
    from agents.cli.tried import recent_ones, recorded, shown  # noqa: PLC0415  loads a Kafka client, `check` needs none

    try:
        tried = load_expression(expression, rules=read_rules(file) if file else None, where=str(file))
    except RulesError as refused:
        for problem in refused.problems:
            click.echo(problem, err=True)
            if problem.startswith("expression:"):
                click.echo(pointed_at(problem, expression), err=True, nl=False)
        ctx.exit(FAILED)
    chosen: Chosen = ctx.obj
    mentions = recorded(source) if source else recent_ones(chosen.settings(), recent)
    heard = matching = 0
    for mention in asyncio.run(mentions):
        heard += 1
        [matched] = tried.match_many([mention])
        if matched.brands:
            matching += 1
            if matching <= limit:
                click.echo(shown(mention, matched.brands[0].hits))
    left = f"; the first {limit} are shown" if matching > limit else ""
    click.echo(f"{matching:,} of {heard:,} mentions match{left}", err=True)


def read_rules(file: Path) -> str:
    """A rule file's text.

    Raises:
        CommandError: it is not UTF-8.
    """
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as broken:
        raise CommandError(f"{file}: not UTF-8 at byte {broken.start}: save it as UTF-8") from broken


def pointed_at(problem: str, text: str) -> str:
    """The line that a problem is about, with a mark below its place; nothing where there is none."""
    place = re.match(r".*?:(\d+):(\d+): ", problem)
    lines = text.split("\n")
    if place is None or not lines[int(place[1]) - 1].strip():
        return ""
    line, column = lines[int(place[1]) - 1], int(place[2]) - 1
    start = max(0, column - WIDTH // 2)
    visible = "".join(letter if letter.isprintable() else " " for letter in line[start : start + WIDTH])
    return f"  {visible}\n  {' ' * (column - start)}^\n"


def _tests_in(text: str) -> int:
    root = RuleFile(text, "").root
    top = plain(root) if root else None
    return len(top.get("tests") or ()) if isinstance(top, dict) else 0
