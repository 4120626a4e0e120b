from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec
import pytest

from agents.cli.localkafka import LocalKafka
from agents.cli.read import read_source_states, reading
from agents.sources import listening
from agents.sources.interface import Gap, Reached, Sourced, SourceDownError, SourceError
from agents.sources.listening import Backoff, Listener, listen_to_all
from agents.sources.publisher import PublishError
from streams.broker import create_topics
from streams.settings import Settings, load_settings
from streams.topics import RAW, SOURCES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from agents.sources.interface import Event

pytestmark = pytest.mark.kafka
PATIENCE_S = 30
SOON = Backoff(first_s=0.05, longest_s=0.2)


class Told:
    """A source that says what it is given, one connection after the other; after the last it says nothing more."""

    name = "told"

    def __init__(self, *connections: Sequence[Event | Exception], key: str | None = "told:here") -> None:
        self.cursor_key, self._connections = key, iter(connections)
        self.asked_from: list[str | None] = []

    async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
        self.asked_from.append(cursor)
        for one in next(self._connections, ()):
            if isinstance(one, Exception):
                raise one
            yield one
        await asyncio.Event().wait()


def said(*numbers: int) -> list[Sourced]:
    return [
        Sourced(b"told:%d" % n, b'{"n":%d,"observed_at":"2026-01-01T00:00:%02dZ"}' % (n, n), str(n)) for n in numbers
    ]


@pytest.fixture
async def settings(kafka: LocalKafka, prefix: str) -> Settings:
    settings = load_settings(kafka_bootstrap=kafka.bootstrap, topic_prefix=prefix)
    await create_topics(settings)
    return settings


@asynccontextmanager
async def listened_to(*listeners: Listener) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(listen_to_all(listeners))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait({task})


async def until(holds: Callable[[], bool], within_s: float = PATIENCE_S) -> None:
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  a listener tells its state to Kafka, not to us
            await asyncio.sleep(0.02)


async def in_raw(settings: Settings) -> list[tuple[int, bytes]]:
    async with reading(settings, RAW) as reader:
        return [(record.partition, record.key) async for record in reader.to_end()]


async def test_a_source_that_goes_down_is_asked_again_from_what_kafka_has(settings: Settings) -> None:
    source = Told([*said(1, 2), SourceDownError("unplugged")], [*said(3), SourceDownError("again")], said(4))
    listener = Listener(source, settings, backoff=SOON)
    async with listened_to(listener):
        await until(lambda: listener.state.published == 4)
        assert (listener.state.state, listener.state.reconnects) == ("listening", 2)
    assert source.asked_from == [None, "2", "3"]
    assert sorted(key for _, key in await in_raw(settings)) == [b"told:%d" % n for n in (1, 2, 3, 4)]


async def test_the_next_run_goes_on_where_this_one_stopped(settings: Settings) -> None:
    first = Listener(Told([*said(1, 2), Reached("7")]), settings, backoff=SOON)
    async with listened_to(first):
        await until(lambda: first.state.cursor == "7")
    kept = (await read_source_states(settings))["told:here"]
    assert (kept.cursor, kept.published, kept.state) == ("7", 2, "ended")
    assert kept.observed_at.second == 2
    again = Told(said(8))
    second = Listener(again, settings, cursor=kept.cursor, backoff=SOON)
    async with listened_to(second):
        await until(lambda: second.state.published == 1)
    assert again.asked_from == ["7"]


async def test_a_source_that_keeps_no_cursor_begins_anew(settings: Settings) -> None:
    source = Told([*said(1), SourceDownError("unplugged")], said(1), key=None)
    listener = Listener(source, settings, backoff=SOON)
    async with listened_to(listener):
        await until(lambda: listener.state.published == 2)
    assert source.asked_from == [None, None]
    assert (await read_source_states(settings))["told"].cursor is None


async def test_who_looks_sees_why_a_source_is_not_listened_to_now(settings: Settings) -> None:
    listener = Listener(Told([SourceDownError("come back later", 60)]), settings)
    async with listened_to(listener):
        await until(lambda: listener.state.state == "waiting")

        async def seen() -> tuple[str, str | None]:
            state = (await read_source_states(settings)).get("told:here")
            return (state.state, state.says) if state else ("", "")

        async with asyncio.timeout(PATIENCE_S):
            while await seen() != ("waiting", "come back later"):  # noqa: ASYNC110  as above
                await asyncio.sleep(0.1)


