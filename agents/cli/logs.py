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


def configure_logging(handler: logging.Handler | None = None) -> None:
    """Log to stderr, a line each; or to `handler`, which has a form of its own."""
    if handler is None:
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
        )
    else:
        logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[handler])
    for name, level in LEVELS.items():
        logging.getLogger(name).setLevel(level)
