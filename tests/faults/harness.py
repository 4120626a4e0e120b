"""Workers as processes of their own, a publisher, and eyes on the broker. Nothing here waits blindly."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, suppress
from time import monotonic
from typing import TYPE_CHECKING, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import BrokerResponseError

from agents.sources.publisher import make_producer
from streams.broker import create_topics
from streams.settings import Settings
from streams.tables import BRANDS, SEEN
from streams.topics import ALERTS, DEAD_LETTERS, RAW, SCORED, SPIKES
from tests.faults import oracle
from tests.faults.oracle import Published, Standing, Story, Verdict

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from aiokafka.structs import ConsumerRecord, RecordMetadata

    from agents.cli.localkafka import LocalKafka
    from tests.faults.oracle import Said

LOOK_EVERY_S = 0.05
EXIT_WITHIN_S = 10
SESSION_TIMEOUT_S = 6
FETCH_WAIT_MS = 50
"""A topic is read only once the broker has answered the fetch of the one before: by itself it takes half a second for that."""
QUICK_CHECKPOINT_S = 0.3
"""A checkpoint for tests that wait until all is settled, and in which nothing dies that might have more to write down."""
FLOW = (RAW, SCORED, SPIKES, ALERTS)
"""What workers read, each topic after those that feed it."""


async def comes_true(holds: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    """True as soon as it holds. While the broker cannot say (a coordinator is moving), it does not."""
    give_up_at = monotonic() + within_s
    while monotonic() < give_up_at:
        with suppress(BrokerResponseError):
            if await holds():
                return True
        await asyncio.sleep(LOOK_EVERY_S)
    return False


async def until(what: str, holds: Callable[[], Awaitable[bool]], within_s: float) -> None:
    """Return as soon as it holds."""
    assert await comes_true(holds, within_s), f"after {within_s:.0f} s still not so: {what}"


class Process:
    """`python -m ...` as a process of its own, with a log file. It shares nothing with the test but the broker."""

    def __init__(
        self, home: str, number: int, module: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> None:
        self.home, self.name = home, f"{home}-{number}"
        command = [sys.executable, "-m", *module]
        self._log = folder / f"{self.name}.log"
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                command, env={**os.environ, **environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    @property
    def pid(self) -> int:
        """Of the running process."""
        return self._popen.pid

    @property
    def exit_code(self) -> int | None:
        """None: it runs."""
        return self._popen.poll()

    @property
    def words(self) -> str:
        """What it has said so far, on stdout and stderr."""
        return self._log.read_text(errors="replace")

    async def ended(self, within_s: float) -> int:
        """Return its exit code once it has ended by itself."""

        async def it_has_ended() -> bool:
            return self.exit_code is not None

        await until(f"{self.name} has ended", it_has_ended, within_s)
        return self._popen.returncode

    async def kill(self) -> None:
        """As the out-of-memory killer does it: no last words."""
        self._popen.send_signal(signal.SIGKILL)
        await self._ended()

    def freeze(self) -> None:
        """As a long pause of the machine does it: nothing runs, and nobody is told."""
        self._popen.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on where it was, believing what it believed."""
        self._popen.send_signal(signal.SIGCONT)

    async def stop(self) -> None:
        """As a supervisor does it. It must obey, in time, and be content."""
        asked_at = monotonic()
        self._popen.send_signal(signal.SIGTERM)
        await self._ended()
        assert self.exit_code == 0, f"{self.name} ended with {self.exit_code}"
        assert monotonic() - asked_at < EXIT_WITHIN_S

    async def _ended(self) -> None:
        await asyncio.to_thread(self._popen.wait, 2 * EXIT_WITHIN_S)


