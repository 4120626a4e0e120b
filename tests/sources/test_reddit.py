"""The source `reddit`: what is particular to it. What all live sources keep is in `test_live_contract.py`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import web

from agents.sources import open_source
from agents.sources.interface import Gap, SourceDownError, SourceError
from agents.sources.reddit import Reddit
from agents.sources.reddit.things import name_of, number_of, read_thing
from streams.core.redeliveries import version_of
from tests.sources.ears import Ears
from tests.sources.standins.reddit import CLIENT_SECRET, RedditStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agents.sources.interface import Source

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
async def site(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RedditStandIn]:
    async with RedditStandIn() as site:
        for variable, value in site.secrets.items():
            monkeypatch.setenv(variable, value)
        yield site


@pytest.fixture
def source(site: RedditStandIn) -> Source:
    return open_source("reddit", site.options)


def gaps(ears: Ears) -> list[Gap]:
    return [event for event in ears.events if isinstance(event, Gap)]


# -- reading -------------------------------------------------------------------------------------------


def told(thing: dict[str, Any]) -> Any:
    return read_thing(msgspec.json.encode(thing)).mention(NOW)


def test_a_comment_becomes_a_mention_that_knows_what_it_answers() -> None:
    site = RedditStandIn()
    mention = told(site.things[site.comment(created_utc=1795261205.0, parent_id="t1_od1b2c3")])
    assert (mention.id, mention.text) == ("reddit:t1_od1b2c5", "The acme kettle leaks: reddit:t1_od1b2c5")
    assert (mention.in_reply_to, mention.root) == ("reddit:t1_od1b2c3", "reddit:t3_1p2q3r")
    assert (mention.author_id, mention.author_name) == ("t2_9zz9z", "steamfan")
    assert mention.url == "https://www.reddit.com/r/kettles/comments/1p2q3r/which/od1b2c5/"
    assert mention.observed_at == mention.posted_at == datetime.fromtimestamp(1795261205, UTC)


def test_a_post_has_a_title_and_leads_elsewhere_only_if_it_is_a_link() -> None:
    site = RedditStandIn()
    post, link = told(site.things[site.post()]), told(site.things[site.post(url="https://acme.example/", selftext="")])
    assert (post.title, post.links, post.metrics.replies) == ("A kettle", (), 3)
    assert link.links == ("https://acme.example/",)


@pytest.mark.parametrize("number", [0, 35, 36, int("od1b2c4", 36)])
def test_a_number_and_its_name_are_the_same_thing(number: int) -> None:
    assert number_of(name_of("t1", number)) == number


# -- listening -----------------------------------------------------------------------------------------


async def test_posts_and_comments_of_these_subreddits_are_told_and_no_others(
    site: RedditStandIn, source: Source
) -> None:
    async with Ears(source) as ears:
        site.comment("teapots")
        ours = [f"reddit:{site.post()}", f"reddit:{site.comment('Coffee')}"]
        await ears.hears(*ours)
    assert sorted(ears.ids) == sorted(ours)
    assert all(request.headers["User-Agent"].startswith("linux:groundswell-tests") for _, request in site.asked)


async def test_the_deletion_of_what_was_told_last_hides_nothing_that_came_after_it(
    site: RedditStandIn, source: Source
) -> None:
    async with Ears(source) as ears:
        *_, last = ids = await site.say(3)
        await ears.hears(*ids)
    await site.delete(last)
    ids = await site.say(150)
    async with Ears(source, ears.cursor) as again:
        await again.hears(*ids)
    assert not gaps(again)
    assert again.ids.count(ids[0]) == 1


async def test_what_the_listing_has_dropped_is_found_by_its_number(site: RedditStandIn, source: Source) -> None:
    async with Ears(source) as ears:
        await ears.hears(*await site.say(2))
    elsewhere = site.comment("teapots")
    ids = await site.say(1050)
    async with Ears(source, ears.cursor) as again:
        await again.hears(*ids)
    assert (gaps(again), again.ids) == ([], ids)
    assert f"reddit:{elsewhere}" not in again.ids


async def test_what_turns_up_late_is_told_too(site: RedditStandIn, source: Source) -> None:
    async with Ears(source) as ears:
        [first] = await site.say(1)
        late = site.comment()
        site.unlisted.add(late)
        [last] = await site.say(1)
        await ears.hears(first, last)
        site.unlisted.clear()
        await ears.hears(f"reddit:{late}")
    assert ears.ids == [first, last, f"reddit:{late}"]


@pytest.mark.parametrize(
    "gone",
    [
        {"body": "[removed]"},
        {"removed_by_category": "moderator"},
        {"body": "[deleted]", "author": "[deleted]", "author_fullname": None},
        {"author": "[deleted]", "author_fullname": None},
    ],
)
async def test_what_went_while_nobody_listened_is_told_afterwards(
    gone: dict[str, Any], site: RedditStandIn, source: Source
) -> None:
    async with Ears(source) as ears:
        kept, lost = await site.say(2)
        await ears.hears(kept, lost)
    site.change(lost, **gone)
    async with Ears(source, ears.cursor) as again:
        await again.mention(lambda one: one.id == lost and one.op == "delete", "the deletion was not heard")
    assert kept not in again.ids


async def test_an_account_that_is_gone_is_told_once(site: RedditStandIn, source: Source) -> None:
    async with Ears(source) as ears:
        ids = await site.say(3)
        await ears.hears(*ids)
        for one in ids:
            await site.remove_account(one)
        await ears.mention(lambda one: one.op == "account_removed", "the end of the account was not heard")
        asked = len(site.asked)
        await ears.until(lambda: len(site.asked) > asked + 10, "it does not look again")
    assert [mention.op for mention in ears.mentions[3:]] == ["account_removed"]


async def test_an_edit_is_told_once(site: RedditStandIn, source: Source) -> None:
    async with Ears(source) as ears:
        [said] = await site.say(1)
        await ears.hears(said)
        await site.edit(said)
        await ears.mention(lambda one: one.op == "update", "the edit was not heard")
        asked = len(site.asked)
        await ears.until(lambda: len(site.asked) > asked + 10, "it does not look again")
    assert [mention.op for mention in ears.mentions] == ["create", "update"]


async def test_the_cursor_stays_small(site: RedditStandIn, source: Source) -> None:
    async with Ears(source) as ears:
        await ears.hears(*await site.say(900))
    assert len(str(ears.cursor)) < 10_000


# -- failing -------------------------------------------------------------------------------------------


async def test_whoever_has_used_up_his_requests_waits_for_new_ones(site: RedditStandIn, source: Source) -> None:
    site.headers = {"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "1"}
    async with Ears(source):
        pass
    token, posts, comments, *_ = [at for at, _ in site.asked]
    assert posts - token < 0.5
    assert comments - posts >= 1


async def test_a_limit_without_retry_after_lasts_until_the_reset(
    site: RedditStandIn, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def limited(request: web.BaseRequest) -> web.Response:
        return web.Response(status=429, headers={"x-ratelimit-remaining": "0.0", "x-ratelimit-reset": "42"})

    monkeypatch.setattr(site, "answer", limited)
    with pytest.raises(SourceDownError) as refused:
        async with Ears(source):
            pass
    assert refused.value.retry_after_s == 42


async def test_a_token_that_is_not_taken_any_more_is_replaced_by_the_next_connection(
    site: RedditStandIn, source: Source
) -> None:
    async with Ears(source) as ears:
        await ears.hears(*await site.say(1))
        site.token = "another"
        assert isinstance(await ears.fails(), SourceDownError)
    async with Ears(source, ears.cursor) as again:
        await again.hears(*await site.say(1))


async def test_wrong_secrets_are_refused_for_good_and_not_repeated(
    site: RedditStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDSWELL_REDDIT_CLIENT_SECRET", "humming")
    with pytest.raises(SourceError, match="is the secret right") as refused:
        async with Ears(open_source("reddit", site.options)):
            pass
    assert not isinstance(refused.value, SourceDownError)
    assert "humming" not in str(refused.value)


async def test_a_page_that_nobody_can_read_is_handed_on_once_and_listening_goes_on(
    site: RedditStandIn, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = site.answer

    async def broken(request: web.BaseRequest) -> web.Response:
        return web.Response(text="<html>We are down</html>") if "/new" in request.path else await answer(request)

    monkeypatch.setattr(site, "answer", broken)
    async with Ears(source) as ears:
        ids = await site.say(3)
        await ears.hears(*ids)
        asked = len(site.asked)
        await ears.until(lambda: len(site.asked) > asked + 10, "it does not look again")
    assert [one.value for one in ears.said if one.key.decode() not in ids] == [b"<html>We are down</html>"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"subreddits": ""}, "subreddits=... is required"),
        ({"subreddits": "r/kettles"}, "expected names such as"),
        ({"user_agent": ""}, "user_agent=... is required"),
        ({"what": "votes"}, "expected both or comments or posts"),
        ({"client_secret": CLIENT_SECRET}, "client_secret is a secret"),
    ],
)
def test_an_option_that_cannot_work_is_refused(
    options: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in RedditStandIn.secrets.items():
        monkeypatch.setenv(variable, value)
    with pytest.raises(SourceError, match=says):
        Reddit.open({"subreddits": "kettles", "user_agent": "x"} | options)


def test_secrets_go_nowhere_in_plain_sight() -> None:
    with pytest.raises(SourceError, match="since secrets go there"):
        Reddit(["kettles"], "x", ("id", "secret"), api="http://reddit.example")


async def test_what_is_edited_before_it_is_heard_again_was_said_once(site: RedditStandIn, source: Source) -> None:
    async with Ears(source) as ears:
        [name] = await site.say(1)
        await ears.hears(name)
    await site.edit(name)
    async with Ears(source) as again:  # as after a kill: from before it
        edit = await again.mention(lambda one: one.op == "update", "the edit was not heard")
    first, second = (one.mentions[0] for one in (ears, again))
    assert version_of(first) == version_of(second)
    assert version_of(edit) != version_of(first)


async def test_what_nobody_can_read_is_handed_on_once_however_its_score_changes(
    site: RedditStandIn, source: Source
) -> None:
    async with Ears(source) as ears:
        name = site.comment(body=17, score=1)
        await ears.unreadable()
        site.things[name]["data"]["score"] = 2
        await ears.hears(*await site.say(1))
        await ears.hears(*await site.say(1))
    assert [one.key for one in ears.said if b"unreadable" in one.key] == [f"reddit:unreadable/{name}".encode()]
