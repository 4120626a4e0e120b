"""Mentions that others post to us: who may, what is taken, and when they are told that we have it."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import aiohttp
import msgspec
import pytest
from aiokafka.errors import KafkaTimeoutError
from standardwebhooks import Webhook as Signature

from agents.cli.localkafka import free_port
from agents.cli.read import reading
from agents.sources import open_source, webhook
from agents.sources.interface import Reached, SourceError
from agents.sources.listening import Listener
from agents.sources.webhook.body import UnfitError, read_body
from streams.broker import create_topics
from streams.records import Mention
from streams.settings import load_settings
from streams.topics import RAW
from tests.sources.standins.webhook import Message, WebhookStandIn, new_secret

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agents.sources.interface import Sourced

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
JSON, LINES = "application/json", "application/x-ndjson"
OURS, NEXT, THEIRS = new_secret(1), new_secret(2), new_secret(3)


# -- what is taken ------------------------------------------------------------------------------------------------


def read(content: object, content_type: str = JSON) -> list[Sourced]:
    return read_body(content if isinstance(content, bytes) else json.dumps(content).encode(), content_type, NOW)


def mentions(content: object, content_type: str = JSON) -> list[Mention]:
    said = read(content, content_type)
    found = [msgspec.json.decode(one.value, type=Mention) for one in said]
    assert [one.key.decode() for one in said] == [one.id for one in found]
    return found


def faults(content: object, content_type: str = JSON) -> list[str]:
    with pytest.raises(UnfitError) as unfit:
        read(content, content_type)
    return unfit.value.faults


ENVELOPE = {
    "type": "mention.created",
    "timestamp": "2026-11-21T11:40:00Z",
    "data": {"id": "crm:991", "text": "acme support never called back", "author_id": "cust-7", "lang": "en"},
}


def test_a_mention_in_an_envelope_is_posted_when_the_sender_says_and_observed_when_we_had_it():
    [mention] = mentions(ENVELOPE)
    assert (mention.id, mention.source, mention.op) == ("webhook:crm:991", "webhook", "create")
    assert (mention.text, mention.author_id, mention.lang) == ("acme support never called back", "cust-7", "en")
    assert mention.posted_at == datetime(2026, 11, 21, 11, 40, tzinfo=UTC)
    assert mention.observed_at == mention.ingested_at == NOW


def test_a_senders_clock_moves_no_window():
    [mention] = mentions({"id": "1", "text": "acme", "observed_at": "2031-01-01T00:00:00Z", "source": "bluesky"})
    assert (mention.observed_at, mention.source) == (NOW, "webhook")


def test_when_the_post_says_itself_when_it_was_posted_the_envelope_is_not_believed():
    data = {**ENVELOPE["data"], "posted_at": "2026-11-20T00:00:00Z"}
    assert mentions({**ENVELOPE, "data": data})[0].posted_at == datetime(2026, 11, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ([{"id": "1", "text": "a"}, {"id": "2", "title": "b"}], JSON),
        (b'{"id": "1", "text": "a"}\n\n{"id": "2", "title": "b"}\r\n', LINES),
        ([{"type": "mention.created", "data": {"id": "1", "text": "a"}}, {"id": "2", "image_text": ["b"]}], JSON),
    ],
)
def test_several_come_as_an_array_or_as_lines_with_or_without_envelopes(content, content_type):
    assert [one.id for one in mentions(content, content_type)] == ["webhook:1", "webhook:2"]


def test_ids_of_other_mentions_are_of_the_same_sender():
    [mention] = mentions({"id": "2", "text": "a", "in_reply_to": "1", "root": "0", "quoted": None})
    assert (mention.in_reply_to, mention.root, mention.quoted) == ("webhook:1", "webhook:0", None)


def test_an_update_a_deletion_and_the_end_of_an_account_are_told_by_the_type():
    said = read(
        [
            {"type": "mention.updated", "data": {"id": "1", "text": "b", "revision": "2"}},
            {"type": "mention.deleted", "data": {"id": "1"}},
            {"type": "account.removed", "data": {"author_id": "cust-7"}},
        ]
    )
    found = [msgspec.json.decode(one.value, type=Mention) for one in said]
    assert [one.op for one in found] == ["update", "delete", "account_removed"]
    assert [one.everywhere for one in said] == [False, False, True]
    assert (found[0].revision, found[1].text, found[2].author_id) == ("2", None, "cust-7")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ({"text": "a"}, "`$.id`"),
        ({"id": 7, "text": "a"}, "`$.id`"),
        ({"id": "1"}, "nothing is said"),
        ({"id": "1", "text": ["a"]}, "`$.text`"),
        ({"id": "1", "text": "a", "posted_at": "yesterday"}, "`$.posted_at`"),
        ({"id": "1", "text": "a", "op": "explode"}, "`$.op`"),
        ({"id": "1" * 1025, "text": "a"}, "`$.id`"),
        ({"id": "1", "text": "a" * 900_001}, "at most 900,000"),
        ({"op": "account_removed"}, "author_id"),
        ({"type": "ping", "data": {}}, "mention.created"),
        (["a"], "expected an object"),
        ([], "no mention"),
        (b"", "the body"),
        (b'{"id": "1", "text": "\xff"}', "the body"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_intake_would_set_aside_is_refused_and_the_fault_named(content, fault):
    [said] = faults(content)
    assert fault in said


def test_each_fault_is_named_with_its_place():
    assert [one.partition(":")[0] for one in faults([{"id": "1"}, {"id": "2", "text": "fine"}, 3])] == ["[0]", "[2]"]
    assert [one.partition(":")[0] for one in faults(b'{"id":\n{"id":"1","text":"a"}\n\nnull', LINES)] == [
        "line 1",
        "line 4",
    ]


def test_a_thousand_faults_are_not_all_named():
    assert len(faults([None] * 1000)) == 50


# -- who may, and what they are told ------------------------------------------------------------------------------


class Somebody:
    """Posts, and sees what comes of it. What was said waits in `said` until the test settles it."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self.url, self.session = f"http://127.0.0.1:{port}/v1/mentions", session
        self.said: asyncio.Queue[Sourced] = asyncio.Queue()

    async def post(self, content: object = None, **headers: str) -> tuple[int, Any]:
        body = content if isinstance(content, bytes) else json.dumps(content or ENVELOPE).encode()
        async with self.session.post(self.url, data=body, headers={"content-type": JSON, **headers}) as answer:
            self.retry_after = answer.headers.get("Retry-After")
            return answer.status, await answer.json()

    async def signed(self, secret: str, *, at: datetime | None = None, message: str = "msg_1") -> tuple[int, Any]:
        body, at = json.dumps(ENVELOPE), at or datetime.now(UTC)
        signature = Signature(secret).sign(message, at, body)
        return await self.post(
            body.encode(),
            **{
                "webhook-id": message,
                "webhook-timestamp": str(int(at.timestamp())),
                "webhook-signature": f"v1a,c29tZXRoaW5n {signature}",
            },
        )

    async def take(self, *, but: Exception | None = None) -> Sourced:
        """As Kafka does it."""
        async with asyncio.timeout(10):
            one = await self.said.get()
        if but:
            one.taken.set_exception(but)
        else:
            one.taken.set_result(None)
        return one

    async def stops_listening(self) -> None:
        self.listening.cancel()
        await asyncio.gather(self.listening, return_exceptions=True)

    async def take_all(self) -> None:
        while True:
            await self.take()


