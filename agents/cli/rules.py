"""`groundswell rules`."""

from __future__ import annotations

from pathlib import Path

import click

from agents.cli.errors import FAILED, CommandError
from streams.core.rulefile import RuleFile, RulesError, plain
from streams.core.rules import load_rules


@click.group()
def rules() -> None:
    """Work on the rules that say what to listen for."""


@rules.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.pass_context
def check(ctx: click.Context, file: Path) -> None:
    """Check a rule file, and run the tests inside it.

    Every problem is a line of its own, FILE:LINE:COLUMN first, as editors and CI read it; then the exit
    code is 1. A worker refuses what this refuses.

    \b
    Example:
      groundswell rules check rules.yaml

    Next: `groundswell worker --rules rules.yaml`.
    """  # noqa: D301
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as broken:
        raise CommandError(f"{file}: not UTF-8 at byte {broken.start}: save it as UTF-8") from broken
    try:
        found = load_rules(text, where=str(file))
    except RulesError as refused:
        for problem in refused.problems:
            click.echo(problem, err=True)
        ctx.exit(FAILED)
    brands = [f"{brand.id} ({brand.role})" for brand in found.brands]
    issues = [f"{issue.id} (hazard)" if issue.hazard else issue.id for issue in found.issues]
    click.echo(f"{file}: ruleset {found.ruleset}, version {found.version[:12]}")
    click.echo(f"  brands: {', '.join(brands)}")
    click.echo(f"  issues: {', '.join(issues) or 'none'}")
    click.echo(f"  watch:  {len(found.watch)} lines")
    click.echo(f"  tests:  {_tests_in(text)} passed")


def _tests_in(text: str) -> int:
    root = RuleFile(text, "").root
    top = plain(root) if root else None
    return len(top.get("tests") or ()) if isinstance(top, dict) else 0