class Eyes:
    """Sees what stands on the broker, and how far a group has come."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
        )

    async def __aenter__(self) -> Self:
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    @property
    def admin(self) -> AIOKafkaAdminClient:
        """Changes what stands on the broker, as people do."""
        return self._admin

    async def create(self, *topics: str, partitions: int) -> None:
        """Create plain topics."""
        await self._admin.create_topics([NewTopic(topic, partitions, 1) for topic in topics])

    async def ends(self, topic: str) -> dict[TopicPartition, int]:
        """Where each partition of a topic ends now."""
        ((found,)) = await self._admin.describe_topics([topic])
        return await self._consumer.end_offsets(
            [TopicPartition(topic, one["partition"]) for one in found["partitions"]]
        )

    async def behind(self, group: str, ends: Mapping[TopicPartition, int]) -> int:
        """How many records before `ends` a group has not committed yet."""
        committed = await self.committed(group)
        return sum(max(0, end - committed.get(tp, 0)) for tp, end in ends.items())

    async def committed(self, group: str) -> dict[TopicPartition, int]:
        """Where a group would go on."""
        offsets = await self._admin.list_consumer_group_offsets(group)
        return {tp: offset.offset for tp, offset in offsets.items()}

    async def members(self, group: str) -> int:
        """How many members share a group's partitions; 0 while it is being shared out."""
        (answer,) = await self._admin.describe_consumer_groups([group])
        ((_, _, state, _, _, members, *_),) = answer.groups
        return len(members) if state == "Stable" else 0

    async def read(self, topic: str) -> list[ConsumerRecord]:
        """A topic from its start to its end."""
        ends = {tp: end for tp, end in (await self.ends(topic)).items() if end}
        self._consumer.assign(list(ends))
        for tp in ends:
            self._consumer.seek(tp, 0)
        records: list[ConsumerRecord] = []
        for tp, end in ends.items():
            while await self._consumer.position(tp) < end:
                for some in (await self._consumer.getmany(timeout_ms=200)).values():
                    records += some
        return records

    async def latest(self, changelog: str) -> dict[tuple[int, bytes], bytes]:
        """The rows of a changelog, by partition and key."""
        rows = {(record.partition, record.key): record.value for record in await self.read(changelog)}
        return {key: row for key, row in rows.items() if row is not None}