@asynccontextmanager
async def listening(**options: object) -> AsyncIterator[Somebody]:
    port = free_port()
    source = open_source("webhook", {"port": str(port)} | {name: str(value) for name, value in options.items()})
    connected = asyncio.Event()

    async def listen() -> None:
        async with aclosing(source.listen()) as events:
            async for event in events:
                if isinstance(event, Reached):
                    connected.set()
                else:
                    somebody.said.put_nowait(event)

    async with aiohttp.ClientSession() as session:
        somebody = Somebody(port, session)
        somebody.listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(10):
                await connected.wait()
            yield somebody
        finally:
            await somebody.stops_listening()


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_WEBHOOK_SECRETS", f"{OURS} {NEXT}")


async def test_the_answer_comes_once_kafka_has_all_of_it_and_not_before():
    async with listening() as somebody:
        asking = asyncio.create_task(somebody.post([{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]))
        await somebody.take()
        second = await somebody.said.get()
        done, _ = await asyncio.wait({asking}, timeout=0.1)
        assert not done
        second.taken.set_result(None)
        assert await asking == (202, {"accepted": 2})


async def test_what_kafka_refused_is_not_accepted_and_is_taken_when_it_is_sent_again(secrets):
    async with listening() as somebody:
        asking = asyncio.create_task(somebody.signed(OURS))
        await somebody.take(but=KafkaTimeoutError())
        assert (await asking)[0] == 503
        assert somebody.retry_after == "1"
        again = asyncio.create_task(somebody.signed(OURS))
        await somebody.take()
        assert (await again)[0] == 202


async def test_where_kafka_does_not_answer_in_time_the_sender_is_told_to_come_again():
    async with listening(answer_within=0.1) as somebody:
        assert (await somebody.post())[0] == 503


async def test_who_waits_when_listening_ends_is_told_to_come_again():
    async with listening() as somebody:
        asking = asyncio.create_task(somebody.post())
        await somebody.said.get()
        await somebody.stops_listening()
        assert (await asking)[0] == 503


@pytest.mark.parametrize("secret", [OURS, NEXT])
async def test_while_one_secret_replaces_another_both_are_good(secrets, secret):
    async with listening() as somebody:
        taking = asyncio.create_task(somebody.take_all())
        assert (await somebody.signed(secret))[0] == 202
        taking.cancel()


@pytest.mark.parametrize("ago", [timedelta(minutes=6), -timedelta(minutes=6)])
async def test_a_signature_that_is_too_old_or_from_the_future_is_not_good(secrets, ago):
    async with listening() as somebody:
        assert (await somebody.signed(OURS, at=datetime.now(UTC) - ago))[0] == 401


async def test_what_somebody_else_signed_is_refused_without_a_word_of_the_secret(secrets):
    async with listening() as somebody:
        status, told = await somebody.signed(THEIRS)
        assert status == 401
        assert OURS not in repr(told)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"webhook-id": "1", "webhook-timestamp": "now", "webhook-signature": "v1,x"},
        {"webhook-id": "1", "webhook-timestamp": str(int(datetime.now(UTC).timestamp())), "webhook-signature": "v1"},
        {"webhook-id": "1", "webhook-timestamp": str(int(datetime.now(UTC).timestamp())), "webhook-signature": "v1,?"},
    ],
)
async def test_what_is_not_signed_or_not_readably_is_refused(secrets, headers):
    async with listening() as somebody:
        assert (await somebody.post(**headers))[0] == 401
        assert (await somebody.post(b"\xff", **headers))[0] == 401


