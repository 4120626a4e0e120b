"""Who is measured. `python -m tests.bench.contenders JOB` runs one of them, in a process of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tests.bench.groundswell import intake, worker
from tests.bench.job import Job
from tests.bench.naive import naive
from tests.bench.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable


class Contender(NamedTuple):
    """One way to do the job."""

    run: Callable[[Job], None]
    says: str


CONTENDERS = {
    "intake": Contender(intake, "Groundswell's intake, everything durable"),
    "naive": Contender(naive, "Faust as documented, one event at a time"),
    "plain": Contender(plain, "plain confluent-kafka loop, nothing recoverable"),
    "worker": Contender(worker, "Groundswell, all agents in one worker"),
}

if __name__ == "__main__":
    job = msgspec.json.decode(sys.argv[1], type=Job)
    CONTENDERS[job.contender].run(job)