async def test_gaps_are_counted_and_logged(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener(Told([*said(1), Gap("36 hours are more than it keeps"), *said(2)]), settings)
    async with listened_to(listener):
        await until(lambda: listener.state.published == 2)
    assert listener.state.gaps == 1
    assert "36 hours are more than it keeps" in caplog.text


async def test_what_concerns_everybody_goes_once_to_each_partition(settings: Settings) -> None:
    gone = Sourced(b"told:gone", b"{}", "1", everywhere=True)
    listener = Listener(Told([gone, *said(2)]), settings)
    async with listened_to(listener):
        await until(lambda: listener.state.published == 2)
    found = [partition for partition, key in await in_raw(settings) if key == b"told:gone"]
    assert sorted(found) == list(range(settings.raw_partitions))


async def test_whoever_waits_for_an_answer_gets_it_once_kafka_has_the_record(settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    taken, too_large = loop.create_future(), loop.create_future()
    source = Told(
        [
            Sourced(b"told:1", b"{}", taken=taken),
            Sourced(b"told:2", b"x" * RAW.max_bytes, taken=too_large),
        ]
    )
    async with listened_to(Listener(source, settings)):
        await asyncio.wait_for(taken, PATIENCE_S)
        with pytest.raises(PublishError, match="too large"):
            await asyncio.wait_for(too_large, PATIENCE_S)


async def test_one_that_can_never_be_read_is_named_and_the_others_go_on(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    never = Listener(Told([SourceError("401: is the secret right?")], key="told:never"), settings)
    well = Listener(Told(said(1)), settings)
    async with listened_to(never, well) as task:
        await until(lambda: never.state.state == "failed" and well.state.published == 1)
        assert not task.done()
    assert "told:never is not listened to any more: 401: is the secret right?" in caplog.text


async def test_the_only_one_that_can_never_be_read_is_an_error(settings: Settings) -> None:
    with pytest.raises(SourceError, match="401"):
        await listen_to_all([Listener(Told([SourceError("401")]), settings)])


def test_waiting_grows_is_spread_and_is_never_shorter_than_was_asked_for() -> None:
    many = [Backoff(first_s=1, longest_s=60) for _ in range(50)]
    waits = [[backoff.wait_s(0, None) for _ in range(10)] for backoff in many]
    firsts, *_, lasts = zip(*waits, strict=True)
    assert max(firsts) <= 1
    assert 30 < max(lasts) <= 60
    assert len(set(lasts)) == 50
    backoff = many[0]
    assert backoff.wait_s(0, 17) > 17
    for _ in range(9):
        backoff.wait_s(0, None)
    assert backoff.wait_s(61, None) <= 1


async def test_listening_goes_on_once_the_broker_is_back(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "LAST_WORD_S", 1.0)
    broker = LocalKafka(tmp_path)
    await asyncio.to_thread(broker.start)
    try:
        await broker.wait_ready()
        settings = load_settings(kafka_bootstrap=broker.bootstrap)
        await create_topics(settings)

        class Fed(Told):
            at = 0

            async def listen(self, cursor: str | None = None) -> AsyncIterator[Event]:
                for number in range(int(cursor or 0) + 1, 100):
                    self.at = number
                    yield said(number)[0]
                    await asyncio.sleep(0.05)
                await asyncio.Event().wait()

        source = Fed()
        listener = Listener(source, settings, backoff=SOON)
        async with listened_to(listener):
            await until(lambda: listener.state.published >= 20)
            broker.kill()
            await until(lambda: source.at > listener.state.published + 20)
            await asyncio.to_thread(broker.start)
            await until(lambda: listener.state.cursor == "99", within_s=90)
        found = {key for _, key in await in_raw(settings)}
        assert found == {b"told:%d" % n for n in range(1, 100)}
    finally:
        broker.stop()


def test_the_secret_of_a_source_comes_from_a_file_too(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    from agents.sources.options import Options, Secret

    known = {"token": Secret("a token")}
    (tmp_path / "token").write_text("t0ken\n")
    monkeypatch.setenv("GROUNDSWELL_TOLD_TOKEN_FILE", str(tmp_path / "token"))
    assert Options("told", {}, known).required_secret("token") == "t0ken"
    monkeypatch.setenv("GROUNDSWELL_TOLD_TOKEN", "other\n")
    assert Options("told", {}, known).secret("token") == "other"


def test_a_secret_on_the_command_line_is_refused_with_where_it_belongs() -> None:
    from agents.sources.options import Options, Secret

    with pytest.raises(SourceError, match=r"GROUNDSWELL_TOLD_TOKEN_FILE") as refused:
        Options("told", {"token": "t0ken"}, {"token": Secret("a token")})
    assert "t0ken" not in str(refused.value)


def test_a_state_reads_back_as_it_was_written() -> None:
    state = Listener(Told(), load_settings()).state
    from streams.records import SourceState, encode

    assert msgspec.json.decode(encode(state), type=SourceState) == state


async def test_a_fault_of_ours_is_logged_asked_again_and_stops_no_other_source(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    faulty = Listener(Told([*said(1), ZeroDivisionError("7/0")], said(2), key="told:faulty"), settings, backoff=SOON)
    well = Listener(Told(said(3)), settings)
    async with listened_to(faulty, well):
        await until(lambda: faulty.state.published == 2 and well.state.published == 1)
    assert "ZeroDivisionError: 7/0" in caplog.text


async def test_what_the_other_side_says_can_be_told_whatever_it_is(settings: Settings) -> None:
    listener = Listener(Told([SourceDownError("500 \udcff\x1b[2J\nno", 60)]), settings)
    async with listened_to(listener) as task:
        await until(lambda: listener.state.at > listener.state.since)  # it was told
        assert not task.done()
    assert (await read_source_states(settings))["told:here"].key == "told:here"


async def test_a_cursor_that_cannot_be_kept_is_said(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    listener = Listener(Told([Reached("x" * SOURCES.max_bytes)]), settings)
    async with listened_to(listener):
        await until(lambda: "how far it has come cannot be kept" in caplog.text)


async def test_listening_goes_on_where_the_client_cancels_by_itself(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = listening.publish
    breaks = iter([True])

    async def broken(*given: object, **how: object) -> object:
        if next(breaks, False):
            raise asyncio.CancelledError
        return await asked(*given, **how)

    monkeypatch.setattr(listening, "publish", broken)
    listener = Listener(Told(said(1)), settings, backoff=SOON)
    async with listened_to(listener):
        await until(lambda: listener.state.published == 1)


async def test_a_source_that_never_answered_was_never_listened_to(settings: Settings) -> None:
    listener = Listener(Told([SourceDownError("unplugged", 60)]), settings)
    told: list[object] = []
    listener.on_progress = told.append
    async with listened_to(listener):
        await until(lambda: listener.state.state == "waiting")
    assert not told
