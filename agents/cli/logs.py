"""What processes that run for long say, and where: our own words at info, the libraries' at warning, on stderr."""

from __future__ import annotations

import logging
import sys

LEVELS = {
    "faust": logging.WARNING,
    "mode": logging.WARNING,
    "aiokafka": logging.WARNING,
    "streams": logging.WARNING,
    # Where the worker gives up, Faust logs the cancelling of each agent as an error with a traceback.
    "faust.agents": logging.CRITICAL,
}


class Printable(logging.Formatter):
    """Of what others say nothing reaches a terminal but characters, and nobody's words look like a line of ours."""

    def format(self, record: logging.LogRecord) -> str:
        """A line; further ones, such as those of a traceback, are indented."""
        lines = super().format(record).split("\n")
        return "\n  ".join("".join(one if one.isprintable() else "\ufffd" for one in line) for line in lines)


def configure_logging(handler: logging.Handler | None = None) -> None:
    """Log to stderr, a line each; or to `handler`, which has a form of its own."""
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(Printable("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    else:
        handler.setFormatter(Printable())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