async def test_a_request_that_was_taken_is_not_taken_again(secrets):
    async with listening() as somebody:
        asking = asyncio.create_task(somebody.signed(OURS))
        await somebody.take()
        assert (await asking)[0] == 202
        assert (await somebody.signed(OURS))[0] == 200
        assert somebody.said.empty()


async def test_a_request_that_is_being_taken_is_not_taken_beside_itself(secrets):
    async with listening() as somebody:
        asking = asyncio.create_task(somebody.signed(OURS))
        one = await somebody.said.get()
        assert (await somebody.signed(OURS))[0] == 409
        one.taken.set_result(None)
        assert (await asking)[0] == 202


async def test_of_a_request_with_faults_nothing_is_taken():
    async with listening() as somebody:
        status, told = await somebody.post([{"id": "1", "text": "fine"}, {"id": "2"}])
        assert (status, told["errors"]) == (
            400,
            ["[1]: nothing is said: one of text, title and image_text is required"],
        )
        assert somebody.said.empty()


async def test_when_too_much_waits_for_kafka_the_sender_is_told_to_come_again_and_then_there_is_room():
    async with listening(most_waiting=2, answer_within=30) as somebody:
        asking = asyncio.create_task(somebody.post([{"id": "1", "text": "a"}, {"id": "2", "text": "b"}]))
        first = await somebody.said.get()
        assert (await somebody.post())[0] == 429
        assert somebody.retry_after == "1"
        first.taken.set_result(None)
        await somebody.take()
        assert (await asking)[0] == 202
        again = asyncio.create_task(somebody.post())
        await somebody.take()
        assert (await again)[0] == 202


