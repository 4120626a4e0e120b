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
        return printable(super().format(record))


def printable(text: str) -> str:
    """Put a question mark of its own for each character that is none; further lines are indented."""
    return "\n  ".join("".join(one if one.isprintable() else "\ufffd" for one in line) for line in text.split("\n"))


class Seldom(logging.Filter):
    """Lets Kafka's client say the same but once in a while: with its broker away it says it a hundred times a second."""

    def __init__(self, every_s: float = 10.0) -> None:
        super().__init__()
        self._every_s = every_s
        self._said_s: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether it is said. The same: the same message, whatever its arguments."""
        what = str(record.msg)
        if not record.name.startswith("aiokafka"):
            return True
        if record.created - self._said_s.get(what, float("-inf")) < self._every_s:
            return False
        self._said_s[what] = record.created
        return True


def configure_logging(handler: logging.Handler | None = None) -> None:
    """Log to stderr, a line each; or to `handler`, which has a form of its own."""
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(Printable("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    else:
        handler.setFormatter(Printable())
    handler.addFilter(Seldom())
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
