"""The bytes of an e-mail -> a mention in its author's own words; no network here."""

from __future__ import annotations

import codecs
import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.policy import EmailPolicy
from email.utils import getaddresses, parsedate_to_datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

from agents.sources.html import plain
from streams.records import Mention

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import EmailMessage, MIMEPart

LONGEST_ID = 1000
LONGEST_HEADER = 4000
"""Characters: longer ones are cut, because Python takes minutes for some headers of half a megabyte."""

NO_CHARSETS = ("idna", "punycode", "raw-unicode-escape", "unicode-escape", "undefined")
"""Python can decode these, but nobody writes in them: some take minutes, some yield what is no character."""


class _Short(EmailPolicy):
    def header_source_parse(self, sourcelines: list[str]) -> tuple[str, str]:
        name, value = super().header_source_parse(sourcelines)
        return name, value[:LONGEST_HEADER]


POLICY: EmailPolicy[EmailMessage] = _Short()  # type: ignore[assignment]  # typeshed knows of parameters that Python does not
MESSAGE_ID = re.compile(r"<([^<>\s]+)>")
ATTRIBUTION = re.compile(
    r"(On|Am|Le|El|Il|Op|Em|Den)\s.{5,300}\s(wrote|schrieb|a écrit|escribió|ha scritto|schreef|escreveu|skrev)\b.{0,120}:"
)
FORWARDED = re.compile(
    r"-{3,} ?(original message|ursprüngliche nachricht|message d'origine|mensaje original) ?-{3,}", re.IGNORECASE
)
OUTLOOK = re.compile(r"_{20,}")
SIGNATURE = "-- "


def read_message(raw: bytes, *, received: datetime, now: datetime) -> Mention | Literal["automatic"] | None:
    """Read a message that the server took at `received`.

    "automatic" is what no person wrote: bounces, out-of-office notes, bulk mail. None: nobody can read it, because it
    does not say whom it is from.
    """
    try:
        message: EmailMessage = message_from_bytes(raw, policy=POLICY)
        headers = _headers(message)
        name, address = next(iter(getaddresses([headers.get("from", "")])), ("", ""))
        if "@" not in address:
            return None
        if _is_automatic(headers, address):
            return "automatic"
        text, links = _text(message)
    except Exception:  # noqa: BLE001  whatever hostile bytes may raise in there
        return None
    thread = [_mention_id(one) for one in MESSAGE_ID.findall(headers.get("references", ""))[:1]]
    answered = [_mention_id(one) for one in MESSAGE_ID.findall(headers.get("in-reply-to", ""))[:1]]
    own = MESSAGE_ID.findall(headers.get("message-id", ""))
    return Mention(
        id=_mention_id(own[0] if own else sha256(raw).hexdigest()),
        source="email",
        channel="email",
        direction="inbound",
        observed_at=min(received, now),
        ingested_at=now,
        posted_at=_time(headers.get("date")),
        title=_decoded(headers.get("subject", ""))[:LONGEST_ID] or None,
        text=text or None,
        links=links,
        lang=headers.get("content-language", "").partition(",")[0].strip() or None,
        author_id=address.lower()[:LONGEST_ID],
        author_name=(_decoded(name) or address)[:LONGEST_ID],
        in_reply_to=next(iter(answered), None),
        root=next(iter(thread or answered), None),
    )


def _headers(message: EmailMessage) -> Mapping[str, str]:
    """The first of each, as it came: the parsers of single headers raise on some that occur."""
    found: dict[str, str] = {}
    for name, value in message.raw_items():
        stood = str(value).encode("ascii", "surrogateescape").decode(errors="replace") if value else ""
        found.setdefault(name.lower(), " ".join(stood.split()))
    return found


def _decoded(stood: str) -> str:
    try:
        return str(make_header(decode_header(stood))).encode(errors="replace").decode().strip()
    except (HeaderParseError, LookupError, ValueError):
        return stood


def _is_automatic(headers: Mapping[str, str], address: str) -> bool:
    return (
        headers.get("auto-submitted", "no").lower().partition(";")[0].strip() != "no"
        or headers.get("precedence", "").lower() in ("bulk", "junk", "auto_reply")
        or headers.get("return-path") == "<>"
        or address.lower().startswith("mailer-daemon@")
    )


def _mention_id(native: str) -> str:
    return f"email:{native if len(native) <= LONGEST_ID else sha256(native.encode(errors='replace')).hexdigest()}"


def _time(stood: str | None) -> datetime | None:
    try:
        at = parsedate_to_datetime(stood or "")
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return at.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _text(message: EmailMessage) -> tuple[str, tuple[str, ...]]:
    part = message.get_body(("plain", "html"))
    if part is None:
        return "", ()
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    stood = content.decode(_charset(part), errors="replace")
    if part.get_content_subtype() == "html":
        text, links = plain(_without_quotes(stood))
        return own_words(text), links
    return own_words(stood), ()


def _charset(part: MIMEPart) -> str:
    try:
        name = codecs.lookup(part.get_content_charset("utf-8")).name
        b" ".decode(name, errors="replace")
    except (LookupError, ValueError):  # no such encoding, or one that is for no text
        return "utf-8"
    return "utf-8" if name in NO_CHARSETS else name


def _without_quotes(html: str) -> str:
    lower = html.lower()
    begins, ends = lower.find("<blockquote"), lower.rfind("</blockquote")
    if len(lower) != len(html) or not 0 <= begins < ends:
        return html
    return html[:begins] + html[ends:]


def own_words(text: str) -> str:
    """What the author wrote: without what it answers to, and without a signature. All of it, if nothing else is left."""
    lines = text.replace("\r\n", "\n").split("\n")
    kept: list[str] = []
    place = 0
    while place < len(lines):
        line = lines[place]
        if line == SIGNATURE or FORWARDED.fullmatch(line.strip()) or OUTLOOK.fullmatch(line.strip()):
            break
        if words := _attribution(lines[place : place + 4]):
            place += words
            continue
        if not line.startswith(">"):
            kept.append(line.rstrip())
        place += 1
    return "\n".join(kept).strip() or text.strip()


def _attribution(lines: list[str]) -> int:
    """How many lines say who wrote what is quoted below them, or was until it was taken out; 0: none."""
    for many in (1, 2):
        below = next((line for line in lines[many:] if line.strip()), ">")
        if ATTRIBUTION.fullmatch(" ".join(line.strip() for line in lines[:many])) and below.startswith(">"):
            return many
    return 0
