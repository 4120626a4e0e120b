"""What every live source keeps, each against a stand-in that speaks the true wire format."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from agents.sources import open_source
from agents.sources.interface import SourceDownError, SourceError
from tests.sources.ears import CLOSED_WITHIN_S, Ears
from tests.sources.standins import STANDINS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from agents.sources.interface import Source
    from tests.sources.standins import StandIn


@pytest.fixture(params=STANDINS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
async def other(name: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[StandIn]:
    """The other side."""
    async with STANDINS[name]() as standin:
        for variable, value in standin.secrets.items():
            monkeypatch.setenv(variable, value)
        yield standin


@pytest.fixture
def source(name: str, other: StandIn) -> Source:
    return open_source(name, other.options)


def able(what: str) -> pytest.MarkDecorator:
    """Only those sources of which this can be asked."""
    return pytest.mark.parametrize("name", [name for name, standin in STANDINS.items() if what in standin.can])


async def test_what_people_say_arrives_as_mentions_keyed_by_their_ids(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        ids = await other.say(7)
        await ears.hears(*ids)
    assert len(set(ids)) == 7
    for said, mention in zip(ears.said, ears.mentions, strict=True):
        assert said.key.decode() == mention.id
        assert mention.id.startswith(f"{source.name}:")
        assert mention.source == source.name
        assert mention.id in f"{mention.title} {mention.text}"
        assert mention.author_id
        assert mention.observed_at <= datetime.now(UTC)
        assert mention.ingested_at is not None


async def test_what_is_said_in_order_arrives_in_order(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        ids = [*await other.say(5), *await other.say(5)]
        await ears.hears(*ids)
    assert [one for one in dict.fromkeys(ears.ids) if one in ids] == ids


@able("resume")
async def test_listening_goes_on_after_any_cursor_and_misses_nothing(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        ids = await other.say(6)
        await ears.hears(*ids)
        said = ears.said
    for record in said:
        rest = [one.key.decode() for one in said[said.index(record) + 1 :]]
        async with Ears(source, record.cursor) as again:
            await again.hears(*rest)


@able("resume")
async def test_what_was_said_while_nobody_listened_is_heard_afterwards(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        await ears.hears(*await other.say(2))
    missed = await other.say(50)
    async with Ears(source, ears.cursor) as again:
        await again.hears(*missed)


@able("interrupt")
async def test_a_broken_connection_is_told_and_the_next_one_misses_nothing(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        ids = await other.say(3)
        await ears.hears(*ids)
        await other.interrupt()
        assert isinstance(await ears.fails(), SourceDownError)
    ids = await other.say(3)
    async with Ears(source, ears.cursor) as again:
        await again.hears(*ids)


@able("limit")
async def test_who_is_asked_to_come_back_later_says_when(source: Source, other: StandIn) -> None:
    await other.limit(retry_after_s=17)
    with pytest.raises(SourceDownError) as refused:
        async with Ears(source) as ears:
            raise await ears.fails()
    assert refused.value.retry_after_s == pytest.approx(17, abs=2)


@able("garble")
async def test_what_nobody_can_read_is_handed_on_as_it_came_and_listening_goes_on(
    source: Source, other: StandIn
) -> None:
    async with Ears(source) as ears:
        bytes_ = await other.garble()
        assert bytes_ in (await ears.unreadable()).value
        await ears.hears(*await other.say(1))


@able("edit")
async def test_an_edit_is_an_update_with_a_revision_of_its_own(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        [edited] = await other.say(1)
        await ears.hears(edited)
        before = ears.mentions[-1]
        await other.edit(edited)
        after = await ears.mention(lambda one: one.id == edited and one.op == "update", "the edit was not heard")
    assert after.revision not in (None, before.revision)
    assert after.text != before.text


@able("delete")
async def test_a_deletion_names_the_mention_and_holds_no_text(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        [deleted] = await other.say(1)
        await ears.hears(deleted)
        await other.delete(deleted)
        gone = await ears.mention(lambda one: one.id == deleted and one.op == "delete", "the deletion was not heard")
    assert (gone.text, gone.title) == (None, None)


@able("remove_account")
async def test_the_end_of_an_account_is_told_to_everybody(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        [mention_id] = await other.say(1)
        await ears.hears(mention_id)
        author = await other.remove_account(mention_id)
        await ears.mention(lambda one: one.op == "account_removed" and one.author_id == author, "it was not heard")
    assert [one.everywhere for one in ears.said] == [mention.op == "account_removed" for mention in ears.mentions]


@able("gap")
async def test_what_cannot_be_had_any_more_is_told_as_a_gap(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        await ears.hears(*await other.say(2))
    await other.lose()
    async with Ears(source, ears.cursor) as again:
        assert (await again.gap()).says
        await again.hears(*await other.say(1))


async def test_closing_leaves_no_connection_open(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        await ears.hears(*await other.say(1))
    await comes_to(lambda: other.connections == 0)


async def test_a_cursor_of_another_source_is_refused(source: Source) -> None:
    with pytest.raises(SourceError, match="gopher"):
        async with Ears(source, "gopher at the seventh hole"):
            pass


async def test_no_secret_is_in_what_is_kept_or_told(source: Source, other: StandIn) -> None:
    async with Ears(source) as ears:
        await ears.hears(*await other.say(1))
    for secret in other.secrets.values():
        assert secret not in repr((ears.events, source.cursor_key))


async def comes_to(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(CLOSED_WITHIN_S):
        while not holds():  # noqa: ASYNC110  the other side tells nobody
            await asyncio.sleep(0.02)
