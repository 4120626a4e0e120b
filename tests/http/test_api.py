"""What the API refuses, and how; what it answers, real workers tell in test_api_workers.py."""

from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import TYPE_CHECKING, get_args

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from faust.types import TP
from openapi_spec_validator import OpenAPIV31SpecValidator
from yarl import URL

from agents.http import routing
from agents.http.api import add_api
from agents.http.openapi import document
from agents.http.paging import MOST, Page
from agents.http.problems import SAYS, Refused
from agents.http.routing import Owners
from streams.core.recall import Missing
from streams.core.rules import load_rules
from streams.core.versions import Versions
from streams.settings import NOBODY, Settings
from tests.http.described import check

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RULES = load_rules("ruleset: r\nbrands:\n  - {id: acme, match: acme}\n")
RAW = "mentions.raw"


class Desks:
    """A ledger of intake's that has no desk, or one that knows nothing."""

    topic = RAW

    def __init__(self, *partitions: int) -> None:
        self._partitions = partitions

    def desks(self):
        recall = SimpleNamespace(place_of=lambda name: "unknown")
        return iter([(partition, SimpleNamespace(recall=recall)) for partition in self._partitions])


class Worker:
    """As much of a worker as the API sees. No broker answers it. `elsewhere` is who else has which raw partitions."""

    def __init__(self, *mine: int, elsewhere: dict[str, list[int]] | None = None, **settings: object) -> None:
        self.consumer = SimpleNamespace(positions={TP(RAW, 0): 0}, caught_up=lambda tp, end: False)
        self.rulebook = SimpleNamespace(versions=Versions(RULES))
        self.groundswell = Settings(kafka_bootstrap="127.0.0.1:1", raw_partitions=1, **settings)
        self.ledgers = [Desks(*mine)]
        self.gave_up, self.rebalancing = None, False
        self.conf = SimpleNamespace(canonical_url=self.groundswell.advertised_url)
        told = {url: {RAW: partitions} for url, partitions in (elsewhere or {}).items()}
        self.router = SimpleNamespace(external_topics_metadata=lambda: told)


def client_of(worker: Worker, *middlewares: object) -> TestClient:
    web_app = web.Application(middlewares=middlewares)
    add_api(web_app, worker)
    return TestClient(TestServer(web_app))


@pytest.fixture
async def client() -> AsyncIterator[TestClient]:
    async with client_of(Worker(0)) as one:
        yield one


async def reason_of(answer) -> tuple[int, str]:
    """What every refusal is like; status and reason."""
    assert answer.content_type == "application/problem+json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not [name for name in answer.headers if name.startswith("Access-Control")]
    said = await answer.json()
    assert said["status"] == answer.status
    return answer.status, said["reason"]


def test_the_description_is_valid_openapi():
    OpenAPIV31SpecValidator(document()).validate()


async def test_the_description_names_every_path_and_none_besides():
    web_app = web.Application()
    add_api(web_app, Worker())
    assert set(document()["paths"]) == {resource.canonical for resource in web_app.router.resources()}


async def test_the_description_is_served(client):
    answer = await client.get("/v1/openapi.json")
    assert (answer.status, answer.content_type, await answer.json()) == (200, "application/json", document())


def test_every_reason_for_not_showing_a_mention_has_words():
    assert set(SAYS) == set(get_args(Missing))


@pytest.mark.parametrize("path", ["/v1/brands", "/v1/brands/nobody", "/v1/alerts", "/v1/alerts/none"])
async def test_before_the_topics_are_read_nothing_is_missing_it_is_too_early(client, path):
    answer = await client.get(path)
    assert await reason_of(answer) == (503, "catching_up")
    assert int(answer.headers["Retry-After"]) > 0
    check("503", path, await answer.json())


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/v1/nothing", (404, "no_such_thing")),
        ("/v1/mentions/", (404, "no_such_thing")),
        ("/v1/alerts?state=firing", (400, "bad_request")),
        ("/v1/alerts?status=open", (400, "bad_request")),
        ("/v1/alerts?brand=a&brand=b", (400, "bad_request")),
        ("/v1/mentions/x%3A1?full=yes", (400, "bad_request")),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_as_a_problem(client, path, said):
    answer = await client.get(URL(path, encoded=True))
    assert await reason_of(answer) == said


async def test_nothing_can_be_written(client):
    answer = await client.post("/v1/brands")
    assert await reason_of(answer) == (405, "refused")
    assert answer.headers["Allow"] == "GET,HEAD"


async def test_whoever_refuses_before_the_api_is_asked_refuses_as_a_problem_too():
    @web.middleware
    async def nobody(request, handler):
        raise web.HTTPUnauthorized(text="send the token\n", headers={"WWW-Authenticate": "Bearer"})

    async with client_of(Worker(), nobody) as client:
        answer = await client.get("/v1/brands")
        assert await reason_of(answer) == (401, "refused")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert (await answer.json())["detail"] == "send the token"


