from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from agents.sources import recording
from agents.sources.csvmap import parse_mapping
from agents.sources.interface import SourceError
from agents.sources.replay import Replay
from streams.records import Mention

from .clocks import NOON, PlayedClock

if TYPE_CHECKING:
    from agents.sources.interface import Sourced

DATA = Path(__file__).parents[3] / "shared" / "data"


def written(tmp_path: Path, content: str | bytes, name: str = "posts.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


async def said(source: Replay, cursor: str | None = None) -> list[Sourced]:
    return [record async for record in source.listen(cursor)]


async def mentions(source: Replay) -> list[Mention]:
    return [msgspec.json.decode(record.value, type=Mention) for record in await said(source)]


def replay(path: Path, mapping: str = "", **how: Any) -> Replay:
    return Replay(path, mapping=parse_mapping(mapping), **{"clock": PlayedClock(), **how})


async def test_usual_column_names_are_guessed_and_said(tmp_path: Path) -> None:
    source = replay(written(tmp_path, "tweet_id,created_at,name,text\n7,2015-02-24 11:35:52 -0800,ann,My Dell burns\n"))
    (mention,) = await mentions(source)
    assert (mention.id, mention.author_name, mention.text) == ("replay:7", "ann", "My Dell burns")
    assert mention.observed_at == datetime(2015, 2, 24, 19, 35, 52, tzinfo=UTC)
    assert "observed_at from column 'created_at'" in source.guessed


async def test_a_mapping_names_columns_and_constants_and_leaves_out(tmp_path: Path) -> None:
    path = written(tmp_path, "n,when,what it says,name\n1,2020-01-01,hello,ann\n")
    (mention,) = await mentions(
        replay(path, """id=n,observed_at=when,text="what it says",author_name=,source='x',lang='en'""")
    )
    assert (mention.id, mention.text, mention.author_name, mention.lang) == ("x:1", "hello", None, "en")


async def test_other_channels_and_own_replies_are_kept_apart(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "id,created_at,text,inbound,in_reply_to,channel\n1,2020-01-01,help,True,,chat\n2,2020-01-02,sure,False,1,chat\n",
    )
    asked, answered = await mentions(replay(path, "source='crm'"))
    assert (asked.direction, asked.in_reply_to, asked.channel) == ("inbound", None, "chat")
    assert (answered.direction, answered.in_reply_to) == ("outbound", "crm:1")


@pytest.mark.parametrize(
    ("mapping", "told"),
    [
        ("text=body", ["'body' does not exist", "posts.csv, line 1", "'id', 'created_at', 'words'"]),
        ("", ["no column for 'text'", "text=COLUMN", "'words'"]),
        ("txt=words", ["no field 'txt'", "author_id"]),
        ("text=words,channel='tweet'", ["channel", "tweet"]),
        ("text='always'", ["'text' must come from a column"]),
        ("text=words,'", ["cannot read", "FIELD=COLUMN"]),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_at_start(tmp_path: Path, mapping: str, told: list[str]) -> None:
    path = written(tmp_path, "id,created_at,words\n1,2020-01-01,hello\n")
    with pytest.raises(SourceError) as refused:
        replay(path, mapping)
    assert [part for part in told if part not in str(refused.value)] == []


@pytest.mark.parametrize(
    ("name", "content"), [("posts.csv", ""), ("posts.xlsx", "PK"), ("posts.csv", None), ("posts.jsonl", None)]
)
def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, name: str, content: str | None) -> None:
    path = tmp_path / name if content is None else written(tmp_path, content, name)
    with pytest.raises(SourceError, match=name):
        replay(path)


async def test_a_missing_id_is_replaced_by_one_that_stays_the_same(tmp_path: Path) -> None:
    path = written(tmp_path, "created_at,text\n2020-01-01,same\n2020-01-01,same\n")
    once, again = [[record.key for record in await said(replay(path))] for _ in range(2)]
    assert once == again
    assert len(set(once)) == 2


async def test_an_unreadable_time_goes_on_as_it_stood_in_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, "id,created_at,text\n1,2020-01-01,a\n2,last Tuesday,b\n3,2020-01-03,c\n")
    records = await said(replay(path, times="shifted"))
    assert [record.key for record in records] == [b"replay:1", b"replay:2", b"replay:3"]
    assert json.loads(records[1].value)["observed_at"] == "last Tuesday"


async def test_lines_that_are_no_json_pass_as_their_original_bytes(tmp_path: Path) -> None:
    broken = [
        b'{"id": "x:1", ',
        b"\xff\xfe",
        b"[1, 2]",
        b"null",
        b'{"id":"x:9","source":"x","text":"no time"}',
        b'{"text": "\\ud800"}',
        b"[" * 5000,
    ]
    path = written(tmp_path, b"\n".join(broken), "posts.jsonl")
    assert [record.value for record in await said(replay(path))] == broken


async def test_json_lines_keep_every_field_and_tell_when_they_were_received(tmp_path: Path) -> None:
    mention = {
        "id": "x:1",
        "source": "x",
        "observed_at": "2020-01-01T00:00:00Z",
        "text": "hi",
        "tags": ["a"],
        "new_field": 1,
    }
    (record,) = await said(replay(written(tmp_path, json.dumps(mention), "posts.jsonl")))
    assert json.loads(record.value) == mention | {"ingested_at": "2026-06-01T12:00:00Z"}


async def test_marks_line_ends_quotes_and_huge_fields_of_spreadsheets_are_read(tmp_path: Path) -> None:
    huge = "x" * 300_000
    content = f'\ufeffid,created_at,text\r\n1,2020-01-01,"two\r\nlines, ""quoted"""\r\n\r\n2,2020-01-02,{huge}\r\n3,2020-01-03\r\n'
    first, second, third = await mentions(replay(written(tmp_path, content)))
    assert first.text == 'two\r\nlines, "quoted"'
    assert second.text == huge
    assert third.text is None


async def test_bytes_that_are_no_unicode_reach_intake_unchanged(tmp_path: Path) -> None:
    (record,) = await said(replay(written(tmp_path, b"id,created_at,text\n1,2020-01-01,caf\xe9\n")))
    assert b"caf\xe9" in record.value


async def test_a_quote_that_never_ends_is_an_error_with_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MOST_CHARACTERS", 1000)
    path = written(tmp_path, 'id,created_at,text\n1,2020-01-01,"never\n' + "2,2020-01-02,ok\n" * 100)
    with pytest.raises(SourceError, match=r"posts\.csv, line \d+"):
        await said(replay(path))


async def test_a_file_out_of_order_is_sorted_by_time(tmp_path: Path) -> None:
    path = written(tmp_path, "id,created_at,text\n3,2020-01-03,c\n2,2020-01-02,b\nbad,?,d\n1,2020-01-01,a\n")
    assert [record.key for record in await said(replay(path))] == [b"replay:1", b"replay:2", b"replay:bad", b"replay:3"]
    assert [record.key for record in await said(replay(path), cursor="1")] == [b"replay:bad", b"replay:3"]


async def test_a_file_too_large_to_sort_is_refused_not_half_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "MOST_SORTED", 1)
    path = written(tmp_path, "id,created_at,text\n2,2020-01-02,b\n1,2020-01-01,a\n")
    with pytest.raises(SourceError, match="sort the file by its time"):
        await said(replay(path))