class Flow:
    """The whole flow on its own topics: `async with Flow(...)`. Where the block fails, the workers' last words are printed."""

    def __init__(
        self,
        kafka: LocalKafka,
        prefix: str,
        folder: Path,
        *,
        rules: str = oracle.RULES,
        supervised: bool = False,
        **settings: object,
    ) -> None:
        """`supervised`: a worker may end by itself, because somebody calls `revive`."""
        self.supervised = supervised
        self._folder = folder
        self._rules = folder / "rules.yaml"
        self._rules.write_text(rules)
        self._given = {"session_timeout_s": SESSION_TIMEOUT_S, **settings, "topic_prefix": prefix}
        self.settings = Settings(kafka_bootstrap=kafka.bootstrap, **self._given)
        self._group = self.settings.group
        self._processes: list[Process] = []
        self._started = 0
        self._clients = AsyncExitStack()
        self._producer = make_producer(self.settings)
        self.published: list[Published] = []
        self.epoch = 0
        self.eyes = Eyes(kafka.bootstrap)

    async def __aenter__(self) -> Self:
        await create_topics(self.settings)
        await self._clients.enter_async_context(self.eyes)
        await self._producer.start()
        self._clients.push_async_callback(self._producer.stop)
        return self

    async def __aexit__(self, failure: type[BaseException] | None, *_: object) -> None:
        for process in self._processes:
            if process.exit_code is None:
                await process.kill()
        if failure:
            for log in sorted(self._folder.glob("*.log")):
                print(f"--- {log.name}", *log.read_text(errors="replace").splitlines()[-30:], sep="\n")
        await self._clients.aclose()

    @property
    def group(self) -> str:
        """The workers' consumer group."""
        return self._group

    # -- workers ---------------------------------------------------------------------------------

    @property
    def workers(self) -> list[Process]:
        """Those that ought to run."""
        return list(self._processes)

    def start_worker(
        self, home: str, *, module: str = "agents.cli", connect_to: str | None = None, **settings: object
    ) -> Process:
        """Start one; `home` names its data folder, which it finds again when it is started anew.

        `settings` are this worker's own; `module` runs instead of the command line, with the same arguments;
        `connect_to` is a broker address for this one alone.
        """
        self._started += 1
        given = {**self._given, **settings}
        environment = {f"GROUNDSWELL_{name.upper()}": _said(value) for name, value in given.items()}
        command = [module, "--kafka", connect_to or self.settings.kafka_bootstrap, "worker"]
        command += ["--rules", str(self._rules), "--data-dir", str(self._folder / home)]
        worker = Process(home, self._started, command, environment, self._folder)
        self._processes.append(worker)
        return worker

    def given_up(self, worker: Process) -> None:
        """This one is expected to have ended by itself."""
        self._processes.remove(worker)

    async def kill(self, worker: Process) -> None:
        """SIGKILL."""
        self._processes.remove(worker)
        await worker.kill()

    async def stop(self, worker: Process) -> None:
        """SIGTERM."""
        self._processes.remove(worker)
        await worker.stop()

    def revive(self) -> list[Process]:
        """Start again whoever has ended by itself, as a supervisor does it; return those that had."""
        dead = [worker for worker in self._processes if worker.exit_code is not None]
        for worker in dead:
            self.given_up(worker)
            self.start_worker(worker.home)
        return dead

    def _check_alive(self) -> None:
        dead = [
            f"{worker.name} ended with {worker.exit_code}" for worker in self._processes if worker.exit_code is not None
        ]
        assert self.supervised or not dead

    async def shared(self, among: int | None = None, within_s: float = 60) -> None:
        """Return once the partitions are shared out among all workers, or `among` so many."""
        wanted = len(self._processes) if among is None else among

        async def all_are_in() -> bool:
            self._check_alive()
            return await self.eyes.members(self._group) == wanted

        await until(f"{wanted} workers share the partitions", all_are_in, within_s)

    # -- input -----------------------------------------------------------------------------------

    async def publish(self, story: Iterable[Said], per_second: float = float("inf")) -> None:
        """Publish, evenly paced; return once all of it is acknowledged."""
        started, sent = monotonic(), []
        for number, said in enumerate(story):
            ahead_s = number / per_second - (monotonic() - started)
            if ahead_s > LOOK_EVERY_S:
                await asyncio.sleep(ahead_s)
            sent.append((said, await self._producer.send(RAW.full_name(self.settings), key=said.key, value=said.value)))
        for said, acknowledged in sent:
            where = await acknowledged
            self.published.append(Published(said, where.partition, where.offset, self.epoch))

    async def send(self, key: bytes, value: bytes | None) -> RecordMetadata:
        """Publish one record, whatever it is, and say where it stands."""
        return await self._producer.send_and_wait(RAW.full_name(self.settings), key=key, value=value)

    # -- what becomes of it ----------------------------------------------------------------------

    async def told(self, at_least: float, within_s: float = 60) -> None:
        """Return once intake has sent on so many records, marks and repetitions included."""

        async def so_many_are_told() -> bool:
            self._check_alive()
            return sum((await self.eyes.ends(SCORED.full_name(self.settings))).values()) >= at_least

        await until(f"{at_least} records are told", so_many_are_told, within_s)

    async def settled(self, within_s: float = 60) -> None:
        """Return once everything published so far has been handled, to the end of the flow, and committed.

        Time goes on where all is quiet, so logs keep growing: what counts is where each ended once the one before was done.
        """
        give_up_at = monotonic() + within_s
        for topic in FLOW:
            name = topic.full_name(self.settings)
            ends = await self.eyes.ends(name)

            async def all_is_committed(ends: Mapping[TopicPartition, int] = ends) -> bool:
                self._check_alive()
                return await self.eyes.behind(self._group, ends) == 0

            await until(f"all of {name} is committed", all_is_committed, give_up_at - monotonic())

    async def standing(self) -> Standing:
        """Everything that stands on the broker."""
        settings, eyes = self.settings, self.eyes
        return Standing(
            scored=await eyes.read(SCORED.full_name(settings)),
            dead_letters=await eyes.read(DEAD_LETTERS.full_name(settings)),
            seen=await eyes.latest(SEEN.full_name(settings)),
            brands=await eyes.latest(BRANDS.full_name(settings)),
            settings=settings,
        )

    async def verdict(self) -> Verdict:
        """Compare what stands on the broker with what was published."""
        return oracle.judge(self.published, await self.standing())


def _said(value: object) -> str:
    """A setting as the environment holds it."""
    return value if isinstance(value, str) else json.dumps(value)


def new_story(seed: int) -> Story:
    """Return a story that begins now."""
    return Story(seed, oracle.beginning())
