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
    from streams.core.rules import Rules
    from streams.settings import Settings

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

    Next: `groundswell rules publish rules.yaml`.
    """  # noqa: D301
    text = read_rules(file)
    found = checked(ctx, file, text)
    brands = [f"{brand.id} ({brand.role})" for brand in found.brands]
    issues = [f"{issue.id} (hazard)" if issue.hazard else issue.id for issue in found.issues]
    click.echo(f"{file}: ruleset {found.ruleset}, version {found.version[:12]}")
    click.echo(f"  brands: {', '.join(brands)}")
    click.echo(f"  issues: {', '.join(issues) or 'none'}")
    click.echo(f"  watch:  {len(found.watch)} lines")
    click.echo(f"  tests:  {_tests_in(text)} passed")


@rules.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def publish(ctx: click.Context, file: Path) -> None:
    """Put a rule file in force: all workers judge what comes by it, without a restart.

    The file is checked first, and its tests are run, as `check` does it; one that is refused changes nothing. Each
    partition turns to the new version at its next record. What was judged before stays as it was judged, also where a
    crash makes a worker judge it again. A brand that is not in the file any more is told of no more: its open
    alert is resolved (rule_removed). Publish the file of before to go back.

    \b
    Example:
      groundswell rules publish rules.yaml

    Next: `groundswell status` names the versions by which partitions judge.
    """  # noqa: D301
    from agents.cli.inforce import put_in_force  # noqa: PLC0415  loads a Kafka client, `check` needs none

    text = read_rules(file)
    found = checked(ctx, file, text)
    chosen: Chosen = ctx.obj
    before = asyncio.run(put_in_force(chosen.settings(), found, text))
    if before == found.version:
        click.echo(f"Version {found.version[:12]} is in force already: nothing was changed.", err=True)
    else:
        click.echo(f"{file}: ruleset {found.ruleset}, version {found.version[:12]} is in force")
        click.echo(f"  before: {before[:12] or 'none'}")


@rules.command()
@click.argument("version", default="")
@click.pass_obj
def show(chosen: Chosen, version: str) -> None:
    """Print the rules that are in force, or the VERSION that begins so, as they were published.

    \b
    Examples:
      groundswell rules show > rules.yaml
      groundswell rules show bcd84ae38506
    """  # noqa: D301
    from agents.cli.inforce import NONE_YET, published  # noqa: PLC0415

    texts, in_force = asyncio.run(published(chosen.settings()))
    if not version and not in_force:
        raise CommandError(NONE_YET)
    found = [name for name in texts if name.startswith(version or in_force)]
    if len(found) != 1:
        known = ", ".join(name[:12] for name in texts) or "none"
        raise CommandError(f"{len(found)} versions begin with {version or in_force[:12]}; published were: {known}")
    click.echo(texts[found[0]], nl=False)


def checked(ctx: click.Context, file: Path, text: str) -> Rules:
    """Return the file's rules; where they are refused, say why, and leave with 1."""
    try:
        return load_rules(text, where=str(file))
    except RulesError as refused:
        for problem in refused.problems:
            click.echo(problem, err=True)
            click.echo(pointed_at(problem, text), err=True, nl=False)
        ctx.exit(FAILED)


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


def load_file(file: Path) -> Rules:
    """A rule file, read and checked.

    Raises:
        CommandError: it is not UTF-8.
        RulesError: it is refused.
    """
    return load_rules(read_rules(file), where=str(file))


def given_file(file: Path | None, settings: Settings) -> Path:
    """The rule file that a command names, else the setting's.

    Raises:
        click.UsageError: there is neither.
    """
    path = file or settings.rules
    if path is None:
        raise click.UsageError("by which rules? Name them with --rules, or set GROUNDSWELL_RULES")
    return path


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
