"""`groundswell listen` and `replay`: a source -> mentions.raw, with its progress shown."""

from __future__ import annotations

import asyncio
import signal
from collections import defaultdict
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from agents.cli.logs import configure_logging
from agents.cli.read import read_source_states
from agents.http.exposition import metrics_served
from agents.sources import SOURCES, open_source
from agents.sources.listening import Listener, listen_to_all
from agents.sources.options import Secret, variable_of
from agents.sources.replay import Replay

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agents.cli.chosen import Chosen
    from agents.sources.interface import Source
    from agents.sources.publisher import Published
    from streams.settings import Settings

LINE_EVERY_S = 5.0

Value = TypeVar("Value")


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
    source = Replay.open(given(file=file, map=mapping, times="shifted" if shifted else None, speed=speed))
    for guess in source.guessed:
        click.echo(f"guessed: {guess}", err=True)
    publish_all(chosen.settings(), source)


@click.command()
@click.argument("words", nargs=-1, metavar="[NAME [KEY=VALUE]...]...")
@click.option(
    "--http-port", type=int, metavar="PORT", help="Prometheus endpoint's port. Otherwise GROUNDSWELL_HTTP_PORT."
)
@click.pass_obj
def listen(chosen: Chosen, words: tuple[str, ...], http_port: int | None) -> None:
    """Listen to any sources by their names, each with its own options.

    Without a name it lists the sources there are, and what each can be told. Secrets are never told here, but
    in the variables that the list names, or in files that these name with _FILE.

    It goes on where it stopped the last time: the topic `sources` keeps how far each has come. A source that
    goes down is asked again, at most a minute apart.

    \b
    Examples:
      groundswell listen
      groundswell listen bluesky
      groundswell listen rss feeds=https://example.org/feed.xml hackernews
      groundswell listen replay file=tweets.jsonl speed=60x

    Next: `groundswell watch` in another terminal.
    """  # noqa: D301
    if not words:
        click.echo("\n".join(_catalogue()))
        return
    settings = chosen.settings() if http_port is None else chosen.settings(http_port=http_port)
    sources = open_sources(words)
    publish_all(settings, *sources)


def _catalogue() -> Iterator[str]:
    for source, kind in SOURCES.items():
        yield f"{source}: {kind.about}"
        for option, meaning in kind.options.items():
            yield f"  {variable_of(source, option) if isinstance(meaning, Secret) else f'{option}=...'}  {meaning}"


def open_sources(words: Sequence[str]) -> list[Source]:
    """Make sources from words: one without `=` names a source, the others are its options.

    Raises:
        SourceError: there is no such source, or an option is wrong.
        UsageError: an option comes first, or the same is listened to twice.
    """
    named: list[tuple[str, dict[str, str]]] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            named.append((name, {}))
        elif named:
            named[-1][1][name] = value
        else:
            raise click.UsageError(f"{word}: an option comes after the name of its source")
    sources = [open_source(name, options) for name, options in named]
    keys = [source.cursor_key or source.name for source in sources]
    if len(set(keys)) < len(keys):
        raise click.UsageError(f"the same is listened to twice: {', '.join(keys)}")
    return sources


def publish_all(settings: Settings, *sources: Source) -> None:
    """Publish until every source has ended, or until Ctrl-C; then say how much Kafka has acknowledged, whatever ended it.

    Raises:
        CommandError: no broker answers, or its topics are missing; or a source that was listened to has failed.
        PublishError: a record was refused.
        SourceError: the only source cannot be read.
    """
    console = Console(stderr=True)
    configure_logging(RichHandler(console=console, show_path=False) if console.is_terminal else None)
    done: dict[str, Published] = {}
    try:
        with _progress(console) as show:
            asyncio.run(_listen_to(settings, sources, lambda key, said: (done.update({key: said}), show(key, said))))
    finally:
        for key, said in done.items():
            click.echo(_summary(key if len(sources) > 1 else "", said))


async def listeners_of(settings: Settings, sources: Sequence[Source]) -> list[Listener]:
    """Make a listener for each source; it goes on where the last one stopped.

    Raises:
        CommandError: no broker answers, or its topics are missing.
    """
    states = await read_source_states(settings)
    kept = [states.get(source.cursor_key or "") for source in sources]
    return [
        Listener(source, settings, cursor=state.cursor if state else None)
        for source, state in zip(sources, kept, strict=True)
    ]


async def _listen_to(
    settings: Settings, sources: Sequence[Source], on_progress: Callable[[str, Published], object]
) -> None:
    listeners = await listeners_of(settings, sources)
    for listener in listeners:
        listener.on_progress = partial(on_progress, listener.state.key)
    async with metrics_served(settings):
        listening = asyncio.create_task(listen_to_all(listeners))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, listening.cancel)
        await asyncio.wait({listening})
    if not listening.cancelled():
        listening.result()


def given(**options: Value | None) -> dict[str, Value]:
    """The options that somebody gave."""
    return {name: value for name, value in options.items() if value is not None}


def _summary(key: str, done: Published) -> str:
    left_out = f"; {done.oversized:,} too large, left out" if done.oversized else ""
    of = f"{key}: " if key else ""
    return f"{of}{done.records:,} mentions published in {done.seconds:.1f} s, {_rate(done):,.0f}/s{left_out}"


def _rate(done: Published) -> float:
    return done.records / done.seconds if done.seconds else 0.0


@contextmanager
def _progress(console: Console) -> Iterator[Callable[[str, Published], None]]:
    """A bar a source on a terminal; elsewhere, such as in a log, a line every few seconds. Both on stderr."""
    if not console.is_terminal:
        yield _Lines()
        return
    words = TextColumn("{task.description} {task.fields[done].records:,} mentions, {task.fields[rate]:,.0f}/s")
    tasks: dict[str, TaskID] = {}
    with Progress(words, BarColumn(), TimeElapsedColumn(), console=console, transient=True) as progress:

        def show(key: str, done: Published) -> None:
            if key not in tasks:
                tasks[key] = progress.add_task(key, total=None, done=done, rate=0.0)
            progress.update(tasks[key], done=done, rate=_rate(done))

        yield show


class _Lines:
    def __init__(self) -> None:
        self._next_s: defaultdict[str, float] = defaultdict(float)

    def __call__(self, key: str, done: Published) -> None:
        if done.seconds >= self._next_s[key]:
            self._next_s[key] = done.seconds + LINE_EVERY_S
            click.echo(f"{key}: {done.records:,} mentions, {_rate(done):,.0f}/s", err=True)
