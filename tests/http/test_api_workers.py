"""Two real workers on a real broker: whoever is asked, the right one answers, and nothing is wrongly missing."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count, product
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

import aiohttp
import pytest
import pytest_asyncio
from aiokafka.admin import RecordsToDelete
from aiokafka.structs import TopicPartition
from msgspec.structs import replace
from yarl import URL

from agents.cli.localkafka import free_port
from agents.http.latest import Latest
from agents.http.problems import Refused
from agents.http.routing import raw_partition_of
from agents.sources.publisher import make_producer
from streams.records import Alert, Evidence, Mention, Sample, encode
from streams.topics import ALERTS, RAW
from tests.faults.harness import QUICK_CHECKPOINT_S, Flow, until
from tests.http.described import check
from tests.samples import an_alert

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from streams.topics import Topic
    from tests.faults.harness import Process

pytestmark = pytest.mark.asyncio(loop_scope="module")

RULES = """
ruleset: api
brands:
  - {id: acme, role: own, match: acme}
  - {id: silent, match: neversaid}
issues:
  - {id: fire, match: burn*}
"""
NOW = datetime.now(UTC)
HOSTILE = "acme burns <script>alert(1)</script> \x1b[31m\u202e"
SECRET = "nobody-may-read-this"
UP_WITHIN_S = 90


class Told(NamedTuple):
    """One answer."""

    status: int
    body: dict
    kind: str
    headers: dict

    @property
    def reason(self) -> str:
        return self.body["reason"]


class Cluster:
    """Two workers, and somebody who asks them."""

    def __init__(self, flow: Flow, session: aiohttp.ClientSession) -> None:
        self.flow, self._session = flow, session
        self.workers: dict[int, Process] = {}
        self._homes = (f"home-{n}" for n in count())

    def start(self) -> int:
        port = free_port()
        self.workers[port] = self.flow.start_worker(next(self._homes), http_port=port)
        return port

    async def ask(self, port: int, path: str, *, redirected: bool = True) -> Told:
        """An answer that is as described; one that nobody gives has status 0."""
        url = URL(f"http://127.0.0.1:{port}{path}", encoded=True)
        try:
            async with self._session.get(url, allow_redirects=redirected) as answer:
                body = await answer.json(content_type=None) if answer.status != 307 else {}
                told = Told(answer.status, body, answer.content_type, dict(answer.headers))
        except aiohttp.ClientConnectionError:
            return Told(0, {}, "", {})
        assert told.headers["X-Content-Type-Options"] == "nosniff"
        if told.status != 307:
            check(str(told.status), path, told.body)
        return told

    async def until(self, what: str, port: int, path: str, status: int = 200) -> Told:
        """Ask again as often as it takes; until then nothing may be missing."""
        seen: list[Told] = []

        async def it_is_told() -> bool:
            self.flow._check_alive()
            seen.append(await self.ask(port, path))
            assert seen[-1].status in (0, 503, status), seen[-1]
            assert seen[-1].status != 503 or int(seen[-1].headers["Retry-After"]) > 0
            return seen[-1].status == status

        await until(what, it_is_told, UP_WITHIN_S)
        return seen[-1]

    async def publish(self, *mentions: Mention) -> None:
        for one in mentions:
            await self.flow.send(one.id.encode(), encode(one))
        await self.flow.settled()

    async def put(self, topic: Topic, partitions: Iterable[int], *records: Mention | Alert) -> None:
        """Write records to a topic, the same to each of the partitions."""
        async with make_producer(self.flow.settings) as producer:
            for one, partition in product(records, partitions):
                name = topic.full_name(self.flow.settings)
                await producer.send_and_wait(name, key=one.id.encode(), value=encode(one), partition=partition)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cluster(kafka, tmp_path_factory) -> AsyncIterator[Cluster]:
    folder, prefix = tmp_path_factory.mktemp("api"), f"t{uuid.uuid4().hex[:8]}."
    async with (
        aiohttp.ClientSession() as session,
        Flow(
            kafka,
            prefix,
            folder,
            rules=RULES,
            raw_partitions=4,
            keyed_partitions=2,
            notify=[],
            checkpoint_s=QUICK_CHECKPOINT_S,
        ) as flow,
    ):
        cluster = Cluster(flow, session)
        for port in (cluster.start(), cluster.start()):
            await cluster.until("the topics are read", port, "/v1/alerts")
        await flow.shared()
        yield cluster


def mention(name: str, text: str = "my acme burns", **fields) -> Mention:
    return Mention(
        id=f"x:at://{name}", source="x", observed_at=fields.pop("observed_at", datetime.now(UTC)), text=text, **fields
    )


def path_of(one: Mention) -> str:
    return f"/v1/mentions/{quote(one.id, safe='')}"


def one_for_each_partition(settings, text: str = "my acme burns", **fields) -> list[Mention]:
    found: dict[int, Mention] = {}
    for number in count():
        one = mention(f"{uuid.uuid4().hex[:6]}/{number}", text, **fields)
        found.setdefault(raw_partition_of(one.id, settings), one)
        if len(found) == settings.raw_partitions:
            return list(found.values())
    raise AssertionError


async def test_each_mention_is_told_by_the_worker_that_has_it_and_any_other_redirects_there(cluster):
    mentions = one_for_each_partition(cluster.flow.settings, HOSTILE, lang="en", author_name="<b>eve</b>")
    await cluster.publish(*mentions)

    answered = set()
    for one in mentions:
        for port in cluster.workers:
            await cluster.until("it has settled", port, path_of(one))
        here = {port: await cluster.ask(port, path_of(one), redirected=False) for port in cluster.workers}
        (owner, told), (other, redirect) = sorted(here.items(), key=lambda item: item[1].status)
        assert (told.status, redirect.status) == (200, 307)
        assert redirect.headers["Location"] == f"http://127.0.0.1:{owner}{path_of(one)}"
        assert told.kind == "application/json"
        assert (told.body["id"], told.body["text"]) == (one.id, HOSTILE)
        assert told.body["sentiment"]["label"] == "neutral"
        [judgement] = told.body["brands"]
        assert (judgement["brand"], judgement["issues"]) == ("acme", ["fire"])
        assert [hit["words"] for hit in judgement["hits"]] == ["acme", "burns"]
        assert (await cluster.ask(other, path_of(one))).body == told.body
        answered.add(owner)
    assert answered == set(cluster.workers), "each has some of the partitions"


async def test_a_source_that_puts_mentions_elsewhere_is_not_taken_for_a_liar_the_partitioner_is_ours(cluster):
    one = mention("partitioned")
    where = await cluster.flow.send(one.id.encode(), encode(one))
    assert where.partition == raw_partition_of(one.id, cluster.flow.settings)


async def test_nothing_is_told_of_what_is_gone(cluster):
    deleted, by_ann, edited_out = (
        mention("d", SECRET + " acme"),
        mention("a", SECRET + " acme", author_id="ann"),
        mention("e"),
    )
    await cluster.publish(deleted, by_ann, edited_out)
    removal = Mention(id="x:ann", source="x", observed_at=datetime.now(UTC), op="account_removed", author_id="ann")
    await cluster.publish(
        replace(deleted, op="delete", text=None, observed_at=datetime.now(UTC)),
        replace(edited_out, op="update", text=SECRET),
    )
    await cluster.put(RAW, range(cluster.flow.settings.raw_partitions), removal)
    await cluster.flow.settled()

    said = {}
    for one in (deleted, by_ann, edited_out, mention("never")):
        for port in cluster.workers:
            told = await cluster.ask(port, path_of(one))
            assert SECRET not in json.dumps(told.body)
            said[one.id] = (told.status, told.reason)

    assert said == {
        deleted.id: (410, "removed"),
        by_ann.id: (410, "removed"),
        edited_out.id: (404, "unmatched"),
        mention("never").id: (404, "unknown"),
    }


async def test_a_mention_that_kafka_no_longer_holds_has_expired_and_others_are_told_as_before(cluster):
    first = mention("first", SECRET + " acme")
    await cluster.publish(first)
    place = (await cluster.ask(next(iter(cluster.workers)), path_of(first))).body["origin"]
    tp = TopicPartition(RAW.full_name(cluster.flow.settings), place["partition"])
    await cluster.flow.eyes.admin.delete_records({tp: RecordsToDelete(place["offset"] + 1)})
    second = next(
        one
        for one in (mention(f"second {n}") for n in count())
        if raw_partition_of(one.id, cluster.flow.settings) == place["partition"]
    )
    await cluster.publish(second)

    for port in cluster.workers:
        gone = await cluster.ask(port, path_of(first))
        assert (gone.status, gone.reason) == (410, "expired")
        assert SECRET not in json.dumps(gone.body)
        assert (await cluster.ask(port, path_of(second))).body["id"] == second.id


async def test_every_worker_tells_the_figures_of_every_brand_the_silent_ones_too(cluster):
    await cluster.publish(mention("counted"))
    for port in cluster.workers:

        async def they_are_told(port: int = port) -> bool:
            return "figures" in (await cluster.ask(port, "/v1/brands/acme")).body

        await until("acme has figures", they_are_told, UP_WITHIN_S)
        every = (await cluster.ask(port, "/v1/brands")).body["brands"]
        assert [(one["id"], one["configured"], "figures" in one) for one in every] == [
            ("acme", True, True),
            ("silent", True, False),
        ]
        figures = every[0]["figures"]
        assert figures["applied"] >= 1
        assert figures["hour"]["span_s"] == 3600
        nobody = await cluster.ask(port, "/v1/brands/nobody")
        assert (nobody.status, nobody.reason) == (404, "no_such_thing")


def alert(name: str, minute: int, **fields) -> Alert:
    sample = Sample(id="x:1", text=HOSTILE, observed_at=NOW, sentiment="negative")
    started_at = NOW - timedelta(hours=1) + timedelta(minutes=minute)
    evidence = Evidence(window_s=1800, observed=34, expected=6, score=41.2, samples=(sample,))
    return an_alert(id=name, at=started_at, evidence=evidence, **{"brand": "acme", "severity": "critical"} | fields)


async def test_every_worker_tells_alerts_with_their_evidence_page_by_page_the_latest_first(cluster):
    await cluster.put(
        ALERTS,
        [1],
        alert("one", 1),
        alert("two", 2, brand="globex"),
        alert("three", 3, status="resolved", resolved_at=NOW),
    )
    for port in cluster.workers:

        async def they_are_read(port: int = port) -> bool:
            return (await cluster.ask(port, "/v1/alerts/three")).status == 200

        await until("the alerts are read", they_are_read, UP_WITHIN_S)

        async def ids(query: str = "", port: int = port) -> list[str]:
            return [one["id"] for one in (await cluster.ask(port, f"/v1/alerts{query}")).body["alerts"]]

        assert await ids() == ["three", "two", "one"]
        assert await ids("?status=firing") == ["two", "one"]
        assert await ids("?status=resolved") == ["three"]
        assert await ids("?brand=acme&status=firing") == ["one"]
        assert await ids("?brand=nobody") == []
        first = (await cluster.ask(port, "/v1/alerts?limit=2")).body
        rest = (await cluster.ask(port, f"/v1/alerts?limit=2&after={first['next']}")).body
        assert [one["id"] for one in first["alerts"] + rest["alerts"]] == ["three", "two", "one"]
        assert "next" not in rest
        told = (await cluster.ask(port, "/v1/alerts/one")).body
        assert told["evidence"]["samples"][0]["text"] == HOSTILE
        assert (await cluster.ask(port, "/v1/alerts/none")).status == 404


async def test_what_goes_is_gone_what_is_no_alert_is_left_out_and_nothing_old_is_told_as_new(cluster, monkeypatch):
    settings = cluster.flow.settings
    following = asyncio.create_task((latest := Latest(settings)).follow())

    async def all_is_read() -> bool:
        with suppress(Refused):
            return b"end" in latest.alerts()
        return False

    async with make_producer(settings) as producer:
        topic = ALERTS.full_name(settings)
        for key, value in (
            (b"kept", encode(alert("kept", 1))),
            (b"went", encode(alert("went", 1))),
            (b"rubbish", b"{"),
            (b"\xff", encode(alert("named otherwise", 1))),
        ):
            await producer.send_and_wait(topic, key=key, value=value, partition=0)
        await producer.send_and_wait(topic, key=b"went", value=None, partition=0)
        await producer.send_and_wait(topic, key=b"end", value=encode(alert("end", 1)), partition=0)
    await until("all is read", all_is_read, UP_WITHIN_S)
    assert b"kept" in latest.alerts()
    assert not {b"went", b"rubbish", b"\xff"} & set(latest.alerts())

    answered_ns = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: answered_ns + int((settings.session_timeout_s + 1) * 1e9))
    with pytest.raises(Refused) as refused:
        latest.alerts()
    assert refused.value.reason == "silent"
    monkeypatch.undo()
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_through_a_kill_and_a_join_lists_are_told_and_no_mention_is_wrongly_missing(cluster):
    mentions = one_for_each_partition(cluster.flow.settings)
    await cluster.publish(*mentions)
    [left, doomed] = cluster.workers
    # What it handled last is told, and not written down yet when it is killed.
    mentions += one_for_each_partition(cluster.flow.settings)
    for one in mentions[-4:]:
        await cluster.flow.send(one.id.encode(), encode(one))
    told = await asyncio.gather(*(cluster.ask(left, path_of(one)) for one in mentions))
    assert {one.status for one in told} == {200}, "what Kafka has acknowledged is waited for"
    await cluster.flow.kill(cluster.workers.pop(doomed))

    seen: set[tuple[int, str]] = set()

    async def ask_all(port: int) -> bool:
        lists = [await cluster.ask(port, path) for path in ("/v1/brands", "/v1/alerts")]
        assert {told.status for told in lists} == {200}, "they need no other worker"
        told = [await cluster.ask(port, path_of(one)) for one in mentions]
        seen.update((one.status, one.body.get("reason", "")) for one in told)
        return {one.status for one in told} == {200}

    await until("whoever is left has everything", lambda: ask_all(left), UP_WITHIN_S)
    joined = cluster.start()
    await cluster.until("the topics are read", joined, "/v1/brands")

    async def both() -> bool:
        return all(await asyncio.gather(ask_all(left), ask_all(joined)))

    async def shared() -> bool:
        here = [await cluster.ask(left, path_of(one), redirected=False) for one in mentions]
        return await both() and {one.status for one in here} == {200, 307}

    await until("they share the partitions, and each tells all", shared, UP_WITHIN_S)
    assert seen <= {(200, ""), (503, "moving"), (503, "behind"), (0, "")}, "not once was it missing"
    assert (200, "") in seen
