"""Which column of a CSV file is which field of a mention."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from agents.sources.interface import SourceError
from agents.sources.times import read_time
from streams.records import Mention, encode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# fmt: off
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "id":               ("id", "tweet_id", "post_id", "status_id", "message_id", "comment_id", "uuid"),
    "text":             ("text", "full_text", "tweet", "tweet_text", "body", "message", "content", "comment", "review"),
    "observed_at":      ("observed_at", "created_at", "tweet_created", "created", "created_utc", "timestamp", "published_at", "posted_at", "datetime", "date", "time"),
    "author_id":        ("author_id", "user_id", "userid"),
    "author_name":      ("author_name", "username", "user_name", "screen_name", "user", "author", "name", "handle"),
    "author_followers": ("author_followers", "followers_count", "user_followers", "followers"),
    "title":            ("title", "subject"),
    "lang":             ("lang", "language"),
    "channel":          ("channel",),
    "url":              ("url", "permalink", "link"),
    "in_reply_to":      ("in_reply_to", "in_response_to_tweet_id", "in_reply_to_status_id", "in_reply_to_id", "parent_id"),
    "direction":        ("direction", "inbound"),
}
# fmt: on
NEVER_GUESSED = (
    "source",
    "posted_at",
    "op",
    "revision",
    "root",
    "quoted",
    "quoted_text",
    "parent_text",
    "agent",
    "case_ref",
    "customer_id",
)
FIELDS = (*USUAL_NAMES, *NEVER_GUESSED)
TIMES = ("observed_at", "posted_at")
REFERENCES = ("in_reply_to", "root", "quoted")  # in the id space of `id`
FROM_COLUMNS_ONLY = ("id", "text", "observed_at")
DIRECTIONS = dict.fromkeys(("true", "t", "yes", "y", "1"), "inbound") | dict.fromkeys(
    ("false", "f", "no", "n", "0"), "outbound"
)
ENTRY = re.compile(
    r"""\s*(?P<field>\w+)\s*=\s*(?:'(?P<constant>[^']*)'|"(?P<quoted>[^"]*)"|(?P<column>[^,'"]*?))\s*(?:,|$)"""
)


class Line(NamedTuple):
    """One record of a file. `content` is a mention's fields, or bytes that go out as they are (then `at` is None)."""

    key: bytes
    at: datetime | None
    content: dict[str, Any] | bytes

    @property
    def everywhere(self) -> bool:
        """Whether it goes to each raw partition: an account's removal concerns them all."""
        return isinstance(self.content, dict) and self.content.get("op") == "account_removed"


class Constant(str):
    """A value that every record gets, instead of a column's name."""

    __slots__ = ()


