"""What a frame of Bluesky's Jetstream says, in the wire format of v1 (`/subscribe`) or v2 (`subscribeEvents`). Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

import msgspec
from msgspec import Meta, Raw, Struct, field

from streams.records import Time  # noqa: TC001  a field's type

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
V2 = "network.bsky.jetstream.subscribeEvents"
Number = Annotated[int, Meta(ge=0, lt=10**18)]


class Commit(NamedTuple):
    """A record was created, updated or deleted (which has no `record`). `rev` counts up within its author's repository."""

    operation: str
    collection: str
    rkey: str
    rev: str
    cid: str | None
    record: Raw


class Account(Struct):
    """What became of an account. `status` says why it is not active."""

    active: bool
    status: str | None = None


class Broken(NamedTuple):
    """The history of somebody's records broke off (#sync): what there is now is said again, what was deleted is not."""


class Happening(NamedTuple):
    """One event about the account `did`, witnessed `at`; `what` is None for kinds that concern nobody.

    `time_us` and `seq` are where listening can go on: `seq`, in v2 alone, counts within one server.
    """

    did: str
    at: datetime
    time_us: int
    seq: int | None
    what: Commit | Account | Broken | None


class Notice(NamedTuple):
    """The server says something about the stream itself; after what is `fatal` it closes."""

    name: str
    message: str
    fatal: bool


class UnreadableError(ValueError):
    """A frame is not what the wire format says. `mention_id`: what it is about, where so much can be read."""

    def __init__(self, says: str, mention_id: str | None = None) -> None:
        super().__init__(says)
        self.mention_id = mention_id


class _Said1(Struct, tag_field="kind"):
    did: str
    time_us: Number


class _Record1(Struct):
    rev: str
    operation: str
    collection: str
    rkey: str
    cid: str | None = None
    record: Raw = Raw()


class _Commit1(_Said1, tag="commit"):
    commit: _Record1


class _Account1(_Said1, tag="account"):
    account: Account


class _Identity1(_Said1, tag="identity"):
    pass


class _Said2(Struct, tag_field="$type"):
    seq: Number
    did: str
    time: Time
    witnessed_at: Time | None = field(default=None, name="witnessedAt")


class _Commit2(_Said2, tag=f"{V2}#commit", kw_only=True):
    rev: str
    operation: str
    collection: str
    rkey: str
    cid: str | None = None
    record: Raw = Raw()


class _Account2(_Said2, tag=f"{V2}#account", kw_only=True):
    account: Account


class _Identity2(_Said2, tag=f"{V2}#identity"):
    pass


class _Sync2(_Said2, tag=f"{V2}#sync"):
    pass


class _Info2(Struct, tag=f"{V2}#info", tag_field="$type"):
    name: str
    message: str = ""


class _Message2(Struct, tag="message", tag_field="$type"):
    payload: _Commit2 | _Account2 | _Identity2 | _Sync2 | _Info2


class _Error2(Struct, tag="error", tag_field="$type"):
    error: str
    message: str = ""


class _Kind1(Struct):
    kind: str


class _Type(Struct):
    type: str = field(name="$type")


class _Payload(Struct):
    payload: _Type


_decode1 = msgspec.json.Decoder(_Commit1 | _Account1 | _Identity1).decode
_decode2 = msgspec.json.Decoder(_Message2 | _Error2).decode
_kind1 = msgspec.json.Decoder(_Kind1).decode
_type2 = msgspec.json.Decoder(_Type).decode
_payload2 = msgspec.json.Decoder(_Payload).decode
_KINDS1 = ("commit", "account", "identity")
_TYPES2 = tuple(f"{V2}#{kind}" for kind in ("commit", "account", "identity", "sync", "info"))


def read_v1(frame: bytes) -> Happening | None:
    """Read a frame of v1; None: of a kind that is not known yet.

    Raises:
        UnreadableError: it is broken.
    """
    try:
        said = _decode1(frame)
        at = EPOCH + timedelta(microseconds=said.time_us)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        if _is_stranger(frame, v2=False):
            return None
        raise UnreadableError(str(error)) from None
    what: Commit | Account | None = None
    match said:
        case _Commit1(commit=one):
            what = Commit(one.operation, one.collection, one.rkey, one.rev, one.cid, one.record)
        case _Account1(account=account):
            what = account
    return Happening(said.did, at, said.time_us, None, what)


def read_v2(frame: bytes) -> Happening | Notice | None:
    """Read a frame of v2; None: of a kind that is not known yet.

    Raises:
        UnreadableError: it is broken.
    """
    try:
        said = _decode2(frame)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if _is_stranger(frame, v2=True):
            return None
        raise UnreadableError(str(error)) from None
    if isinstance(said, _Error2):
        return Notice(said.error, said.message, fatal=True)
    what: Commit | Account | Broken | None = None
    match said.payload:
        case _Info2(name=name, message=message):
            return Notice(name, message, fatal=False)
        case _Commit2() as one:
            what = Commit(one.operation, one.collection, one.rkey, one.rev, one.cid, one.record)
        case _Account2(account=account):
            what = account
        case _Sync2():
            what = Broken()
    payload = said.payload
    time_us = ((payload.witnessed_at or payload.time) - EPOCH) // MICROSECOND  # what a cursor by time is compared with
    if time_us < 0:
        raise UnreadableError("it happened before 1970")
    return Happening(payload.did, payload.time, time_us, payload.seq, what)


def _is_stranger(frame: bytes, *, v2: bool) -> bool:
    """Whether a frame is well-formed, but of a kind that came into the world after this was written."""
    try:
        if not v2:
            return _kind1(frame).kind not in _KINDS1
        if (kind := _type2(frame).type) != "message":
            return kind != "error"
        return _payload2(frame).payload.type not in _TYPES2
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
