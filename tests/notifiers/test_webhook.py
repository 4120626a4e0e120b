from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import socket
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from standardwebhooks import Webhook

from agents.notifiers.interface import Delivered, Refused, Retry
from agents.notifiers.webhook import (
    BODY_LIMIT,
    CheckedResolver,
    UnsafeAddressError,
    WebhookNotifier,
    may_connect,
)
from streams.core.endpoints import retry_after_s
from streams.records import Sample
from streams.settings import SettingsError, load_settings
from tests.samples import NOON, an_alert

SECRET = "whsec_" + base64.b64encode(b"not a secret, only for the tests").decode()
KEY = "a1.1.webhook"


def a_webhook(url, secret=SECRET, **kwargs) -> WebhookNotifier:
    return WebhookNotifier(load_settings(webhook_url=url, webhook_secret=secret), **kwargs)


class Receiver:
    """A real server on loopback; `answer` says what it does with a request it has noted down."""

    def __init__(self):
        self.requests = []
        self.connections = set()
        self.answer = self.say(200)
        self.url = ""

    @staticmethod
    def say(status, **headers):
        async def answer(request):
            return web.Response(status=status, headers={name.replace("_", "-"): of for name, of in headers.items()})

        return answer

    async def handle(self, request):
        self.requests.append((dict(request.headers), await request.read()))
        self.connections.add(request.transport.get_extra_info("peername"))
        return await self.answer(request)


@asynccontextmanager
async def listening():
    receiver = Receiver()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.handle)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@pytest.fixture
async def receiver():
    async with listening() as one:
        yield one


@pytest.fixture
async def notifier(receiver):
    one = a_webhook(receiver.url)
    yield one
    await one.close()


# what the receiver sees


async def test_the_receiver_can_verify_it_and_read_the_alert(receiver, notifier):
    assert await notifier.deliver(an_alert(change="resolved"), KEY) == Delivered()

    [(headers, body)] = receiver.requests
    said = Webhook(SECRET).verify(body, headers)
    assert (said["type"], said["timestamp"]) == ("alert.resolved", "2026-11-21T12:00:00Z")
    assert said["data"]["title"] == "dell: 34 negative mentions in 30 min, 6 expected"
    assert headers["webhook-id"] == KEY


async def test_each_attempt_is_signed_anew_under_the_same_id(receiver):
    times = iter([NOON, NOON + timedelta(seconds=90)])
    notifier = a_webhook(receiver.url, clock=lambda: next(times))

    await notifier.deliver(an_alert(), KEY)
    await notifier.deliver(an_alert(), KEY)
    await notifier.close()

    (first, body), (second, again) = receiver.requests
    assert body == again
    assert first["webhook-id"] == second["webhook-id"] == KEY
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 90
    assert first["webhook-signature"] != second["webhook-signature"]


async def test_connections_are_used_again(receiver, notifier):
    for _ in range(3):
        await notifier.deliver(an_alert(), KEY)

    assert len(receiver.connections) == 1


async def test_a_body_too_large_for_receivers_leaves_out_the_last_samples(receiver, notifier):
    samples = tuple(Sample(id=f"s{n}", text="ü" * 2000, observed_at=NOON, sentiment="negative") for n in range(20))

    await notifier.deliver(an_alert(evidence=replace(an_alert().evidence, samples=samples)), KEY)

    [(_, body)] = receiver.requests
    kept = [sample["id"] for sample in json.loads(body)["data"]["evidence"]["samples"]]
    assert len(body) <= BODY_LIMIT
    assert kept == ["s0", "s1", "s2", "s3"]


# what it answers


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_any_2xx_is_delivered(receiver, notifier, status):
    receiver.answer = receiver.say(status)
    assert await notifier.deliver(an_alert(), KEY) == Delivered()


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504])
async def test_what_may_pass_is_tried_again(receiver, notifier, status):
    receiver.answer = receiver.say(status)
    outcome = await notifier.deliver(an_alert(), KEY)
    assert isinstance(outcome, Retry)
    assert outcome.why == f"HTTP {status}"


@pytest.mark.parametrize(
    ("status", "maybe"),
    [(425, False), (429, False), (503, False), (408, True), (409, True), (500, True), (502, True), (504, True)],
)
async def test_only_a_busy_answer_says_for_sure_that_it_was_not_heard(receiver, notifier, status, maybe):
    receiver.answer = receiver.say(status)
    assert (await notifier.deliver(an_alert(), KEY)).maybe_heard is maybe


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413, 422])
async def test_what_will_not_pass_is_refused(receiver, notifier, status):
    receiver.answer = receiver.say(status)
    outcome = await notifier.deliver(an_alert(), KEY)
    assert isinstance(outcome, Refused)
    assert str(status) in outcome.why


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_retry_after_is_obeyed(receiver, notifier, status):
    receiver.answer = receiver.say(status, retry_after="120")
    assert (await notifier.deliver(an_alert(), KEY)).after_s == 120.0


async def test_a_redirect_is_refused_and_not_followed(receiver, notifier):
    receiver.answer = receiver.say(307, location=receiver.url)

    outcome = await notifier.deliver(an_alert(), KEY)

    assert isinstance(outcome, Refused)
    assert "GROUNDSWELL_WEBHOOK_URL" in outcome.why
    assert len(receiver.requests) == 1


async def test_a_receiver_that_hangs_is_left_and_may_have_heard(receiver):
    hangs = asyncio.Event()

    async def answer(request):
        await hangs.wait()
        return web.Response()

    receiver.answer = answer
    notifier = a_webhook(receiver.url, timeout_s=0.05)

    outcome = await notifier.deliver(an_alert(), KEY)

    hangs.set()
    await notifier.close()
    assert isinstance(outcome, Retry)
    assert outcome.maybe_heard


