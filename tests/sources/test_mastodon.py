"""What is particular to the source `mastodon`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import pytest

from agents.sources import open_source
from agents.sources.interface import Gap, SourceDownError, SourceError
from agents.sources.mastodon import Mastodon, api
from agents.sources.mastodon.api import Feed
from agents.sources.mastodon.status import id_at
from tests.sources.clocks import PlayedClock
from tests.sources.ears import Ears
from tests.sources.standins.mastodon import TOKEN, MastodonStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from agents.sources.interface import Source
    from streams.records import Mention


@pytest.fixture
async def server(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[MastodonStandIn]:
    monkeypatch.setenv("GROUNDSWELL_MASTODON_TOKEN", TOKEN)
    async with MastodonStandIn() as standin:
        yield standin


def source_of(server: MastodonStandIn, **options: str) -> Source:
    return open_source("mastodon", server.options | options)


def quick(server: MastodonStandIn, **given: Any) -> Mastodon:
    return Mastodon(server.address, TOKEN, Feed.of("public", ""), **given)


async def heard(ears: Ears, mention_id: str, op: str = "create") -> Mention:
    return await ears.mention(lambda one: (one.id, one.op) == (mention_id, op), f"{op} of {mention_id} was not heard")


def gaps(ears: Ears) -> list[str]:
    return [event.says for event in ears.events if isinstance(event, Gap)]


# -- what a post becomes ---------------------------------------------------------------------------


async def test_a_post_is_read_as_people_read_it(server: MastodonStandIn) -> None:
    author = server.account("jo@social.example")
    async with Ears(source_of(server)) as ears:
        quoted = server.post(account=author, content="<p>It leaks!</p>")
        post = server.post(
            account=author,
            spoiler_text="kettles",
            content='<p>Look: <a href="https://a.example/x"><span class="invisible">https://</span>'
            '<span class="ellipsis">a.exam</span></a> <a href="https://s.example/tags/acme" class="mention hashtag">'
            "#<span>Acme</span></a></p><p>Bad &amp; hot</p>",
            in_reply_to_id="7",
            media_attachments=[{"id": "1", "type": "image", "description": "a kettle on fire"}, {"type": "video"}],
            mentions=[{"id": "1", "username": "acme", "acct": "acme", "url": "https://x.example/@acme"}],
            tags=[{"name": "acme", "url": "https://s.example/tags/acme"}],
            quote={"state": "accepted", "quoted_status": server.posts[server.number(quoted)]},
            replies_count=2,
        )
        mention = await heard(ears, post)
    assert mention.title == "kettles"
    assert mention.text == "Look: https://a.example/x #Acme\nBad & hot"
    assert mention.links == ("https://a.example/x",)
    assert mention.image_text == ("a kettle on fire",)
    assert [media.type for media in mention.media] == ["image", "video"]
    assert (mention.tags, mention.mentions) == (("acme",), (f"acme@{server.server}",))
    assert (mention.quoted, mention.quoted_text) == (quoted, "It leaks!")
    assert mention.in_reply_to == f"mastodon:{server.server}/7"
    assert (mention.author_id, mention.author_name) == ("https://social.example/@jo", "jo@social.example")
    assert (mention.author_followers, mention.lang) == (311, "en")
    assert mention.author_created_at == datetime(2020, 2, 29, tzinfo=UTC)
    assert mention.metrics is not None
    assert mention.metrics.replies == 2


async def test_a_post_that_arrives_late_was_witnessed_when_it_arrived(server: MastodonStandIn) -> None:
    began = datetime.now(UTC)
    async with Ears(source_of(server)) as ears:
        mention = await heard(ears, server.post(ago=timedelta(hours=3)))
    assert began <= mention.observed_at
    assert mention.posted_at is not None
    assert mention.posted_at < began - timedelta(hours=2)


@pytest.mark.parametrize(
    "fields",
    [
        {"visibility": "private"},
        {"visibility": "direct"},
        {"content": "", "reblog": {"id": "5", "content": "<p>others' words</p>"}},
    ],
)
async def test_what_is_not_for_everybody_or_not_ones_own_is_not_told(
    server: MastodonStandIn, fields: dict[str, Any]
) -> None:
    async with Ears(source_of(server)) as ears:
        kept = server.post(**fields)
        await heard(ears, server.post(visibility="unlisted"))
    assert kept not in ears.ids


async def test_who_asks_not_to_be_indexed_is_left_out(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        shy = server.post(account=server.account("shy", noindex=True))
        await heard(ears, server.post())
    assert shy not in ears.ids


async def test_only_those_who_want_to_be_discovered_are_told_if_that_is_asked_for(server: MastodonStandIn) -> None:
    async with Ears(source_of(server, accounts="discoverable")) as ears:
        unasked = server.post(account=server.account("bo", discoverable=None))
        await heard(ears, server.post(account=server.account("jo", discoverable=True)))
    assert unasked not in ears.ids


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"stream": "public"}, ["here", "elsewhere", "tagged"]),
        ({"stream": "public:local"}, ["here"]),
        ({"stream": "hashtag", "tag": "#Acme"}, ["tagged"]),
    ],
)
async def test_a_feed_says_the_same_in_its_stream_and_in_its_list(
    server: MastodonStandIn, options: dict[str, str], told: list[str]
) -> None:
    def say() -> dict[str, str]:
        elsewhere = server.account("jo@social.example")
        tags = [{"name": "acme", "url": "https://s.example/tags/acme"}]
        return {
            "here": server.post(),
            "elsewhere": server.post(account=elsewhere),
            "tagged": server.post(account=elsewhere, tags=tags),
        }

    async with Ears(source_of(server, **options)) as ears:
        live = say()
        await ears.hears(live[told[-1]])
    missed = say()
    async with Ears(source_of(server, **options), ears.cursor) as again:
        await again.hears(missed[told[-1]])
    assert ears.ids == [live[one] for one in told]
    assert {one for one in again.ids if one in missed.values()} == {missed[one] for one in told}


# -- the stream ------------------------------------------------------------------------------------


async def test_events_that_concern_somebody_else_are_passed_over(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        server.streaming.send("filters_changed", "undefined", {"public"})
        server.streaming.send("notification", '{"id":"1"}', {"public"})
        await heard(ears, server.post())
    assert len(ears.said) == 1


async def test_a_deletion_that_names_no_number_is_handed_on_as_it_came(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        server.streaming.send("delete", '{"id":"115588"}', {"public"})
        assert (await ears.unreadable()).value == b'{"id":"115588"}'


async def test_a_deletion_finds_its_mention_also_after_a_restart(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        old = server.post()
        await heard(ears, old)
    async with Ears(source_of(server), str(id_at(datetime.now(UTC) + timedelta(hours=1)))) as again:
        await server.delete(old)
        await heard(again, old, "delete")


async def test_silence_without_a_heartbeat_is_an_interruption(server: MastodonStandIn) -> None:
    async with Ears(quick(server, silence_s=0.2)) as ears:
        error = await ears.fails()
    assert isinstance(error, SourceDownError)
    assert "silent" in str(error)


async def test_heartbeats_keep_a_quiet_stream(server: MastodonStandIn) -> None:
    server.streaming.heartbeat_s = 0.1
    began = monotonic()
    async with Ears(quick(server, silence_s=1.0)) as ears:
        while monotonic() - began < 1.5:
            await heard_heartbeat(server)
        await heard(ears, server.post())


async def heard_heartbeat(server: MastodonStandIn) -> None:
    await server.streaming.beat.wait()
    server.streaming.beat.clear()


# -- what was missed -------------------------------------------------------------------------------


async def test_what_is_said_while_the_list_is_read_is_heard(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        await heard(ears, server.post())
    missed = [server.post() for _ in range(60)]
    meanwhile: list[str] = []
    server.on_page = lambda: meanwhile.append(server.post())
    async with Ears(source_of(server), ears.cursor) as again:
        await again.hears(*missed)
        server.on_page = lambda: None
        await again.hears(*meanwhile)
    assert len(meanwhile) > 1
    assert [one for one in dict.fromkeys(again.ids) if one in missed] == missed, "oldest first"


async def test_what_reached_the_server_late_is_found_below_the_last_post(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        await heard(ears, server.post())
    late = server.post(ago=timedelta(minutes=10), heard=False)
    async with Ears(source_of(server), ears.cursor) as again:
        await heard(again, late)


async def test_an_edit_made_while_nobody_listened_is_an_edit_and_no_second_mention(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        edited = server.post()
        before = await heard(ears, edited)
    await server.edit(edited, heard=False)
    async with Ears(source_of(server), ears.cursor) as again:
        after = await heard(again, edited, "update")
        assert (await heard(again, edited)).revision == before.revision
    assert after.text is not None
    assert after.text.endswith("Solved!")


async def test_a_deletion_while_nobody_listened_is_found_out(server: MastodonStandIn) -> None:
    source = source_of(server)
    async with Ears(source) as ears:
        gone, kept, last = server.post(), server.post(), server.post()
        await heard(ears, last)
    await server.delete(gone, heard=False)
    async with Ears(source, ears.cursor) as again:
        await heard(again, gone, "delete")
        await heard(again, kept)
    assert [one.op for one in again.mentions if one.id == kept] == ["create"]


async def test_a_server_that_does_not_list_its_feed_leaves_a_gap(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        await heard(ears, server.post())
    server.unlisted = True
    async with Ears(source_of(server), ears.cursor) as again:
        await again.gap()
        await heard(again, server.post())
    assert not [one for one in again.mentions if one.op == "delete"]


async def test_a_quiet_feed_is_no_gap(server: MastodonStandIn) -> None:
    async with Ears(source_of(server, stream="hashtag", tag="acme")) as ears:
        cursor = ears.cursor
    async with Ears(source_of(server, stream="hashtag", tag="acme"), cursor) as again:
        await heard(again, server.post(tags=[{"name": "acme"}]))
    assert gaps(again) == []


async def test_what_exceeds_the_pages_is_a_gap_that_says_from_when_to_when(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        await heard(ears, server.post())
    first = server.post(heard=False)
    await server.lose()
    async with Ears(source_of(server), ears.cursor) as again:
        assert "more than 200 posts since" in (await again.gap()).says
        await heard(again, first)


async def test_an_unreadable_post_in_the_list_is_handed_on_and_the_rest_is_read(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        await heard(ears, server.post())
    broken = server.post(heard=False, created_at="yesterday")
    after = server.post(heard=False)
    async with Ears(source_of(server), ears.cursor) as again:
        assert b"yesterday" in (await again.unreadable()).value
        await heard(again, after)
    assert broken not in again.ids


async def test_the_limit_that_the_server_states_is_kept(server: MastodonStandIn) -> None:
    clock = PlayedClock(datetime.now(UTC))
    async with Ears(quick(server, clock=clock)) as ears:
        await heard(ears, server.post())
    missed = [server.post() for _ in range(50)]
    server.remaining, server.period_ends = 0, clock.now() + timedelta(seconds=200)
    async with Ears(quick(server, clock=clock), ears.cursor) as again:
        await again.hears(*missed)
    assert clock.slept_s == pytest.approx(200, abs=1), "one period, then the server says that the next has begun"


# -- who may listen --------------------------------------------------------------------------------


async def test_a_wrong_token_is_an_error_that_names_its_variable(
    server: MastodonStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDSWELL_MASTODON_TOKEN", "another-token")
    with pytest.raises(SourceError, match="GROUNDSWELL_MASTODON_TOKEN") as refused:
        async with Ears(source_of(server)):
            pass
    assert not isinstance(refused.value, SourceDownError)
    assert "another-token" not in str(refused.value)


def test_without_a_token_it_says_which_variable_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDSWELL_MASTODON_TOKEN", raising=False)
    with pytest.raises(SourceError, match="GROUNDSWELL_MASTODON_TOKEN"):
        Mastodon.open({"server": "mastodon.example"})


async def test_what_is_no_mastodon_is_an_error(server: MastodonStandIn) -> None:
    source = Mastodon(server.streaming.address, TOKEN, Feed.of("public", ""))
    with pytest.raises(SourceError, match="Mastodon 4"):
        async with Ears(source):
            pass


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "server=... is required"),
        ({"server": "http://mastodon.example"}, "in the clear"),
        ({"server": "gopher://mastodon.example"}, "no server"),
        ({"server": "mastodon.example/@jo"}, "no server"),
        ({"server": "me:pass@mastodon.example"}, "no server"),
        ({"server": "mastodon.example", "stream": "home"}, "stream=home"),
        ({"server": "mastodon.example", "stream": "hashtag"}, "tag=... is required"),
        ({"server": "mastodon.example", "stream": "hashtag", "tag": "a b"}, "tag=a b"),
        ({"server": "mastodon.example", "tag": "acme"}, "stream=hashtag"),
        ({"server": "mastodon.example", "token": "x"}, "secret"),
    ],
)
def test_a_wrong_option_is_named(monkeypatch: pytest.MonkeyPatch, options: dict[str, str], says: str) -> None:
    monkeypatch.setenv("GROUNDSWELL_MASTODON_TOKEN", TOKEN)
    with pytest.raises(SourceError) as refused:
        Mastodon.open(options)
    assert says in str(refused.value)


@pytest.mark.parametrize("server", ["mastodon.example", "https://mastodon.example/", "wss://mastodon.example"])
def test_a_server_has_one_name_however_it_is_written(server: str) -> None:
    assert Mastodon(server, TOKEN, Feed.of("public", "")).cursor_key == "mastodon:mastodon.example/public"
    assert Mastodon(server, TOKEN, Feed.of("hashtag", "acme")).cursor_key == "mastodon:mastodon.example/hashtag/acme"


async def test_what_a_server_tells_again_without_an_edit_is_the_same_edit_each_time(server: MastodonStandIn) -> None:
    async with Ears(source_of(server)) as ears:
        post = server.post()
        await ears.hears(post)
        server.mention_again(post)
        server.mention_again(post)
        await ears.hears(server.post())
    updates = [one.revision for one in ears.mentions if one.op == "update"]
    assert len(updates) == 2
    assert len(set(updates)) == 1


async def test_a_stream_that_never_begins_is_given_up(server: MastodonStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "ANSWER_WITHIN_S", 0.3)
    server.streaming.deaf = True
    with pytest.raises(SourceDownError, match="does not answer"):
        async with Ears(quick(server)):
            pass
