"""Server-sent events, in pieces of any size."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sources import sse
from agents.sources.interface import SourceDownError
from agents.sources.sse import ServerEvent, ServerEvents

STREAM = (
    ':)\n:thump\nevent: update\ndata: {"text":"Käse"}\n\n'
    "event: delete\r\ndata: 115588012345678901\r\n\r\n"
    "data:one\ndata: two\nid: 7\nretry: 3\n\n:thump\nevent: nothing\n\nevent:\ndata:  \n\n"
).encode()
EVENTS = [
    ServerEvent("update", '{"text":"Käse"}'.encode()),
    ServerEvent("delete", b"115588012345678901"),
    ServerEvent("message", b"one\ntwo"),
    ServerEvent("message", b" "),
]


@given(st.lists(st.integers(0, len(STREAM))))
def test_events_are_the_same_wherever_the_bytes_are_cut(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(STREAM)]
    events = ServerEvents()
    pieces = [STREAM[begin:end] for begin, end in pairwise(places)]
    assert [event for piece in pieces for event in events.feed(piece)] == EVENTS


def test_an_event_that_is_not_finished_says_nothing() -> None:
    assert list(ServerEvents().feed(b"event: update\ndata: {}\n")) == []


def test_a_line_without_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST", 1000)
    events = ServerEvents()
    assert list(events.feed(b"x" * 1000)) == []
    with pytest.raises(SourceDownError, match="1,000 bytes"):
        list(events.feed(b"x"))


def test_an_event_without_end_is_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "LONGEST", 1000)
    events = ServerEvents()
    with pytest.raises(SourceDownError, match="1,000 bytes"):
        list(events.feed(b"data:\n" * 1001))
    events = ServerEvents()
    assert len(list(events.feed(b"data: x\n\n" * 1001))) == 1001
