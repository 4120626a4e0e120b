"""`groundswell worker`: the options of `agents.cli.worker`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from agents.cli.chosen import Chosen


@click.command()
@click.option(
    "--rules",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What to listen for, if the topic `rules` holds nothing yet (GROUNDSWELL_RULES).",
)
@click.option("--data-dir", type=click.Path(path_type=Path), metavar="DIR", help="Where this worker's tables are.")
@click.option("--http-port", type=int, metavar="N", help="Serve metrics, health and the API here; 0: nowhere.")
@click.pass_obj
def worker(chosen: Chosen, rules: Path | None, data_dir: Path | None, http_port: int | None) -> None:
    """Run the agents until told to stop.

    The topics must be there (`groundswell topics create`). To scale, run more workers, each with a data
    folder of its own. The first worker publishes its rules file; from then on the rules in force are those on the topic
    `rules`, for all workers, and `groundswell rules publish` changes them. SIGTERM or Ctrl-C ends one in good order; a kill -9 loses nothing either.

    \b
    Example:
      groundswell worker --rules rules.yaml --http-port 9100

    Next: publish something (`groundswell simulate`) and watch `groundswell alerts --follow`.
    """  # noqa: D301
    from agents.cli.worker import run_worker  # noqa: PLC0415  Faust and all agents: --help need not wait for them

    more: dict[str, object] = {"rules": rules, "http_port": http_port}
    run_worker(chosen.settings(**more | ({"data_dir": data_dir} if data_dir else {})))
