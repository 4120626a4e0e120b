from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from streams.core.parse import REASONS, Rejected, parse
from streams.records import Mention

KEY = b"x:1"
HEAD = b'{"id":"x:1","source":"x","observed_at":"2026-01-01T00:00:00Z"'

POISON = {
    "no value": (None, "empty"),
    "empty value": (b"", "empty"),
    "a megabyte and one": (HEAD + b',"text":"' + b"x" * 1_048_577 + b'"}', "too_large"),
    "JSON null": (b"null", "invalid_field"),
    "a list": (b"[]", "invalid_field"),
    "not JSON": (b"hello", "not_json"),
    "cut off": (HEAD, "not_json"),
    "words after the end": (HEAD + b"} x", "not_json"),
    "NaN": (HEAD + b',"author_followers":NaN}', "not_json"),
    "a lone surrogate": (HEAD + b',"text":"\\ud800"}', "not_json"),
    "bad UTF-8": (HEAD + b',"text":"\xff\xfe"}', "not_utf8"),
    "bad UTF-8 where nobody looks": (HEAD + b',"unknown":"\xff"}', "not_utf8"),
    "deep nesting": (HEAD + b',"unknown":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    "a wrong type": (HEAD + b',"text":5}', "invalid_field"),
    "a missing field": (b'{"id":"x:1","source":"x"}', "invalid_field"),
    "an empty id": (b'{"id":"","source":"x","observed_at":"2026-01-01T00:00:00Z"}', "invalid_field"),
    "1e999": (HEAD + b',"place":{"lat":1e999}}', "invalid_field"),
    "a 5,000-digit integer": (HEAD + b',"author_followers":' + b"9" * 5000 + b"}", "invalid_field"),
    "a key given twice": (HEAD + b',"id":"x:2"}', "duplicate_key"),
    "a key given twice further in": (HEAD + b',"place":{"city":"a","city":"b"}}', "duplicate_key"),
    "a time without an offset": (b'{"id":"x:1","source":"x","observed_at":"2026-01-01T00:00:00"}', "invalid_field"),
    "a time before 1970": (b'{"id":"x:1","source":"x","observed_at":"1969-12-31T23:59:59Z"}', "time_impossible"),
    "a negative time": (b'{"id":"x:1","source":"x","observed_at":-1}', "invalid_field"),
    "an account's removal without the account": (HEAD + b',"op":"account_removed"}', "invalid_field"),
}


@pytest.mark.parametrize(("value", "reason"), POISON.values(), ids=POISON.keys())
def test_poison_is_rejected_with_its_reason(value: bytes | None, reason: str):
    rejected = parse(KEY, value)

    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert reason in REASONS
    assert rejected.detail


def test_the_detail_says_where_and_what_was_expected():
    rejected = parse(KEY, HEAD + b',"metrics":{"likes":"many"}}')

    assert rejected == Rejected("invalid_field", "Expected `int`, got `str` - at `$.metrics.likes`")


def test_a_record_whose_key_is_not_its_id_is_rejected_for_redeliveries_would_land_elsewhere():
    assert parse(b"x:2", HEAD + b"}") == Rejected("wrong_key", "the record's key must be the mention's id")


def test_what_it_does_not_know_it_ignores_so_that_fields_can_be_added():
    assert isinstance(parse(KEY, HEAD + b',"added_later":{"a":' + b"9" * 5000 + b"}}"), Mention)


def test_the_same_key_in_two_objects_is_no_duplicate():
    two = HEAD + b',"media":[{"type":"image","alt":"a"},{"type":"image","alt":"b"}]}'

    assert isinstance(parse(KEY, two), Mention)


def test_text_that_looks_like_keys_is_no_duplicate():
    mention = Mention(id="x:1", source="x", observed_at=datetime(2026, 1, 1, tzinfo=UTC), text='{"id": 1, "id": 2}')

    assert parse(KEY, msgspec.json.encode(mention)) == mention


@pytest.mark.parametrize("field", ["author_id", "author_name", "url"])
def test_names_so_long_that_no_row_could_hold_them_as_evidence_are_refused(field):
    assert parse(KEY, HEAD + f',"{field}":"{"u" * 5000}"}}'.encode()).reason == "invalid_field"
