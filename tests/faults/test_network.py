"""Between the workers and the broker the network is slow, cut, or silent; or the broker itself is. Nobody restarts anything."""

from __future__ import annotations

import asyncio
import os
import signal
from time import monotonic
from typing import TYPE_CHECKING

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.cli.localkafka import free_port
from streams.topics import RAW
from tests.faults.harness import Flow, new_story, until
from tests.faults.proxy import KafkaBehindProxies, Proxy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from tests.faults.oracle import Story

pytestmark = [pytest.mark.faults, pytest.mark.kafka, pytest.mark.timeout(300)]

MENTIONS = 4_000
PER_SECOND = 300
DRAINS_WITHIN_S = 60
FROZEN_S = 60
STALLED = "groundswell_ingest_stalled_seconds"
PATIENCE_S = 45
"""Of the workers with what does not move: longer than they need to find a dead connection out, shorter than the broker is frozen."""


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaBehindProxies]:
    one = KafkaBehindProxies(tmp_path_factory.mktemp("kafka"), proxies=2)
    one.start()
    try:
        asyncio.run(one.wait_ready())
        yield one
    finally:
        one.stop()


@pytest.fixture
async def doors(broker: KafkaBehindProxies) -> AsyncIterator[tuple[Proxy, Proxy]]:
    first, second = broker.proxies
    async with first, second:
        yield first, second


@pytest.fixture
def ports(doors) -> tuple[int, int]:
    """Where each worker tells Prometheus: chosen late, lest somebody take them before."""
    return free_port(), free_port()


@pytest.fixture
async def flow(broker, doors, prefix, tmp_path, ports) -> AsyncIterator[Flow]:
    """Two workers, each with a way to the broker that is its own."""
    async with Flow(broker, prefix, tmp_path, stall_timeout_s=PATIENCE_S, checkpoint_s=0.2) as one:
        start_workers(one, "ab", doors, ports)
        await one.shared()
        yield one


def start_workers(flow: Flow, homes: str, doors: tuple[Proxy, Proxy], ports: tuple[int, int]) -> None:
    for home, door, port in zip(homes, doors, ports, strict=True):
        flow.start_worker(home, connect_to=door.address, http_port=port)


async def endured(
    flow: Flow, fault: Callable[[], Awaitable[None]], story: Story | None = None, *, published_before: bool = False
) -> str:
    """A fault comes and goes under load: nothing may be lost or counted twice, no worker end. Say how long it was felt."""
    said = list((story or new_story(6)).go_on(MENTIONS))
    publishing = asyncio.create_task(flow.publish(said, float("inf") if published_before else PER_SECOND))
    if published_before:
        await publishing
    else:
        await flow.told(at_least=sum(len(one.tells) for one in said) / 5)
    await fault()
    over_at, waiting = monotonic(), await flow.eyes.ends(RAW.full_name(flow.settings))

    async def what_waited_is_handled() -> bool:
        return await flow.eyes.behind(flow.settings.group, waiting) == 0

    await until("what waited is handled", what_waited_is_handled, DRAINS_WITHIN_S)
    drained_s = monotonic() - over_at
    await publishing
    await flow.settled()
    verdict = await flow.verdict()
    assert not verdict.wrong
    assert [worker.exit_code for worker in flow.workers] == [None, None]
    return f"{verdict}; what waited was handled {drained_s:.1f} s after"


@pytest.mark.long
async def test_a_slow_network_costs_only_time(flow, doors, say):
    async def slow_down() -> None:
        for door in doors:
            door.latency_s = 0.1

    say(f"100 ms each way: {await endured(flow, slow_down)}")


@pytest.mark.long
@pytest.mark.parametrize("broken", [Proxy.cut, Proxy.swallow], ids=["cut", "silent for good"])
async def test_workers_rejoin_by_themselves_after_the_network_was_broken(flow, doors, say, broken):
    async def break_until_nobody_is_in() -> None:
        for door in doors:
            broken(door)
        await flow.shared(among=0)
        for door in doors:
            await door.heal()

    say(f"{broken.__name__} past the session: {await endured(flow, break_until_nobody_is_in)}")


@pytest.mark.long
async def test_what_a_worker_said_before_it_was_replaced_changes_nothing_when_it_arrives_late(flow, doors, say):
    async def all_is_published() -> bool:
        return len(flow.published) == MENTIONS

    async def hold_one_up() -> None:
        doors[0].latency_s = 0.25  # so that rows are on their way at any moment
        await flow.told(at_least=MENTIONS / 3)
        doors[0].hold()
        await flow.shared(among=1)
        await until("all is published", all_is_published, within_s=60)
        await flow.settled()  # so that nothing is written any more that would cover up what comes late
        await doors[0].heal()
        await flow.shared()

    say(f"one of two held up past its session: {await endured(flow, hold_one_up)}")


@pytest.mark.long
async def test_workers_wait_for_a_frozen_broker_and_say_for_how_long_nothing_has_come_in(flow, broker, ports, say):
    noticed_s = 0.0

    async def freeze() -> None:
        nonlocal noticed_s
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            frozen_at = monotonic()
            await until(
                "each worker says that nothing comes in", lambda: all_stalled(ports, more_than_s=0), within_s=60
            )
            noticed_s = monotonic() - frozen_at
            await until(
                "... and for how long", lambda: all_stalled(ports, more_than_s=FROZEN_S), within_s=FROZEN_S + 15
            )
        finally:
            os.kill(broker.pid, signal.SIGCONT)

    story = new_story(6)
    await flow.publish(story.go_on(100))
    await flow.settled()  # both have recovered their tables
    says = await endured(flow, freeze, story, published_before=True)  # our producer would not wait for so long
    await until("each worker says that all is well", lambda: none_stalled(ports), within_s=20)
    say(f"broker frozen for {FROZEN_S} s, noticed after {noticed_s:.1f} s: {says}")


@pytest.mark.long
async def test_a_recovery_during_which_the_broker_freezes_begins_again(flow, broker, doors, ports, say):
    story = new_story(6)
    await flow.publish(story.go_on(MENTIONS))
    await flow.settled()
    for worker in flow.workers:
        await flow.stop(worker)

    async def freeze() -> None:
        for door in doors:
            door.latency_s = 0.25  # so that the broker freezes before they have read a single row
        start_workers(flow, "cd", doors, ports)
        await flow.shared()
        os.kill(broker.pid, signal.SIGSTOP)
        try:
            one_step_s = flow.settings.request_timeout_s + 5
            await until("time passes", lambda: all_stalled(ports, one_step_s), within_s=2 * one_step_s)
        finally:
            os.kill(broker.pid, signal.SIGCONT)
            for door in doors:
                door.latency_s = 0

    says = await endured(flow, freeze, story, published_before=True)
    say(f"broker frozen while tables were recovered: {says}")
    assert all("a step of recovery was not answered" in worker.words for worker in flow.workers)


async def all_stalled(ports: tuple[int, int], more_than_s: float) -> bool:
    return min(await stalled_s(ports)) > more_than_s


async def none_stalled(ports: tuple[int, int]) -> bool:
    return await stalled_s(ports) == [0, 0]


async def stalled_s(ports: tuple[int, int]) -> list[float]:
    """What each worker says to Prometheus."""
    found = []
    async with aiohttp.ClientSession() as session:
        for port in ports:
            async with session.get(f"http://127.0.0.1:{port}/metrics") as answer:
                families = text_string_to_metric_families(await answer.text())
            found += [one.value for family in families for one in family.samples if one.name == STALLED]
    return found
