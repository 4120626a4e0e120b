"""`groundswell sentiment`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from streams.core.sentiment import Explained, Scorer

if TYPE_CHECKING:
    from streams.core.service import Contribution


@click.command()
@click.option(
    "--about",
    metavar="NAME,...",
    help="Score towards whoever has these names, with the service lexicon. Without it plain VADER decides.",
)
@click.option("--explain", is_flag=True, help="Show what each word adds to the score; together they are the score.")
def sentiment(about: str | None, explain: bool) -> None:
    """Say how texts feel, towards whom, and which words say so.

    One JSON line for each line of the input.

    `compound` is what the label rests on, `vader_compound` stock VADER's score of the whole text. What is not
    English is `unscored`. `about` says where the names were heard: in their sentences, or the whole text counted.

    \b
    Example:
      groundswell sentiment --about Dell,@DellCares --explain < texts.txt
    """  # noqa: D301
    names = tuple(name for part in about.split(",") if (name := part.strip())) if about is not None else None
    if names == ():
        raise click.UsageError("--about names nobody: give it names, such as --about Dell,@DellCares")
    scorer = Scorer()
    for line in click.get_text_stream("stdin", encoding="utf-8", errors="replace"):
        found = scorer.explain(line.rstrip("\r\n"), None, names)
        sys.stdout.write(msgspec.json.encode(_shown(found, scorer.lexicon, explain=explain)).decode() + "\n")


def _shown(found: Explained, lexicon: str, *, explain: bool) -> dict[str, object]:
    felt = found.sentiment
    shown: dict[str, object] = {
        "label": felt.label,
        "unsure": felt.unsure,
        "compound": felt.compound,
        "vader_compound": felt.vader_compound,
        "about": felt.about,
        "lexicon": lexicon,
    }
    if explain:
        shown["contributions"] = [_rounded(one) for one in found.contributions]
    return shown


def _rounded(one: Contribution) -> dict[str, object]:
    return {"words": one.words, "adds": round(one.adds, 6)}