TWO_HOURS = "id,created_at,posted_at,text\n1,2020-01-01T00:00Z,2019-12-31T23:59Z,a\n2,2020-01-01T01:00Z,,b\n3,2020-01-01T02:00Z,,c\n"


async def test_original_times_are_kept(tmp_path: Path) -> None:
    assert (await mentions(replay(written(tmp_path, TWO_HOURS))))[0].observed_at == datetime(2020, 1, 1, tzinfo=UTC)


async def test_shifted_times_end_now_and_keep_their_distances(tmp_path: Path) -> None:
    first, _, last = await mentions(replay(written(tmp_path, TWO_HOURS), "posted_at=posted_at", times="shifted"))
    assert (first.observed_at, last.observed_at) == (NOON - timedelta(hours=2), NOON)
    assert first.posted_at == first.observed_at - timedelta(minutes=1)


async def test_at_sixty_times_the_speed_an_hour_takes_a_minute(tmp_path: Path) -> None:
    clock = PlayedClock(costs=timedelta(milliseconds=5))
    first, _, last = await mentions(replay(written(tmp_path, TWO_HOURS), speed=60, times="shifted", clock=clock))
    assert clock.slept_s == pytest.approx(120, abs=0.1)
    assert (last.ingested_at - first.ingested_at).total_seconds() == pytest.approx(120, abs=0.1)
    assert timedelta() <= last.ingested_at - last.observed_at < timedelta(seconds=1)


async def test_a_time_ahead_of_the_clock_neither_shifts_nor_delays_the_others(tmp_path: Path) -> None:
    path = written(tmp_path, TWO_HOURS + "4,2900-01-01,,d\n")
    clock = PlayedClock()
    *_, last, future = await mentions(replay(path, speed=60, times="shifted", clock=clock))
    assert last.observed_at == clock.now()
    assert future.observed_at.year == 2900


@pytest.mark.parametrize("speed", ["0x", "-1", "fast", "inf", "nan"])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: str) -> None:
    with pytest.raises(SourceError, match=f"speed={speed}.*60x"):
        Replay.open({"file": str(written(tmp_path, TWO_HOURS)), "speed": speed})


@pytest.mark.parametrize(
    ("name", "mapping"),
    [
        ("airline_tweets_dev.csv", "source='x',lang='en'"),
        ("support_conversations_dev.csv", "source='x'"),
    ],
)
async def test_real_exports_are_replayed_whole_and_in_order(name: str, mapping: str) -> None:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"needs {path}, which is not part of the project")
    heard = await mentions(replay(path, mapping, times="shifted"))
    with path.open(encoding="utf-8", newline="") as file:
        rows = {f"x:{row['tweet_id']}": row for row in csv.DictReader(file)}
    assert len(heard) == len(rows)
    assert all(a.observed_at <= b.observed_at for a, b in pairwise(heard))
    assert heard[-1].observed_at == NOON
    for mention in heard:
        row = rows[mention.id]
        assert mention.text == row["text"]
        assert mention.direction == {"true": "inbound", "false": "outbound", None: None}[row.get("inbound")]
        asked = row.get("in_response_to_tweet_id")
        assert mention.in_reply_to == (f"x:{asked}" if asked else None)