def parse_mapping(spec: str) -> dict[str, str]:
    """Read `text=body,author_id="user name",lang='en',direction=`: columns, constants in single quotes, left out.

    Raises:
        SourceError: it cannot be read, or names a field that a mention does not have.
    """
    mapping: dict[str, str] = {}
    position = 0
    while position < len(spec):
        entry = ENTRY.match(spec, position)
        if entry is None:
            raise SourceError(
                f"mapping: cannot read {spec[position:]!r}; write FIELD=COLUMN or FIELD='constant', separated by commas"
            )
        constant = entry["constant"]
        mapping[entry["field"]] = entry["quoted"] or entry["column"] or "" if constant is None else Constant(constant)
        position = entry.end()
    if strangers := [field for field in mapping if field not in FIELDS]:
        raise SourceError(f"mapping: a mention has no field {_listed(strangers)}; its fields: {', '.join(FIELDS)}")
    return mapping


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """A mapping that fits one file. `guessed` says which column was taken for which field by its name."""

    columns: tuple[tuple[str, int], ...]
    constants: dict[str, str]
    guessed: tuple[str, ...]

    @classmethod
    def fit(cls, header: Sequence[str], mapping: Mapping[str, str], place: str) -> ColumnMap:
        """Find the mapped columns in `header`; take unmapped fields from columns with a usual name.

        Raises:
            SourceError: a mapped column does not exist, exists twice, or a required field has none.
        """
        exist = f"columns of {place}, line 1: {_listed(header)}"
        columns, constants, guessed = {}, {}, []
        for field, named in mapping.items():
            if isinstance(named, Constant):
                constants[field] = str(named)
            elif named:
                if header.count(named) != 1:
                    problem = "does not exist" if named not in header else "exists more than once"
                    raise SourceError(f"mapping: {field}={named}: the column {named!r} {problem}; {exist}")
                columns[field] = header.index(named)
        by_name = {name.strip().casefold(): index for index, name in enumerate(header)}
        for field, usual in USUAL_NAMES.items():
            found = next((by_name[name] for name in usual if name in by_name), None)
            if field not in mapping and found is not None and found not in columns.values():
                columns[field] = found
                guessed.append(f"{field} from column {header[found]!r}")
        for field in ("text", "observed_at"):
            if field not in columns and field not in constants:
                raise SourceError(f"no column for {field!r}: say {field}=COLUMN; {exist}")
        _check_constants(constants)
        return cls(tuple(columns.items()), constants, tuple(guessed))

    def line(self, row: Sequence[str], number: int) -> Line:
        """Turn the `number`-th record into a mention. What cannot be read stays as it stood, for intake to judge."""
        fields: dict[str, Any] = {"source": "replay", **self.constants}
        fields.update({field: row[index] for field, index in self.columns if index < len(row) and row[index]})
        source = fields["source"]
        fields["id"] = prefixed(source, fields.get("id") or row_id(row, number))
        for field in REFERENCES:
            if field in fields:
                fields[field] = prefixed(source, fields[field])
        if "direction" in fields:
            fields["direction"] = DIRECTIONS.get(fields["direction"].strip().casefold(), fields["direction"])
        if fields.get("author_followers", "").isdecimal():
            fields["author_followers"] = int(fields["author_followers"])
        return readable(fields) or Line(fields["id"].encode(errors="surrogateescape"), None, as_stood(fields))


def readable(fields: dict[str, Any]) -> Line | None:
    """A line whose times are datetimes; None where `observed_at` is not a time, or text is not Unicode."""
    times = {field: read_time(fields[field]) or fields[field] for field in TIMES if field in fields}
    observed_at = times.get("observed_at")
    if not isinstance(observed_at, datetime):
        return None
    try:
        encode(fields)
        return Line(str(fields["id"]).encode(), observed_at, fields | times)
    except UnicodeEncodeError:
        return None


def as_stood(fields: Mapping[str, Any]) -> bytes:
    """The fields as JSON with unreadable bytes restored, so that a dead letter shows what was in the file."""
    return json.dumps(fields, ensure_ascii=False).encode(errors="surrogateescape")


def prefixed(source: str, native_id: str) -> str:
    """`source:native_id`, whether or not it was already."""
    return f"{source}:{native_id.removeprefix(f'{source}:')}"


def row_id(row: Iterable[str], number: int) -> str:
    """A stable stand-in for a missing id: a hash of what the record holds and of its number."""
    content = "\x1f".join((str(number), *row))
    return hashlib.blake2b(content.encode(errors="surrogateescape"), digest_size=8).hexdigest()


def _check_constants(constants: Mapping[str, str]) -> None:
    if varying := [field for field in FROM_COLUMNS_ONLY if field in constants]:
        raise SourceError(f"mapping: {_listed(varying)} must come from a column, not from a constant")
    try:
        probe = {"id": "probe", "source": "probe", "observed_at": datetime.now(UTC), **constants}
        msgspec.convert(probe, Mention, strict=False)
    except msgspec.ValidationError as refused:
        raise SourceError(f"mapping: a constant does not fit its field: {refused}") from None


def _listed(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in names)
