"""The source `email`: what is particular to mailboxes. What all live sources keep is in `test_live_contract.py`."""

from __future__ import annotations

import ssl
import subprocess
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sources import open_source
from agents.sources.interface import Gap, SourceDownError, SourceError
from agents.sources.mail import Email
from agents.sources.mail.mailbox import MOST_BYTES
from agents.sources.mail.message import own_words, read_message
from streams.records import Mention, encode
from tests.sources.ears import Ears
from tests.sources.standins.email import PASSWORD, USER, EmailStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from agents.sources.interface import Source

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
RECEIVED = NOW - timedelta(minutes=5)
KIM = b"""Message-ID: <a1@mail.example>
Date: Sat, 21 Nov 2026 11:40:00 +0000
From: =?utf-8?q?Kim_M=C3=BCller?= <Kim@Customer.example>
To: help@acme.example
Subject: =?utf-8?q?Kettle_caf=C3=A9_broken?=
In-Reply-To: <a0@acme.example>
References: <first@customer.example> <a0@acme.example>
Content-Type: text/plain; charset=utf-8

It leaks again. Very unhappy.

On Fri, 20 Nov 2026 at 09:12, Acme Care
<help@acme.example> wrote:
> Dear Kim, we love to hear that it works.
--\x20
Kim, proud owner of a Dell
""".replace(b"\n", b"\r\n")


def mention_of(raw: bytes) -> Mention:
    mention = read_message(raw, received=RECEIVED, now=NOW)
    assert isinstance(mention, Mention)
    return mention


def mail(headers: str = "", body: str = "It leaks.") -> bytes:
    return f"Message-ID: <x@y>\r\nFrom: kim@customer.example\r\n{headers}\r\n{body}".encode()


# -- reading -------------------------------------------------------------------------------------------


def test_a_message_becomes_a_mention_in_its_authors_own_words() -> None:
    mention = mention_of(KIM)
    assert (mention.id, mention.channel, mention.direction) == ("email:a1@mail.example", "email", "inbound")
    assert (mention.title, mention.text) == ("Kettle café broken", "It leaks again. Very unhappy.")
    assert (mention.author_id, mention.author_name) == ("kim@customer.example", "Kim Müller")
    assert (mention.in_reply_to, mention.root) == ("email:a0@acme.example", "email:first@customer.example")
    assert (mention.observed_at, mention.posted_at) == (RECEIVED, datetime(2026, 11, 21, 11, 40, tzinfo=UTC))


def test_a_message_that_the_server_took_in_the_future_was_witnessed_now() -> None:
    mention = read_message(KIM, received=NOW + timedelta(hours=1), now=NOW)
    assert isinstance(mention, Mention)
    assert mention.observed_at == NOW


def test_html_is_read_where_there_is_no_plain_text_and_without_what_it_quotes() -> None:
    html = '<p>It <b>leaks</b>. <a href="https://a.example/1">Look</a></p>On Friday, 20 Nov, Acme wrote:<blockquote>Dear Kim</blockquote>'
    mention = mention_of(mail("Content-Type: text/html; charset=utf-8\r\n", html))
    assert (mention.text, mention.links) == ("It leaks. Look", ("https://a.example/1",))


def test_plain_text_is_preferred_and_attachments_are_left_out() -> None:
    parts = (
        ("text/html\r\n", "html"),
        ("text/plain\r\n", "plain"),
        ("text/plain\r\nContent-Disposition: attachment\r\n", "log"),
    )
    body = "".join(f"--b\r\nContent-Type: {kind}\r\n{text}\r\n" for kind, text in parts)
    assert mention_of(mail("Content-Type: multipart/mixed; boundary=b\r\n", body + "--b--")).text == "plain"


def test_the_same_message_has_the_same_id_wherever_it_is_found_even_without_one_of_its_own() -> None:
    raw = KIM.replace(b"Message-ID", b"X-Was-Message-ID")
    assert mention_of(raw).id == mention_of(raw).id != mention_of(raw + b"!").id


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Type: text/plain; charset=klingon\r\n", "It leaks."),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n", "SXQgbGVha3Mu"),
        ("Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n", "It le=61ks."),
        ("Date: yesterday\r\nSubject: =?klingon?b?!!?=\r\nIn-Reply-To: my last one\r\n", "It leaks."),
    ],
)
def test_what_is_declared_wrongly_is_read_nevertheless(headers: str, body: str) -> None:
    assert mention_of(mail(headers, body)).text == "It leaks."


