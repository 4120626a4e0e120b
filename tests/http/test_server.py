"""Who may ask a worker over HTTP, and how it says whether it is well."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from aiohttp.test_utils import TestClient, TestServer
from faust.types import TP

from agents.cli.localkafka import free_port
from agents.http.server import serve
from streams.consumer import now_s
from streams.core.rules import load_rules
from streams.core.versions import Versions
from streams.settings import Settings, SettingsError
from streams.watchdog import Judge, Thing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RULES = load_rules("ruleset: r\nbrands:\n  - {id: acme, match: acme}\n")
SCORED = TP("mentions.scored", 0)


class Worker:
    """As much of a worker as its HTTP server sees."""

    def __init__(self, **settings: object) -> None:
        self.groundswell = Settings(**{"http_port": free_port(), **settings})
        self.ledgers = []
        self.rulebook = SimpleNamespace(versions=Versions(RULES))
        self.gave_up, self.should_stop, self.in_recovery, self.rebalancing = None, False, False, False
        self.consumer = SimpleNamespace(heartbeat_at=now_s(), positions={SCORED: 7}, source_partitions=lambda: {SCORED})
        self.watchdog = SimpleNamespace(still={})
        serve(self)

    def keep_running_from_the_start(self, service) -> None:
        self.web_app = service._runner.app
        service._listening.close()


async def client_of(worker: Worker) -> TestClient:
    return TestClient(TestServer(worker.web_app))


@pytest.fixture
def worker() -> Worker:
    return Worker()


@pytest.fixture
async def client(worker) -> AsyncIterator[TestClient]:
    async with await client_of(worker) as one:
        yield one


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "worker.example"])
def test_a_worker_that_others_can_reach_refuses_to_start_without_a_token_and_says_what_to_set(host):
    with pytest.raises(SettingsError, match=r"GROUNDSWELL_HTTP_HOST.*set GROUNDSWELL_HTTP_TOKEN"):
        Worker(http_host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_on_loopback_no_token_is_needed(host):
    Worker(http_host=host)


def test_a_port_that_is_taken_is_a_refusal_that_names_the_setting():
    with (
        socket.create_server(("127.0.0.1", 0)) as other,
        pytest.raises(SettingsError, match=r"GROUNDSWELL_HTTP_PORT.*choose another port"),
    ):
        Worker(http_port=other.getsockname()[1])


async def test_with_a_token_metrics_are_for_those_who_send_it_and_health_for_everybody():
    async with await client_of(Worker(http_host="0.0.0.0", http_token="s3cret-ü")) as client:
        assert (await client.get("/metrics")).status == 401
        wrong = await client.get("/metrics", headers={"Authorization": "Bearer s3cret"})
        assert (wrong.status, wrong.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await client.get("/metrics", headers={"Authorization": "Bearer s3cret-ü"})).status == 200
        assert (await client.get("/live")).status == 200
        assert (await client.get("/ready")).status == 200


async def test_a_page_that_gives_its_own_name_our_address_is_not_answered(client):
    assert (await client.get("/metrics", headers={"Host": "evil.example"})).status == 403
    assert (await client.get("/metrics", headers={"Host": "localhost:9100"})).status == 200


@pytest.mark.parametrize("host", ["a:b:c", "localhost:99999", "\xff"])
async def test_what_is_no_host_is_refused_and_no_failure_of_ours(client, host, caplog):
    assert (await client.get("/metrics", headers={"Host": host})).status == 403
    assert (await client.get("/v1/brands", headers={"Host": host})).status == 403
    assert not [record for record in caplog.records if record.name == "aiohttp.server"]


async def test_prometheus_gets_openmetrics_if_it_asks_for_it(client):
    plain = await client.get("/metrics")
    assert plain.content_type == "text/plain"
    asked = await client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert asked.content_type == "application/openmetrics-text"
    assert (await asked.text()).endswith("# EOF\n")


async def test_live_names_what_stands_still_and_for_how_long_before_the_worker_gives_up(worker, client):
    judge = Judge(worker.groundswell.stall_timeout_s, 0)
    things = {
        "mentions.raw-0": Thing(7, at_rest=False, waits="5 records wait, from offset 7 on"),
        "mentions.raw-1": Thing(9, at_rest=True, waits="0 records wait"),
    }
    for at_s in (0, 59):
        judge.look(at_s, things, answered=True)
    worker.watchdog.still = judge.still
    assert (await client.get("/live")).status == 200

    judge.look(60, things, answered=True)
    worker.watchdog.still = judge.still
    answer = await client.get("/live")

    assert answer.status == 503
    assert await answer.json() == {
        "live": False,
        "stuck": {"mentions.raw-0": {"still_s": 60.0, "waits": "5 records wait, from offset 7 on"}},
        "moving": ["mentions.raw-1"],
    }


async def test_while_no_broker_answers_a_worker_is_live_since_a_restart_would_help_nothing(worker, client):
    judge = Judge(worker.groundswell.stall_timeout_s, 0)
    for at_s in (0, 600):
        judge.look(at_s, {"mentions.raw-0": Thing(7, at_rest=False, waits="")}, answered=False)
    worker.watchdog.still = judge.still
    assert (await client.get("/live")).status == 200


async def test_a_worker_that_holds_its_partitions_is_ready_and_says_which(client):
    answer = await client.get("/ready")
    assert answer.status == 200
    assert await answer.json() == {"ready": True, "reason": None, "partitions": {"mentions.scored": [0]}}


async def test_a_spare_worker_that_was_given_no_partition_is_ready(worker, client):
    worker.consumer.source_partitions = set
    assert (await client.get("/ready")).status == 200


def never_joined(worker):
    worker.consumer.heartbeat_at = float("-inf")


def in_recovery(worker):
    worker.in_recovery = True


def not_sought(worker):
    worker.consumer.positions = {}


def rebalancing(worker):
    worker.rebalancing = True


def unheard(worker):
    worker.consumer.heartbeat_at = now_s() - worker.groundswell.session_timeout_s


def gave_up(worker):
    worker.gave_up = RuntimeError("a disk is full")


@pytest.mark.parametrize(
    ("becomes", "reason"),
    [
        (never_joined, "starting"),
        (in_recovery, "recovering"),
        (not_sought, "recovering"),
        (rebalancing, "rebalancing"),
        (unheard, "no_heartbeat"),
        (gave_up, "stopping"),
    ],
)
async def test_a_worker_that_cannot_answer_for_its_partitions_says_why(worker, client, becomes, reason):
    becomes(worker)
    answer = await client.get("/ready")
    told = await answer.json()
    assert (answer.status, told["ready"], told["reason"]) == (503, False, reason)
