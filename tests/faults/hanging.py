"""`python -m tests.faults.hanging worker`: the command line, with one thing in it that stops without a word.

GROUNDSWELL_HANGS says which: "producer", "fetcher", "recovery" or "loop".
"""

from __future__ import annotations

import asyncio
import os
import threading
from typing import TYPE_CHECKING

from faust.tables.recovery import Recovery

from agents.cli import main
from agents.intake import IntakeDesk
from streams.consumer import BundleConsumer
from streams.outbox import Out, Outbox
from streams.topics import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable


async def for_good(*_: object, **__: object) -> None:
    """As a producer hangs after the broker was away, or a fetcher whose task has died."""
    await asyncio.Event().wait()


deliver = Outbox.deliver


async def deliver_rules_only(outbox: Outbox, outs: Iterable[Out]) -> dict[tuple[str, int], int]:
    """The worker comes up, and then its producer hangs."""
    outs = list(outs)
    return await (deliver(outbox, outs) if all(out.topic.endswith(RULES.name) for out in outs) else for_good())


def still_to_do(_: object) -> bool:
    """As a changelog whose last records were compacted away: what is waited for never comes."""
    return True


def block(*_: object) -> None:
    """As code that waits, or computes without end, where it must not."""
    threading.Event().wait()


PLACES = {
    "producer": (Outbox, "deliver", deliver_rules_only),
    "fetcher": (BundleConsumer, "_getmany", for_good),
    "recovery": (Recovery, "need_recovery", still_to_do),
    "loop": (IntakeDesk, "handle", block),
}

if __name__ == "__main__":
    setattr(*PLACES[os.environ["GROUNDSWELL_HANGS"]])
    main(prog_name="groundswell")
