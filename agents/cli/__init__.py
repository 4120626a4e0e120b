"""The `groundswell` command."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from agents.cli.chosen import Chosen
from agents.cli.group import CommandLine, Lazy

__all__ = ["main"]

# fmt: off
COMMANDS = {
    "up":           Lazy("agents.cli.up:up",                    "Start Kafka, topics and a worker, tell a story into them, and show what is found."),
    "worker":       Lazy("agents.cli.start:worker",             "Run the agents until told to stop."),
    "simulate":     Lazy("agents.cli.simulate:simulate",        "Tell a made-up story, such as a product that catches fire."),
    "replay":       Lazy("agents.cli.publish:replay",           "Say a recorded file again: JSON lines of mentions, or any CSV."),
    "listen":       Lazy("agents.cli.publish:listen",           "Listen to any sources by their names, each with its own options."),
    "watch":        Lazy("agents.cli.watch:watch",              "Show live what is heard: alerts, brands, sources, and how far behind it is."),
    "status":       Lazy("agents.cli.status:status",            "Show at a glance whether everything runs, and how far behind it is."),
    "audit":        Lazy("agents.cli.audit:audit",              "Check that the accounts add up, from the topics and tables themselves."),
    "alerts":       Lazy("agents.cli.alerts:alerts",            "Show what is wrong right now, with the evidence."),
    "dead-letters": Lazy("agents.cli.deadletters:dead_letters", "Look at what intake could not read, and send it back."),
    "forget":       Lazy("agents.cli.forget:forget",            "Take a person's words and name out of everything, and look whether they are gone."),
    "backtest":     Lazy("agents.cli.backtest:backtest",         "Say which alerts recorded mentions would have given, and what other rules change."),
    "explain":      Lazy("agents.cli.explain:explain",           "Work an alert out again from the raw mentions, and compare the numbers."),
    "warm":         Lazy("agents.cli.warm:warm",                 "Teach the detectors a new brand's past, so that they need not learn for days."),
    "rules":        Lazy("agents.cli.rules:rules",              "Work on the rules that say what to listen for."),
    "score-series": Lazy("agents.cli.series:score_series",      "Run the volume detector over a history of counts."),
    "sentiment":    Lazy("agents.cli.sentiment:sentiment",      "Say how texts feel, towards whom, and which words say so."),
    "match":        Lazy("agents.cli.match:match",              "Say of each mention on standard input what it matches and why."),
    "topics":       Lazy("agents.cli.topics:topics",            "Make the Kafka topics; go on with a log made anew."),
    "topology":     Lazy("agents.cli.topics:topology",          "Print every topic and table: who writes it, who reads it."),
}
# fmt: on


@click.group(cls=CommandLine)
@click.option(
    "--kafka",
    metavar="HOST:PORT",
    envvar=["GROUNDSWELL_KAFKA_BOOTSTRAP", "KAFKA_BOOTSTRAP"],
    show_envvar=True,
    help="The Kafka brokers. Otherwise the one that `groundswell up` runs in the data folder, or 127.0.0.1:9092.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Local state: tables, the local broker. Otherwise GROUNDSWELL_DATA_DIR, or .groundswell here.",
)
@click.option("-v", "--verbose", is_flag=True, help="Show the Kafka client's warnings, and where an error came from.")
@click.version_option(package_name="groundswell")
@click.pass_context
def main(ctx: click.Context, kafka: str | None, data_dir: Path | None, verbose: bool) -> None:
    """Hear what people say about your brands before the front page does.

    Everything else is set by GROUNDSWELL_... variables, which each command reads once.

    \b
    A first look, in two terminals:
      groundswell up
      groundswell alerts --follow
    """  # noqa: D301  \b is click's mark for lines to leave as they are
    if not verbose:
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # its errors are raised, and told once, as well
    ctx.obj = Chosen(kafka, data_dir)


main.commands_by_name = COMMANDS
