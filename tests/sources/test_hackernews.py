"""What is particular to the source `hackernews`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agents.sources import open_source
from agents.sources.hackernews import HackerNews
from agents.sources.interface import Gap, SourceDownError, SourceError
from tests.sources.ears import Ears
from tests.sources.standins.hackernews import HackerNewsStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agents.sources.interface import Source
    from streams.records import Mention


@pytest.fixture
async def site() -> AsyncIterator[HackerNewsStandIn]:
    async with HackerNewsStandIn() as standin:
        yield standin


def source_of(site: HackerNewsStandIn, **options: str) -> Source:
    return open_source("hackernews", site.options | options)


async def heard(ears: Ears, mention_id: str, op: str = "create") -> Mention:
    return await ears.mention(lambda one: (one.id, one.op) == (mention_id, op), f"{op} of {mention_id} was not heard")


def told(ears: Ears, mention_id: str) -> list[str]:
    return [one.op for one in ears.mentions if one.id == mention_id]


async def test_a_story_has_a_title_and_a_link_and_its_comments_name_it(site: HackerNewsStandIn) -> None:
    async with Ears(source_of(site)) as ears:
        story = site.post(
            type="story", parent=None, text=None, title="Acme &amp; Co: an outage", url="https://a.example"
        )
        comment = site.post(parent=site.number(story), text='Me <i>too</i>.<p>See <a href="https://b.example">b</a>')
        answer = site.post(parent=site.number(comment))
        first, second, third = [await heard(ears, one) for one in (story, comment, answer)]
    assert (first.title, first.text, first.links) == ("Acme & Co: an outage", "", ("https://a.example",))
    assert (first.in_reply_to, first.root) == (None, None)
    assert (second.text, second.links) == ("Me too.\nSee b", ("https://b.example",))
    assert (second.in_reply_to, second.root) == (story, story)
    assert (third.in_reply_to, third.root) == (comment, story)
    assert third.url == f"https://news.ycombinator.com/item?id={site.number(answer)}"
    assert (third.author_id, third.author_name) == ("https://news.ycombinator.com/user?id=pat", "pat")


async def test_the_story_of_a_comment_is_not_guessed(site: HackerNewsStandIn) -> None:
    async with Ears(source_of(site)) as ears:
        assert (await heard(ears, site.post(parent=17))).root is None


async def test_jobs_and_options_of_polls_are_not_told(site: HackerNewsStandIn) -> None:
    async with Ears(source_of(site)) as ears:
        job, option = site.post(type="job", title="Acme hires"), site.post(type="pollopt")
        await heard(ears, site.post())
    assert not {job, option} & set(ears.ids)


async def test_what_is_null_for_a_moment_is_told_when_it_appears_and_holds_nothing_up(site: HackerNewsStandIn) -> None:
    async with Ears(source_of(site, patience="600")) as ears:
        late = site.hide()
        after = site.post()
        await heard(ears, after)
        assert int(ears.cursor or 0) < site.number(late), "whoever goes on from here would miss it"
        site.items[site.number(late)] = site.items[site.number(after)] | {"id": site.number(late)}
        await heard(ears, late)
        await ears.until(lambda: ears.cursor == str(site.number(after)), "the cursor stays behind")
    assert not any(isinstance(event, Gap) for event in ears.events)


async def test_what_stays_null_is_a_gap_and_is_told_all_the_same_when_it_appears_later(site: HackerNewsStandIn) -> None:
    async with Ears(source_of(site)) as ears:
        hidden, beside = site.hide(), site.hide()
        after = site.post(ago_s=60)
        assert str(site.number(hidden)) in (await ears.gap()).says
        assert "2 items" in (await ears.gap()).says
        await ears.until(lambda: ears.cursor == str(site.number(after)), "the cursor stays behind")
        site.change(beside, id=site.number(beside), type="comment", by="pat", time=1_795_261_210, text="at last")
        assert (await heard(ears, beside)).text == "at last"


async def test_the_newest_item_is_waited_for_however_long_it_is_null(site: HackerNewsStandIn) -> None:
    async with Ears(source_of(site, patience="0")) as ears:
        newest = site.hide()
        asked = len(site.asked)
        await ears.until(lambda: len(site.asked) > asked + 12, "it does not ask again")
        assert not any(isinstance(event, Gap) for event in ears.events)
        site.items[site.number(newest)] = {"id": site.number(newest), "type": "comment", "time": 1, "text": "here"}
        await heard(ears, newest)


async def test_a_backlog_is_read_in_order_and_a_score_is_no_edit(site: HackerNewsStandIn) -> None:
    cursor = str(site.newest)
    ids = [site.post() for _ in range(1000)]
    async with Ears(source_of(site), cursor) as ears:
        await heard(ears, ids[-1])
        site.change(ids[-1], score=5, kids=[1])
        site.change(ids[-2], text="changed")
        await heard(ears, ids[-2], "update")
    assert [one for one in dict.fromkeys(ears.ids) if one in ids] == ids
    assert told(ears, ids[-1]) == ["create"]


async def test_an_edit_made_while_nobody_listened_is_heard(site: HackerNewsStandIn) -> None:
    source = source_of(site)
    async with Ears(source) as ears:
        edited = site.post()
        await heard(ears, edited)
    site.items[site.number(edited)] |= {"text": "Acme is fine"}  # by now it has left the list of changes
    for one in (source, source_of(site)):  # the same process, and a new one
        async with Ears(one, ears.cursor) as again:
            assert (await heard(again, edited, "update")).text == "Acme is fine"


async def test_an_edit_is_heard_where_the_cursor_was_left_behind(site: HackerNewsStandIn) -> None:
    source, cursor = source_of(site), str(site.newest)
    async with Ears(source) as ears:
        edited = site.post()
        before = await heard(ears, edited)
    site.items[site.number(edited)] |= {"text": "Acme is fine"}
    async with Ears(source, cursor) as again:
        assert (await heard(again, edited, "update")).text == "Acme is fine"
    assert again.mentions[0].revision == before.revision, "its creation would count twice"


async def test_a_deletion_while_nobody_listened_is_heard(site: HackerNewsStandIn) -> None:
    async with Ears(source_of(site)) as ears:
        gone = site.post()
        await heard(ears, gone)
    await site.delete(gone)
    site.changed.clear()
    async with Ears(source_of(site), ears.cursor) as again:
        await heard(again, gone, "delete")


async def test_what_moderators_take_away_is_deleted_and_what_they_give_back_is_told(site: HackerNewsStandIn) -> None:
    async with Ears(source_of(site)) as ears:
        flagged, never_seen = site.post(), site.post(dead=True)
        await heard(ears, flagged)
        site.change(flagged, dead=True)
        await heard(ears, flagged, "delete")
        assert told(ears, never_seen) == []
        site.change(never_seen, dead=False)
        await heard(ears, never_seen)


async def test_a_site_that_says_null_to_everything_is_down(site: HackerNewsStandIn) -> None:
    cursor = str(site.newest)
    for _ in range(1300):
        site.hide()
    async with Ears(source_of(site), cursor) as ears:
        error = await ears.fails()
    assert isinstance(error, SourceDownError)
    assert "null" in str(error)


async def test_no_more_than_twenty_questions_are_open_at_once(site: HackerNewsStandIn) -> None:
    cursor = str(site.newest)
    ids = [site.post() for _ in range(100)]
    async with Ears(source_of(site), cursor) as ears:
        await heard(ears, ids[-1])
        assert site.connections <= 20


async def test_what_is_no_number_of_an_item_is_an_interruption(site: HackerNewsStandIn) -> None:
    site.newest = "soon"  # type: ignore[assignment]
    with pytest.raises(SourceDownError, match="maxitem"):
        async with Ears(source_of(site)):
            pass


@pytest.mark.parametrize("options", [{"base": "news.example"}, {"every": "0"}, {"patience": "never"}])
def test_a_wrong_option_is_named(options: dict[str, str]) -> None:
    with pytest.raises(SourceError, match=next(iter(options))):
        HackerNews.open(options)


def test_another_site_has_a_cursor_of_its_own(site: HackerNewsStandIn) -> None:
    assert HackerNews.open({}).cursor_key == "hackernews"
    assert source_of(site).cursor_key != "hackernews"
