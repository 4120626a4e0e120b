"""`groundswell listen`, `simulate` and `replay`: a source -> mentions.raw, with its progress shown."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from agents.cli.read import connected
from agents.sources import SOURCES, open_source
from agents.sources.publisher import Published, make_producer, publish
from agents.sources.replay import Replay
from agents.sources.simulate import Simulate
from streams.topics import RAW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agents.cli.chosen import Chosen
    from agents.sources.interface import Source
    from streams.settings import Settings

LINE_EVERY_S = 5.0


@click.command()
@click.argument("file")
@click.option(
    "--map", "mapping", metavar="SPEC", help="Columns of a CSV: text=body,observed_at=sent_at,source='shop',title="
)
@click.option("--shifted", is_flag=True, help="Move all times, so that the file ends now. Otherwise they stay.")
@click.option("--speed", metavar="60x", help="Event seconds a second. Otherwise as fast as Kafka takes it.")
@click.pass_obj
def replay(chosen: Chosen, file: str, mapping: str | None, shifted: bool, speed: str | None) -> None:
    """Say a recorded file again: JSON lines of mentions, or any CSV.

    The columns of a CSV are found by their usual names, and which were is printed; --map says it yourself:
    FIELD=COLUMN, FIELD='the same for all', or FIELD= to leave one out.

    Old posts in a topic that is in use are all late, so either let them end now (--shifted) or keep them
    apart: GROUNDSWELL_TOPIC_PREFIX=replay. for this command, `topics create` and a worker.

    \b
    Examples:
      groundswell replay tweets.csv --shifted
      groundswell replay calls.csv --map "text=transcript,channel='phone'" --speed 60x

    Next: `groundswell alerts --all`, and `groundswell dead-letters list` for what could not be read.
    """  # noqa: D301
    source = Replay.open(_given(file=file, map=mapping, times="shifted" if shifted else None, speed=speed))
    for guess in source.guessed:
        click.echo(f"guessed: {guess}", err=True)
    publish_all(chosen.settings(), source)


@click.command()
@click.argument("scenario", default="dell-batteries")
@click.option("--at-once", is_flag=True, help="The whole story as fast as Kafka takes it, then stop.")
@click.option("--end", metavar="TIME", help="When the story ends, such as 2026-01-31T12:00:00Z. Otherwise now.")
@click.pass_obj
def simulate(chosen: Chosen, scenario: str, at_once: bool, end: str | None) -> None:
    """Tell a made-up story, such as a product that catches fire.

    SCENARIO is a bundled one, or a .yaml file; without it, dell-batteries. Its past goes out at once, then the
    story itself faster than life, then ordinary chatter in real time until Ctrl-C. It tells the same ids
    every time: to tell it again, use another GROUNDSWELL_TOPIC_PREFIX, or all of it is taken for redelivered.

    \b
    Examples:
      groundswell simulate
      groundswell simulate --at-once

    Next: `groundswell alerts --follow` in another terminal.
    """  # noqa: D301
    publish_all(chosen.settings(), Simulate.open(_given(scenario=scenario, end=end, pace="no" if at_once else None)))


@click.command()
@click.argument("name", required=False)
@click.argument("options", nargs=-1, metavar="[KEY=VALUE]...")
@click.pass_obj
def listen(chosen: Chosen, name: str | None, options: tuple[str, ...]) -> None:
    """Listen to any source by its name, with its own options.

    Without a name it lists the sources there are, and what each can be told.

    \b
    Examples:
      groundswell listen
      groundswell listen replay file=tweets.jsonl speed=60x

    Next: `groundswell alerts --follow` in another terminal.
    """  # noqa: D301
    if name is None:
        for source, kind in SOURCES.items():
            click.echo(f"{source}: {kind.about}")
            for option, meaning in kind.options.items():
                click.echo(f"  {option}=...  {meaning}")
        return
    pairs = dict(option.partition("=")[::2] for option in options)
    publish_all(chosen.settings(), open_source(name, pairs))


def publish_all(settings: Settings, source: Source) -> None:
    """Publish until the source ends, or until Ctrl-C; then say how much Kafka has acknowledged, whatever ended it.

    Raises:
        CommandError: no broker answers.
        PublishError: the topic is missing, or a record was refused.
        SourceError: the source cannot be read.
    """
    last: Published | None = None

    async def run(show: Callable[[Published], None]) -> None:
        def on_progress(done: Published) -> None:
            nonlocal last
            last = done
            show(done)

        producer = make_producer(settings)
        async with connected(producer, settings):
            await publish(source, producer, RAW.full_name(settings), on_progress=on_progress)

    try:
        with _progress(source.name) as show:
            asyncio.run(run(show))
    finally:
        if last is not None:
            click.echo(_summary(last))


def _given(**options: str | None) -> dict[str, str]:
    return {name: value for name, value in options.items() if value is not None}


def _summary(done: Published) -> str:
    left_out = f"; {done.oversized:,} too large, left out" if done.oversized else ""
    return f"{done.records:,} mentions published in {done.seconds:.1f} s, {_rate(done):,.0f}/s{left_out}"


def _rate(done: Published) -> float:
    return done.records / done.seconds if done.seconds else 0.0


@contextmanager
def _progress(name: str) -> Iterator[Callable[[Published], None]]:
    """A bar on a terminal; elsewhere, such as in a log, a line every few seconds. Both on stderr."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _Lines(name)
        return
    words = TextColumn("{task.description} {task.fields[done].records:,} mentions, {task.fields[rate]:,.0f}/s")
    with Progress(words, BarColumn(), TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task(name, total=None, done=Published(), rate=0.0)
        yield lambda done: progress.update(task, done=done, rate=_rate(done))


class _Lines:
    def __init__(self, name: str) -> None:
        self._name = name
        self._next_s = 0.0

    def __call__(self, done: Published) -> None:
        if done.seconds >= self._next_s:
            self._next_s = done.seconds + LINE_EVERY_S
            click.echo(f"{self._name}: {done.records:,} mentions, {_rate(done):,.0f}/s", err=True)
