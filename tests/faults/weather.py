"""What befalls a flow in a soak: faults at random, a supervisor, and an eye on memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from pathlib import Path
from statistics import linear_regression
from time import monotonic
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from agents.cli.localkafka import LocalKafka
    from tests.faults.harness import Flow, Process

CALM_S = (20, 60)
"""Between two faults: at least and at most."""
LOOK_EVERY_S = 5
MOST_MIB_A_MINUTE = 1.0
MIB = 1024 * 1024


class Memory:
    """Resident memory of each process over its life, MiB."""

    def __init__(self) -> None:
        self.samples: dict[str, list[tuple[float, float]]] = {}

    async def watch(self, workers: Callable[[], Sequence[Process]]) -> None:
        """Look again and again."""
        while True:
            for worker in workers():
                with suppress(FileNotFoundError, ProcessLookupError):
                    pages = int(_read(f"/proc/{worker.pid}/statm").split()[1])
                    self.samples.setdefault(worker.name, []).append((monotonic() / 60, pages * 4096 / MIB))
            await asyncio.sleep(LOOK_EVERY_S)

    def verdict(self) -> tuple[str, bool]:
        """How the process that lived longest grew in the second half of its life; and whether that is too much.

        Only a second half of ten minutes says something: before, its memory of mentions is still filling.
        """
        name, life = max(self.samples.items(), key=lambda one: len(one[1]))
        late = life[len(life) // 2 :]
        lasted = late[-1][0] - late[0][0]
        slope = linear_regression(*zip(*late, strict=True)).slope if lasted else float("nan")
        says = (
            f"{name}, which lived {life[-1][0] - life[0][0]:.0f} min: {life[0][1]:.0f} MiB at first, {late[0][1]:.0f} halfway, "
            f"{life[-1][1]:.0f} at the end, {slope:+.2f} MiB a minute in the second half"
        )
        return says, lasted >= 10 and slope > MOST_MIB_A_MINUTE


class Weather:
    """What befalls the flow. Worker `a` dies often, `b` only in the first third, so that its memory can be watched."""

    def __init__(self, flow: Flow, broker: LocalKafka, chance: random.Random, until_s: float) -> None:
        self._flow, self._broker, self._chance = flow, broker, chance
        self._began, self._until = monotonic(), until_s
        self.faults: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._homes = 0

    async def strike(self) -> None:
        """Let one thing after the other happen, with some calm in between."""
        while monotonic() + CALM_S[0] < self._until:
            await asyncio.sleep(min(self._chance.uniform(*CALM_S), max(0, self._until - monotonic())))
            await self._one()

    async def _one(self) -> None:
        (kind,) = self._chance.choices(("kill", "kill, disk lost", "stop", "broker"), weights=(5, 1, 1, 2))
        self.faults[kind] += 1
        if kind == "broker":
            self._broker.kill()
            await asyncio.to_thread(self._broker.start)
            await self._broker.wait_ready()
            return
        early = monotonic() < self._began + (self._until - self._began) / 3
        victim = self._chance.choice([one for one in self._flow.workers if early or not one.home.startswith("b")])
        home = victim.home
        try:
            await (self._flow.stop(victim) if kind == "stop" else self._flow.kill(victim))
        except AssertionError as error:
            self.wrong.append(str(error))
        if kind == "kill, disk lost":
            self._homes += 1
            home = f"{home[0]}{self._homes}"
        self._flow.start_worker(home)

    async def supervise(self) -> None:
        """Start again whoever gives up, as a supervisor does it."""
        while True:
            for worker in self._flow.revive():
                self.wrong.append(f"{worker.name} ended by itself: {worker.words.splitlines()[-1]}")
            await asyncio.sleep(0.2)


def _read(path: str) -> str:
    return Path(path).read_text()