async def test_what_would_never_fit_is_refused_for_good():
    async with listening(most_waiting=2, most_bytes=2000) as somebody:
        assert (await somebody.post([{"id": str(n), "text": "a"} for n in range(3)]))[0] == 413
        assert (await somebody.post({"id": "1", "text": "a" * 2000}))[0] == 413


@pytest.mark.parametrize("headers", [{"content-type": "text/plain"}, {"content-encoding": "gzip"}])
async def test_what_is_no_plain_json_is_refused(headers):
    async with listening() as somebody:
        assert (await somebody.post(**headers))[0] == 415


def test_others_may_not_post_without_a_secret():
    with pytest.raises(SourceError, match="GROUNDSWELL_WEBHOOK_SECRETS"):
        open_source("webhook", {"host": "0.0.0.0"})


@pytest.mark.parametrize("secret", ["hunter2", "whsec_aHVudGVyMg==", f"{OURS} whsec_!"])
def test_a_secret_that_is_none_is_refused_and_not_repeated(monkeypatch, secret):
    monkeypatch.setenv("GROUNDSWELL_WEBHOOK_SECRETS", secret)
    with pytest.raises(SourceError, match="whsec_ and the base64") as refused:
        open_source("webhook", {})
    assert secret not in str(refused.value)


async def test_a_port_that_is_taken_is_told_by_its_number():
    async with listening() as somebody:
        port = somebody.url.rpartition(":")[2].partition("/")[0]
        with pytest.raises(SourceError, match=rf"127.0.0.1:{port}.*port="):
            await anext(open_source("webhook", {"port": port}).listen())


@pytest.mark.kafka
async def test_whatever_was_answered_with_202_is_in_kafka(kafka, prefix, monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_WEBHOOK_SECRETS", OURS)
    settings = load_settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix)
    await create_topics(settings)
    async with WebhookStandIn(OURS) as sender:
        listener = asyncio.create_task(Listener(open_source("webhook", sender.options), settings).listen())
        try:
            accepted = 0
            while accepted < 20:
                body = json.dumps({"id": str(accepted), "text": "acme"}).encode()
                if await sender.attempt(Message(accepted, body, JSON)) == 202:
                    accepted += 1
                    async with reading(settings, RAW) as reader:
                        assert sum(reader.ends.values()) == accepted
        finally:
            listener.cancel()
            await asyncio.gather(listener, return_exceptions=True)


@pytest.mark.parametrize("begun", [b"", b"POST /v1/mentions HTTP/1.1\r\nHost: "])
async def test_who_is_connected_and_asks_nothing_is_let_go(begun, monkeypatch):
    monkeypatch.setattr(webhook, "IDLE_S", 0.2)
    async with listening() as somebody, asyncio.timeout(5):
        port = int(somebody.url.rpartition(":")[2].partition("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(begun)
        assert await reader.read() == b""
        writer.close()
