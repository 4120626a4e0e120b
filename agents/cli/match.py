"""`groundswell match`: what the rules say about mentions, a line each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from agents.cli.errors import FAILED
from agents.cli.rules import load_file
from streams.core.parse import Rejected, parse
from streams.core.recall import words_of

if TYPE_CHECKING:
    from streams.core.rules import Matched
    from streams.records import Mention


@click.command()
@click.option(
    "--rules",
    "file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    required=True,
    help="The tracking rules (YAML).",
)
@click.pass_context
def match(ctx: click.Context, file: Path) -> None:
    """Say of each mention on standard input what it matches and why.

    A line in is one mention as JSON, of which `text` is enough; a line out, in the same order, has its brands and
    issues, each hit with its rule, its place in the original text and its words, and the rules that took a brand out.
    A line that is no mention is answered with the reason; then the exit code is 1.

    \b
    Example:
      groundswell match --rules rules.yaml < mentions.jsonl
    """  # noqa: D301
    rules = load_file(file)
    refused = False
    for number, line in enumerate(sys.stdin.buffer, 1):
        if not line.strip():
            continue
        mention = mention_of(line, number)
        if isinstance(mention, Rejected):
            refused = True
            said: dict[str, Any] = {"line": number, "rejected": mention.reason, "detail": mention.detail}
        else:
            [matched] = rules.match_many([mention])
            said = {"id": mention.id, "rules_version": rules.version} | explained(mention, matched)
        click.echo(json.dumps(said))
    if refused:
        ctx.exit(FAILED)


def mention_of(line: bytes, number: int) -> Mention | Rejected:
    """A mention as intake would read it, but where it came from and when may be left out."""
    try:
        given = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return parse(b"", line)
    if isinstance(given, dict):
        given = {"id": f"line:{number}", "source": "line", "observed_at": "1970-01-01T00:00:00Z"} | given
        return parse(str(given["id"]).encode("utf-8", "replace"), msgspec.json.encode(given))
    return parse(b"", line)


def explained(mention: Mention, matched: Matched) -> dict[str, Any]:
    """What was matched and why, as JSON."""
    return {
        "brands": [
            {
                "brand": one.brand,
                "author_role": one.role,
                "issues": list(one.issues),
                "hits": [
                    {
                        "rule": hit.rule,
                        "field": hit.field,
                        "start": hit.start,
                        "end": hit.end,
                        "words": words_of(mention, hit),
                    }
                    for hit in one.hits
                ],
            }
            for one in matched.brands
        ],
        "excluded_by": list(matched.excluded_by),
    }