async def test_a_receiver_that_hangs_up_without_an_answer_may_have_heard(receiver, notifier):
    async def answer(request):
        request.transport.abort()
        return web.Response()

    receiver.answer = answer

    outcome = await notifier.deliver(an_alert(), KEY)

    assert isinstance(outcome, Retry)
    assert outcome.maybe_heard


async def test_an_endless_answer_is_not_read(receiver, notifier):
    async def answer(request):
        response = web.StreamResponse()
        await response.prepare(request)
        while request.transport is not None and not request.transport.is_closing():
            await response.write(b"x" * 65_536)
        return response

    receiver.answer = answer

    assert await notifier.deliver(an_alert(), KEY) == Delivered()


async def test_nobody_listening_is_tried_again_and_was_not_heard():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        notifier = a_webhook(f"http://127.0.0.1:{free.getsockname()[1]}/")

        outcome = await notifier.deliver(an_alert(), KEY)

    await notifier.close()
    assert isinstance(outcome, Retry)
    assert not outcome.maybe_heard


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Sat, 21 Nov 2026 12:02:00 GMT", 120.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("9" * 5000, float("inf")),
        ("-5", None),
        ("soon", None),
        ("", None),
        (None, None),
        ("Sat, 21 Nov 99999999999999999999 12:02:00 GMT", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, expected):
    assert retry_after_s(header, NOON) == expected


@given(
    st.text(max_size=60) | st.from_regex(r"\A[A-Z][a-z]{2}, \d{1,3} (Nov|Feb) \d{1,6} \d\d:\d\d(:\d\d)? [+-]?\w{1,5}\Z")
)
def test_no_retry_after_is_too_odd(header):
    seconds = retry_after_s(header, NOON)
    assert seconds is None or seconds >= 0


# where it goes


PUBLIC = ["8.8.8.8", "203.0.114.1", "2606:4700::1111"]
INSIDE = [
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "127.0.0.1",
    "0.0.0.0",
    "169.254.169.254",
    "168.63.129.16",
    "192.88.99.1",
    "224.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "2001:0:1::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_fine(address):
    assert may_connect(ipaddress.ip_address(address), loopback=False)


@pytest.mark.parametrize("address", INSIDE)
def test_addresses_inside_somebodys_network_are_not(address):
    assert not may_connect(ipaddress.ip_address(address), loopback=False)


async def test_a_name_that_resolves_inside_is_refused_for_good(monkeypatch):
    async def inside(*args, **kwargs):
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 443)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 443)),
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", inside)
    notifier = a_webhook("https://rebound.example/hook")

    outcome = await notifier.deliver(an_alert(), KEY)

    await notifier.close()
    assert outcome == Refused("rebound.example resolves to 169.254.169.254, which is not a public address")


async def test_a_loopback_url_goes_to_loopback_only(monkeypatch):
    async def outside(*args, **kwargs):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("8.8.8.8", 80))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", outside)

    with pytest.raises(UnsafeAddressError):
        await CheckedResolver(loopback=True).resolve("localhost", 80)


async def test_localhost_by_name_works_for_trials(receiver):
    notifier = a_webhook(receiver.url.replace("127.0.0.1", "localhost"))
    assert await notifier.deliver(an_alert(), KEY) == Delivered()
    await notifier.close()


# what is refused at the start


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "hooks.example/path",
        "ftp://hooks.example/",
        "http://hooks.example/",
        "https://",
        "https:///path",
        "https://exa mple.com/",
        "https://user:pw@hooks.example/",
        "https://hooks.example:99999/",
        f"https://{'a' * 70}.example/",
        "https://10.0.0.1/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest",
        "https://2130706433/",
        "https://127.1/",
        "http://0.0.0.0/",
    ],
)
def test_an_unfit_url_is_refused_at_the_start_and_the_setting_named(url):
    with pytest.raises(SettingsError, match=r"^GROUNDSWELL_WEBHOOK_URL: expected https://"):
        a_webhook(url)


@pytest.mark.parametrize(
    "secret",
    [None, "", "whsec_", "hunter2-hunter2-hunter2-hunter2", "whsec_c2hvcnQ=", "whsec_&&&&", SECRET[6:], "whsk_é"],
)
def test_an_unfit_secret_is_refused_at_the_start_and_not_repeated(secret):
    with pytest.raises(SettingsError, match=r"^GROUNDSWELL_WEBHOOK_SECRET: expected whsec_") as refused:
        a_webhook("https://hooks.example/", secret)

    assert not secret or secret == "whsec_" or secret not in str(refused.value)
    assert refused.value.__cause__ is None


async def test_neither_secret_nor_path_is_ever_shown(receiver, caplog):
    caplog.set_level("DEBUG")
    notifier = a_webhook(receiver.url + "/T0KEN")
    shown = [repr(notifier), str(notifier), f"{notifier!r}"]
    for answer in (receiver.say(400), receiver.say(500), receiver.say(302, location="/T0KEN")):
        receiver.answer = answer
        shown.append(repr(await notifier.deliver(an_alert(), KEY)))
    await notifier.close()
    with pytest.raises(SettingsError) as refused:
        a_webhook("http://hooks.example/T0KEN")
    shown.append(str(refused.value))

    everything = "\n".join(
        [*shown, *(record.getMessage() for record in caplog.records if record.name != "aiohttp.access")]
    )
    assert "T0KEN" not in everything
    assert SECRET[6:] not in everything
    assert "only for the tests" not in everything
