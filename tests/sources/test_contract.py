"""What every source in the registry keeps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec
import pytest

from agents.sources import SOURCES, open_source
from agents.sources.interface import SourceError
from streams.records import Mention
from tests.sources.standins import STANDINS

if TYPE_CHECKING:
    from pathlib import Path

    from agents.sources.interface import Source, Sourced

RECORDED = [
    {"id": f"x:{n}", "source": "x", "text": f"Dell {n}", "observed_at": f"2026-01-01T00:0{n}:00Z"} for n in range(5)
]


def options(name: str, tmp_path: Path) -> dict[str, str]:
    """How each kind is opened here, small and at once; a kind that needs no options needs no line."""
    (tmp_path / "recorded.jsonl").write_text("".join(json.dumps(mention) + "\n" for mention in RECORDED))
    return {
        "replay": {"file": str(tmp_path / "recorded.jsonl")},
        "simulate": {"pace": "no", "end": "2026-06-01T12:00:00Z"},
    }.get(name, {})


async def first(source: Source, most: int, cursor: str | None = None) -> list[Sourced]:
    said: list[Sourced] = []
    async for record in source.listen(cursor):
        said.append(record)
        if len(said) == most:
            break
    return said


@pytest.fixture(params=SOURCES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=[name for name in SOURCES if name not in STANDINS])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """One that needs nobody to say something; those that do keep `test_live_contract.py`."""
    return open_source(request.param, options(request.param, tmp_path))


def test_a_source_goes_by_its_name_in_the_registry() -> None:
    assert [kind.name for kind in SOURCES.values()] == list(SOURCES)


async def test_each_record_is_a_mention_keyed_by_its_id(source: Source) -> None:
    for record in await first(source, 200):
        mention = msgspec.json.decode(record.value, type=Mention)
        assert record.key.decode() == mention.id
        assert mention.id.startswith(f"{mention.source}:")
        assert mention.observed_at.tzinfo is not None
        assert mention.ingested_at is not None


async def test_the_oldest_comes_first(source: Source) -> None:
    times = [msgspec.json.decode(record.value, type=Mention).observed_at for record in await first(source, 200)]
    assert times == sorted(times)


async def test_listening_goes_on_after_any_cursor(source: Source) -> None:
    said = await first(source, 5)
    for place, record in enumerate(said):
        rest = await first(source, 5, record.cursor)
        assert [r.key for r in rest][: 4 - place] == [r.key for r in said[place + 1 :]]


async def test_a_cursor_of_another_source_is_refused(source: Source) -> None:
    with pytest.raises(SourceError, match="at://elsewhere"):
        await first(source, 1, "at://elsewhere")


def test_an_unknown_option_is_refused_by_name_with_those_that_exist(name: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=rf"{name}.*colour.*{next(iter(SOURCES[name].options))}"):
        open_source(name, options(name, tmp_path) | {"colour": "red"})


def test_a_source_says_in_a_line_what_it_is(name: str) -> None:
    assert SOURCES[name].about
    assert "\n" not in SOURCES[name].about


def test_an_unknown_source_is_refused_with_those_that_exist() -> None:
    with pytest.raises(SourceError, match=r"'usenet'.*replay"):
        open_source("usenet", {})