@pytest.mark.parametrize(
    "headers",
    [
        "Auto-Submitted: auto-replied\r\n",
        "Precedence: bulk\r\n",
        "Return-Path: <>\r\n",
        "From: MAILER-DAEMON@x.example\r\n",
    ],
)
def test_what_no_person_wrote_is_told_from_the_rest(headers: str) -> None:
    raw = mail(headers).replace(
        b"From: kim@customer.example\r\n", b"" if headers.startswith("From") else b"From: k@c\r\n"
    )
    assert read_message(raw, received=RECEIVED, now=NOW) == "automatic"


def test_what_says_that_a_person_sent_it_is_not_automatic() -> None:
    assert mention_of(mail("Auto-Submitted: no\r\n")).text == "It leaks."


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("Yes.\n> Does it leak?", "Yes."),
        ("> Does it leak?\nYes.\n> Since when?\nMonday.", "Yes.\nMonday."),
        ("Ja.\n\nAm 20.11.2026 um 09:12 schrieb Acme <help@acme.example>:\n> Leckt er?", "Ja."),
        ("Yes.\n\n-----Original Message-----\nFrom: Acme\nDear Kim", "Yes."),
        ("Yes.\n________________________________\nFrom: Acme\nSent: Friday", "Yes."),
        (
            "On Monday it broke. Then Acme wrote to me:\nno refund!",
            "On Monday it broke. Then Acme wrote to me:\nno refund!",
        ),
        ("> only a quote", "> only a quote"),
        ("", ""),
    ],
)
def test_only_the_authors_own_words_are_kept(text: str, own: str) -> None:
    assert own_words(text) == own


