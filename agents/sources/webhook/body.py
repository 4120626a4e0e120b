"""What somebody posts to us -> mentions: one, an array, or a line each; bare, or in a Standard Webhooks envelope.

All or nothing: either every mention of a request is fit for intake, or each fault is named and none is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from agents.sources.interface import Sourced
from streams.core.parse import Rejected, parse
from streams.records import Mention, encode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

NAME = "webhook"
JSON, LINES = "application/json", "application/x-ndjson"
OPS = {
    "mention.created": "create",
    "mention.updated": "update",
    "mention.deleted": "delete",
    "account.removed": "account_removed",
}
MOST_FAULTS = 50
"""Named in one answer: after so many the sender knows."""

OURS = {"id", "source", "observed_at", "ingested_at", "source_cursor"}
IDS = {"in_reply_to", "root", "quoted"}
"""Fields that name other mentions of the same sender."""

TAKEN = set(Mention.__struct_fields__) - OURS
NO_WORDS = "nothing is said: one of text, title and image_text is required"


class UnfitError(Exception):
    """Something cannot be taken. `faults`: a sentence each, with the place it is about."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


def read_body(body: bytes, content_type: str, now: datetime) -> list[Sourced]:
    """Return what was posted, in order. `now` is when we witnessed it: a sender's clock moves no window.

    Raises:
        UnfitError: nothing was posted, or something of it is unfit.
    """
    said: list[Sourced] = []
    faults: list[str] = []
    for place, raw in _parts(body, content_type):
        try:
            if isinstance(raw, msgspec.DecodeError):
                raise raw
            said.append(_sourced(raw, now))
        except (ValueError, msgspec.MsgspecError) as error:
            faults.append(f"{place}: {error}")
        if len(faults) == MOST_FAULTS:
            break
    if not said and not faults:
        faults.append("the body holds no mention")
    if faults:
        raise UnfitError(faults)
    return said


def _parts(body: bytes, content_type: str) -> Iterator[tuple[str, Any]]:
    """Each part as JSON says it, or why it is no JSON, with its place in the body."""
    if content_type == LINES:
        for number, line in enumerate(body.splitlines(), 1):
            if line.strip():
                yield f"line {number}", _decoded(line)
        return
    whole = _decoded(body)
    if isinstance(whole, list):
        yield from ((f"[{number}]", one) for number, one in enumerate(whole))
    else:
        yield "the body", whole


def _decoded(text: bytes) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return msgspec.DecodeError(str(error))
    except RecursionError:
        return msgspec.DecodeError("nested too deeply")


def _sourced(raw: Any, now: datetime) -> Sourced:
    if not isinstance(raw, dict):
        raise ValueError("expected an object")  # noqa: TRY004  a fault of the sender's like the others
    data = _opened(raw)
    given = {name: value for name, value in data.items() if name in TAKEN}
    given |= {name: _ours(given[name]) for name in IDS & given.keys() if given[name] is not None}
    native = data.get("id")
    if native is None and given.get("op") == "account_removed":
        native = f"account/{given.get('author_id')}"
    given |= {"id": _ours(native), "source": NAME, "observed_at": now, "ingested_at": now}
    mention = msgspec.convert(given, Mention)
    if mention.op in ("create", "update") and not (mention.text or mention.title or mention.image_text):
        raise ValueError(NO_WORDS)
    key, value = mention.id.encode(), encode(mention)
    if isinstance(refused := parse(key, value), Rejected):
        raise ValueError(refused.detail)  # noqa: TRY004  the same
    return Sourced(key, value, everywhere=mention.op == "account_removed")


def _opened(raw: dict[str, Any]) -> dict[str, Any]:
    """Take a mention out of its envelope, which says what became of it, and when."""
    kind, data = raw.get("type"), raw.get("data")
    if not isinstance(data, dict):
        return raw
    if kind not in OPS:
        raise ValueError(f"type {kind!r}: expected {', '.join(OPS)}")
    return {"posted_at": raw.get("timestamp"), **data, "op": OPS[kind]}


def _ours(native: Any) -> str:
    if not isinstance(native, str) or not native:
        raise ValueError("expected a string that is not empty - at `$.id`, or where another mention is named")
    return f"{NAME}:{native}"