async def test_our_own_mistake_tells_nobody_what_it_was(caplog):
    worker = Worker(0)
    worker.ledgers = []
    async with client_of(worker) as client:
        answer = await client.get("/v1/mentions/x%3A1")
        assert await reason_of(answer) == (500, "failed")
    assert "Traceback" in caplog.text


@pytest.mark.parametrize("path", ["/v1/mentions/x%3A1", "/v1/mentions/x%3A%FF%00%2F..%2F"])
async def test_what_is_not_remembered_is_not_missing_before_a_broker_says_that_all_is_handled(client, path):
    assert await reason_of(await client.get(URL(path, encoded=True))) == (503, "silent")


async def test_what_is_not_remembered_is_not_missing_while_it_may_be_among_what_waits(monkeypatch):
    monkeypatch.setattr(routing, "HANDLED_WITHIN_S", 0.05)
    owners = Owners(Worker(0))
    with pytest.raises(Refused) as refused:
        await owners.wait_until_handled(0, 1)
    assert (refused.value.status, refused.value.reason) == (503, "behind")
    await owners.wait_until_handled(0, 0)


# -- who answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["http://10.0.0.7:8080", "https://gateway.example/worker-7/"])
async def test_a_mention_that_another_worker_has_is_asked_for_there_under_the_very_same_name(base):
    async with client_of(Worker(elsewhere={base: [0]})) as client:
        path = "/v1/mentions/bluesky%3Aat%3A%2F%2Fa%3Fb"
        answer = await client.get(URL(path, encoded=True), allow_redirects=False)

    assert (answer.status, answer.headers["Location"]) == (307, base.rstrip("/") + path)


def unsettled() -> dict[str, Worker]:
    moving, given_up = Worker(elsewhere={"http://b": [0]}), Worker(elsewhere={"http://b": [0]})
    moving.rebalancing, given_up.gave_up = True, RuntimeError()
    return {
        "while partitions change hands": moving,
        "after giving up": given_up,
        "where nobody has it": Worker(elsewhere={"http://b": [1]}),
        "where it is ours and not read yet": Worker(elsewhere={"http://127.0.0.1:8080": [0]}, http_port=8080),
        "where its worker does not answer over HTTP": Worker(elsewhere={NOBODY: [0]}, http_port=8080),
    }


@pytest.mark.parametrize("when", list(unsettled()))
def test_a_mention_is_not_missing_but_asked_for_too_early(when):
    with pytest.raises(Refused) as refused:
        Owners(unsettled()[when]).elsewhere(0)
    assert (refused.value.status, refused.value.reason) == (503, "moving")
    assert "Retry-After" in refused.value.headers


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({}, NOBODY),
        ({"http_port": 8080}, "http://127.0.0.1:8080"),
        ({"http_port": 8080, "http_host": "::1"}, "http://[::1]:8080"),
        ({"http_port": 8080, "http_advertised_url": "https://w7.example/api"}, "https://w7.example/api"),
        ({"http_advertised_url": "https://w7.example"}, NOBODY),
    ],
)
def test_a_worker_is_where_it_listens_unless_it_says_otherwise(settings, url):
    assert Settings(**settings).advertised_url == url


def test_a_worker_that_listens_everywhere_goes_by_the_machines_name():
    assert Settings(http_port=8080, http_host="0.0.0.0").advertised_url == f"http://{socket.gethostname()}:8080"


# -- pages ------------------------------------------------------------------------------------------


def test_pages_together_hold_everything_once():
    items = [f"{n:03}" for n in range(25)]
    pages, given = [], {"limit": "10"}
    while True:
        page = Page.of(items, given, key=str)
        pages.append(page.items)
        if page.next is None:
            break
        given["after"] = page.next

    assert [len(page) for page in pages] == [10, 10, 5]
    assert [item for page in pages for item in page] == items


def test_what_goes_between_two_pages_makes_nobody_miss_the_others():
    items = ["a", "b", "c", "d"]
    first = Page.of(items, {"limit": "2"}, key=str)
    assert Page.of(["a", "c", "d"], {"after": first.next}, key=str).items == ["c", "d"]


@pytest.mark.parametrize("limit", ["0", "-1", str(MOST + 1), "9" * 5000, "٣", "all", ""])
def test_a_limit_is_a_small_number(limit):
    with pytest.raises(Refused, match="limit is a number from 1 to"):
        Page.of([], {"limit": limit}, key=str)


def test_problems_are_what_the_description_says():
    schemas = document()["components"]["schemas"]
    assert set(schemas["Problem"]["properties"]) == {"type", "title", "status", "detail", "reason"}
    assert msgspec.json.encode(document())
