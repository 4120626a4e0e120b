"""`groundswell watch`: the live view of whatever runs."""

from __future__ import annotations

import asyncio
import signal
import sys
from typing import TYPE_CHECKING

import click

from agents.cli.errors import CommandError

if TYPE_CHECKING:
    from agents.cli.chosen import Chosen
    from streams.settings import Settings


@click.command()
@click.pass_obj
def watch(chosen: Chosen) -> None:
    """Show live what is heard: alerts, brands, sources, and how far behind it is.

    It only reads topics, in no consumer group; any number may watch. Where Kafka goes away it says so, and goes on
    when it is back.

    \b
    q         quit
    up, down  choose an alert or a brand
    Enter     its evidence
    ?         what everything means

    Next: `groundswell status` says in figures whether everything runs, also to scripts.
    """  # noqa: D301
    if not is_a_terminal():
        raise CommandError(
            "watch draws on a terminal, and this is none. In a pipe: `groundswell alerts --follow`, or `groundswell status --json`."
        )
    asyncio.run(show(chosen.settings()))


def is_a_terminal() -> bool:
    """Whether somebody looks, and has keys."""
    return sys.stdin.isatty() and sys.stdout.isatty()


async def show(settings: Settings) -> None:
    """Show the live view until somebody quits, or the process is told to end; the terminal is left as it was."""
    from agents.cli.view.app import LiveView  # noqa: PLC0415  --help needs no terminal library

    view = LiveView(settings)
    for sign in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(sign, view.exit)
    await view.run_until_quit()
