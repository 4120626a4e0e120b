"""What every notifier in the registry owes, whatever it tells and whatever the network does."""

from __future__ import annotations

import base64
import socket
from typing import get_args

import msgspec
import pytest

from agents.notifiers import REGISTRY, build
from agents.notifiers.interface import Delivered, Outcome
from agents.notifiers.log import describe
from streams.records import Evidence, Sample
from streams.settings import SettingsError, load_settings
from tests.samples import NOON, an_alert

SECRET = "whsec_" + base64.b64encode(b"not a secret, only for the tests").decode()
HOSTILE = "burns!\nCRITICAL root \x1b[31mowned\x1b[0m \u202edlrow\u202c <script>@here"

ALERT = an_alert(
    severity="critical",
    evidence=Evidence(
        window_s=1800,
        observed=34,
        expected=6,
        score=20.0,
        authors=22,
        negative_share=0.61,
        usual_negative_share=0.14,
        issues={"battery_fire": 12, HOSTILE: 1},
        samples=(
            Sample(id="s", text=HOSTILE, author_name=HOSTILE, url=HOSTILE, observed_at=NOON, sentiment="negative"),
        ),
    ),
)


@pytest.fixture
def nowhere():
    """Settings under which every notifier can be made and no network answers."""
    with socket.socket() as bound_but_deaf:
        bound_but_deaf.bind(("127.0.0.1", 0))
        port = bound_but_deaf.getsockname()[1]
        yield load_settings(notify=tuple(REGISTRY), webhook_url=f"http://127.0.0.1:{port}/", webhook_secret=SECRET)


@pytest.fixture(params=list(REGISTRY))
async def notifier(request, nowhere):
    one = REGISTRY[request.param](nowhere)
    yield one
    await one.close()


def test_it_goes_by_the_name_it_is_registered_under(nowhere):
    assert [one.name for one in build(nowhere)] == list(REGISTRY)


async def test_on_a_dead_network_it_returns_an_outcome_and_does_not_raise(notifier):
    for _ in range(2):
        assert isinstance(await notifier.deliver(ALERT, "a1.1.sink"), get_args(Outcome))


async def test_closing_is_safe_before_use_after_use_and_twice(notifier):
    await notifier.close()
    await notifier.deliver(ALERT, "a1.1.sink")
    await notifier.close()
    await notifier.close()


async def test_the_key_is_told_unchanged_on_every_attempt(notifier, monkeypatch, caplog):
    caplog.set_level("INFO")
    sent = []

    async def note(self, method, url, **kwargs):
        sent.append(repr(kwargs))
        raise ConnectionResetError

    monkeypatch.setattr("aiohttp.ClientSession._request", note)
    for _ in range(2):
        await notifier.deliver(ALERT, "a1.1.sink")

    told = sent or [record.getMessage() for record in caplog.records]
    assert len(told) == 2
    assert all("a1.1.sink" in one for one in told)


def test_an_unknown_notifier_is_named_with_those_that_exist():
    with pytest.raises(SettingsError, match=r"^GROUNDSWELL_NOTIFY: .*'pigeon'; there are log, webhook"):
        build(load_settings(notify=("log", "pigeon")))


def test_a_notifier_named_twice_tells_once():
    assert [one.name for one in build(load_settings(notify=("log", "log")))] == ["log"]


def test_a_notifier_nobody_named_needs_no_settings():
    assert [one.name for one in build(load_settings())] == ["log"]


# the log


async def test_the_log_gets_one_record_at_the_level_of_the_severity(caplog):
    caplog.set_level("INFO")
    [log] = build(load_settings())

    assert await log.deliver(ALERT, "a1.1.log") == Delivered()

    [record] = caplog.records
    assert (record.name, record.levelname) == ("groundswell.alerts", "CRITICAL")


def test_who_is_told_of_tickets_must_be_known_as_well(monkeypatch):
    monkeypatch.setenv("GROUNDSWELL_NOTIFY_TICKETS", '["pager"]')

    with pytest.raises(SettingsError, match="GROUNDSWELL_NOTIFY_TICKETS: no notifier is called 'pager'"):
        build(load_settings())


@pytest.mark.parametrize(
    ("fields", "first"),
    [
        ({"nature": "flood", "severity": "info"}, "FIRED [ticket: flood] dell: 34"),
        ({"muted_by": "known event: launch"}, "FIRED [ticket: muted critical] dell: 34"),
    ],
)
async def test_a_ticket_is_told_calmly_and_says_why_it_is_one(caplog, fields, first):
    caplog.set_level("INFO")
    [log] = build(load_settings())

    await log.deliver(msgspec.structs.replace(ALERT, urgency="ticket", **fields), "a1.1.log")

    [record] = caplog.records
    assert record.levelname == "INFO"
    assert record.getMessage().startswith(first)
    assert ("  does not page: known event: launch" in record.getMessage()) == ("muted_by" in fields)


def test_the_block_says_what_happened_and_shows_hostile_words_safely():
    safe = "burns! CRITICAL root owned dlrow <script>@here"

    assert describe(ALERT, "a1.1.log").splitlines() == [
        "FIRED [critical] dell: 34 negative mentions in 30 min, 6 expected",
        "  since 2026-11-21 12:00 UTC, seen by volume/negative; a1.1.log",
        "  score 20.0, 22 authors, 61% negative (usually 14%)",
        f"  issues: battery_fire 12, {safe} 1",
        f"  - 12:00 {safe}: {safe} {safe}",
    ]