def test_a_long_message_of_almost_quotes_is_read_in_no_time() -> None:
    began = monotonic()
    own_words(("On " + "wrote " * 80 + "\n") * (MOST_BYTES // 480))
    read_message(mail("Content-Type: text/html\r\n", "<blockquote>" * 40_000), received=RECEIVED, now=NOW)
    assert monotonic() - began < 5


@given(st.lists(st.sampled_from(KIM.splitlines(keepends=True)) | st.binary(max_size=30), max_size=30))
def test_whatever_comes_is_a_mention_that_can_be_sent_or_is_told_from_one(pieces: list[bytes]) -> None:
    mention = read_message(KIM[:150] + b"".join(pieces), received=RECEIVED, now=NOW)
    assert mention is None or mention == "automatic" or encode(mention)


# -- listening -----------------------------------------------------------------------------------------


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EmailStandIn]:
    monkeypatch.setenv("GROUNDSWELL_EMAIL_PASSWORD", PASSWORD)
    async with EmailStandIn() as server:
        yield server


@pytest.fixture
def source(server: EmailStandIn) -> Source:
    return open_source("email", server.options)


async def test_nothing_is_marked_as_seen(server: EmailStandIn, source: Source) -> None:
    ids = await server.say(3)
    async with Ears(source) as ears:
        await ears.hears(*ids)
    assert server.unseen() == 3


async def test_a_mailbox_that_is_numbered_anew_is_read_again_from_its_beginning(
    server: EmailStandIn, source: Source
) -> None:
    ids = await server.say(3)
    async with Ears(source) as ears:
        await ears.hears(*ids)
    validity, _, last = str(ears.cursor).partition(":")
    async with Ears(source, f"{int(validity) - 1}:{last}") as again:
        await again.hears(*ids)
    assert [one.value.partition(b"ingested_at")[0] for one in again.said] == [
        one.value.partition(b"ingested_at")[0] for one in ears.said
    ]
    assert not any(isinstance(event, Gap) for event in again.events)


async def test_messages_that_others_took_away_are_counted(server: EmailStandIn, source: Source) -> None:
    await server.say(2)
    async with Ears(source) as ears:
        await ears.until(lambda: len(ears.ids) == 2, "not heard")
    await server.say(3)
    server.remove(3)
    await server.say(1)
    async with Ears(source, ears.cursor) as again:
        assert (await again.gap()).says.startswith("3 messages")
        await again.until(lambda: len(again.ids) == 1, "not heard")


async def test_what_no_person_wrote_is_left_out_and_counted(server: EmailStandIn) -> None:
    source = Email("127.0.0.1", USER, PASSWORD, port=int(server.options["port"]), tls=False)
    server.deliver(mail("Auto-Submitted: auto-replied\r\n"), mail("Precedence: bulk\r\n"), KIM)
    async with Ears(source) as ears:
        await ears.hears("email:a1@mail.example")
    assert (len(ears.said), source.automatic) == (1, 2)


async def test_of_a_huge_message_the_beginning_is_read(server: EmailStandIn, source: Source) -> None:
    server.deliver(mail(body="It leaks. " + "\r\n".join(["x" * 70] * (MOST_BYTES // 60))))
    async with Ears(source) as ears:
        await ears.hears("email:x@y")
    assert str(ears.mentions[0].text).startswith("It leaks.")
    assert len(ears.said[0].value) < MOST_BYTES + 1000


async def test_at_first_what_came_before_a_day_may_be_left_out(server: EmailStandIn) -> None:
    with server.client() as client:
        client.append("INBOX", "", '"01-Jan-2020 10:00:00 +0000"', KIM)
    [new] = await server.say(1)
    async with Ears(open_source("email", server.options | {"since": "2026-01-01"})) as ears:
        await ears.hears(new)
        await ears.hears(*await server.say(1))
    assert "email:a1@mail.example" not in ears.ids
    assert not any(isinstance(event, Gap) for event in ears.events)


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"user": "kim", "mailbox": "Nowhere"}, "no mailbox 'Nowhere'"), ({"port": "1"}, "failed while connecting")],
)
async def test_what_cannot_be_opened_is_named(server: EmailStandIn, changes: dict[str, str], says: str) -> None:
    with pytest.raises(SourceError, match=says):
        async with Ears(open_source("email", server.options | changes)):
            pass


async def test_a_wrong_password_is_refused_for_good_and_not_repeated(server: EmailStandIn) -> None:
    source = Email("127.0.0.1", USER, "correct-horse", port=int(server.options["port"]), tls=False)
    with pytest.raises(SourceError, match=r"does not let help@acme\.example in") as refused:
        async with Ears(source):
            pass
    assert not isinstance(refused.value, SourceDownError)
    assert "correct-horse" not in str(refused.value)


def certificate(folder: Path) -> tuple[Path, str]:
    """One for 127.0.0.1 that nobody has signed, and the lines of configuration that use it."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    files = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *files], check=True, capture_output=True)
    return certificate, f"ssl = yes\nssl_cert = <{certificate}\nssl_key = <{key}"


async def test_with_tls_only_a_certificate_that_is_trusted_gets_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted, more = certificate(tmp_path)
    async with EmailStandIn(more) as server:
        source = Email("127.0.0.1", USER, PASSWORD, port=server.tls_port)
        with pytest.raises(SourceError, match="is not to be trusted") as refused:
            async with Ears(source):
                pass
        assert not isinstance(refused.value, SourceDownError)
        make: Callable[..., ssl.SSLContext] = ssl.create_default_context
        monkeypatch.setattr(ssl, "create_default_context", lambda: make(cafile=trusted))
        ids = await server.say(2)
        async with Ears(source) as ears:
            await ears.hears(*ids)


def test_without_tls_a_password_stays_on_this_machine() -> None:
    with pytest.raises(SourceError, match="in plain sight"):
        Email("imap.acme.example", USER, PASSWORD, tls=False)


@pytest.mark.parametrize(
    "hostile",
    [
        "Subject: " + "=?a?q?x" * 20_000 + "\r\n",
        "Content-Type: text/plain" + "; a=b" * 40_000 + "\r\n",
        "Content-Type: text/plain; charset*0=u" + "".join(f"; charset*{n}=a" for n in range(20_000)) + "\r\n",
    ],
    ids=["encoded words without end", "many parameters", "a parameter in many parts"],
)
def test_no_header_keeps_us_busy(hostile: str) -> None:
    began = monotonic()
    assert mention_of(mail(hostile)).text == "It leaks."
    assert monotonic() - began < 3


@pytest.mark.parametrize("charset", ["unicode_escape", "raw_unicode_escape", "punycode", "undefined", "zlib", "none"])
def test_a_charset_that_is_none_is_read_as_utf_8(charset: str) -> None:
    assert mention_of(mail(f"Content-Type: text/plain; charset={charset}\r\n", "\\ud800 ü")).text == "\\ud800 ü"


async def test_a_message_of_what_is_no_character_is_heard_and_so_are_the_others(
    server: EmailStandIn, source: Source
) -> None:
    async with Ears(source) as ears:
        server.deliver(mail("Content-Type: text/plain; charset=utf-7\r\n", "It leaks +2AA-"))
        await ears.hears("email:x@y", *await server.say(1))


async def test_a_password_that_does_not_fit_into_the_protocol_is_refused_with_the_reason(server: EmailStandIn) -> None:
    source = Email("127.0.0.1", USER, "pässword", port=int(server.options["port"]), tls=False)
    with pytest.raises(SourceError, match="ASCII only") as refused:
        async with Ears(source):
            pass
    assert "ssword" not in str(refused.value).replace("password", "")
