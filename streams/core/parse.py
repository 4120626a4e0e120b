"""The one door: bytes in, a Mention or the reason why not. Bad input is expected, so it is a value, not an exception."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import msgspec

from streams.records import Mention

REASONS: Final = (
    "empty",
    "too_large",
    "not_utf8",
    "not_json",
    "too_deep",
    "duplicate_key",
    "invalid_field",
    "wrong_key",
    "time_future",
    "time_impossible",
)
"""Why a record is set aside: a closed set, and the label of the metric."""

LARGEST = 900_000
"""Bytes of a raw record: what is told to each brand of it must fit into a record of 1 MiB."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_decode = msgspec.json.Decoder(Mention).decode
_KEYS = re.compile(rb'"(\w+)"\s*:')


class Rejected(NamedTuple):
    """Why a record cannot be a mention: `reason` is one of REASONS, `detail` says where and what was expected."""

    reason: str
    detail: str


def parse(key: bytes | None, value: bytes | None) -> Mention | Rejected:
    """Decode and validate one raw record."""
    if not value:
        return Rejected("empty", "the record has no value")
    if len(value) > LARGEST:
        return Rejected("too_large", f"{len(value):,} bytes; at most {LARGEST:,}")
    try:
        if not value.isascii():
            value.decode()
        mention = _decode(value)
    except UnicodeDecodeError as error:
        return Rejected("not_utf8", f"byte {error.start}: {error.reason}")
    except msgspec.ValidationError as error:
        return Rejected("invalid_field", str(error))
    except msgspec.DecodeError as error:
        return Rejected("not_json", str(error))
    except RecursionError:
        return Rejected("too_deep", "nested too deeply")
    keys = _KEYS.findall(value)
    if len(keys) != len(set(keys)) and (twice := _duplicate_key(value)):
        return Rejected("duplicate_key", f"{twice!r} is given twice in one object")
    if mention.observed_at < EPOCH:
        return Rejected("time_impossible", f"observed_at {mention.observed_at.isoformat()} lies before 1970")
    if mention.op == "account_removed":
        if not mention.author_id:
            return Rejected("invalid_field", "account_removed needs an author_id")
    elif key != mention.id.encode():
        return Rejected("wrong_key", "the record's key must be the mention's id")
    return mention


def _duplicate_key(value: bytes) -> str | None:
    """Find a key given twice in one object. Slow, and only for records whose nested objects share a key."""
    found: list[str] = []

    def watch(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        found.extend(name for name in names if names.count(name) > 1)

    json.loads(value, object_pairs_hook=watch, parse_int=len)
    return found[0] if found else None
