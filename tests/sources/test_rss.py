"""The source `rss`: what is particular to feeds. What all live sources keep is in `test_live_contract.py`."""

from __future__ import annotations

from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sources import http
from agents.sources.interface import Gap, SourceDownError, SourceError
from agents.sources.rss import MOST_FEEDS, MOST_SEEN, Rss
from agents.sources.rss.feed import Page, digest, read_feed
from agents.sources.rss.look import LONGEST_KEPT, Known
from streams.records import encode
from tests.sources.ears import Ears
from tests.sources.standins.rss import RssStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

URL = "https://news.example/feed"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
KETTLES = b"""<?xml version="1.0" encoding="utf-8"?>
<rss version="2.0"><channel><title>Kettle News</title><link>https://news.example/</link><language>en-gb</language>
<item><guid isPermaLink="false">kn-88413</guid><title>Fire &amp;amp; water</title><pubDate>Sat, 21 Nov 2026 11:50:00 GMT</pubDate></item>
<item><guid isPermaLink="false">kn-88412</guid><title>Acme recalls 4,000 kettles</title><link>https://news.example/88412</link>
<pubDate>Sat, 21 Nov 2026 11:40:00 GMT</pubDate><category>recall</category>
<description>&lt;p&gt;Acme said the lid &lt;b&gt;may&lt;/b&gt; fail. &lt;a href="https://acme.example/lid"&gt;Why&lt;/a&gt;&lt;/p&gt;</description>
</item></channel></rss>"""


@pytest.fixture
async def site() -> AsyncIterator[RssStandIn]:
    async with RssStandIn() as site:
        yield site


def page_of(body: bytes) -> Page:
    page = read_feed(body, "application/rss+xml", URL)
    assert page is not None
    return page


def rss(items: str) -> bytes:
    return f'<rss version="2.0"><channel><title>x</title>{items}</channel></rss>'.encode()


def feeds(*sites: RssStandIn) -> Rss:
    return Rss([site.url for site in sites], "several", every_s=0.05)


# -- reading -------------------------------------------------------------------------------------------


def test_an_item_of_rss_becomes_a_mention_in_plain_words() -> None:
    mention = page_of(KETTLES).entries[0].mention(edited=False, live=False, now=NOW)
    assert (mention.id, mention.title) == ("rss:news.example/kn-88412", "Acme recalls 4,000 kettles")
    assert (mention.text, mention.links) == ("Acme said the lid may fail. Why", ("https://acme.example/lid",))
    assert (mention.url, mention.tags, mention.lang) == ("https://news.example/88412", ("recall",), "en-gb")
    assert (mention.author_id, mention.author_name) == ("news.example", "Kettle News")
    assert mention.posted_at == mention.observed_at == datetime(2026, 11, 21, 11, 40, tzinfo=UTC)


def test_the_oldest_entry_comes_first_and_a_title_loses_its_markup_too() -> None:
    assert [entry.fields["title"] for entry in page_of(KETTLES).entries][-1] == "Fire & water"


def test_an_id_that_is_a_uri_is_taken_whole_and_a_missing_one_is_the_link() -> None:
    page = page_of(
        rss("<item><guid>tag:news.example,2026:1</guid></item><item><link>https://news.example/2</link></item>")
    )
    assert {entry.id for entry in page.entries} == {"rss:tag:news.example,2026:1", "rss:https://news.example/2"}


def test_an_entry_from_the_future_was_witnessed_now() -> None:
    page = page_of(rss("<item><guid>a</guid><pubDate>Sat, 21 Nov 2099 11:40:00 GMT</pubDate></item>"))
    assert page.entries[0].mention(edited=False, live=False, now=NOW).observed_at == NOW


def test_an_entry_without_any_time_was_witnessed_now() -> None:
    page = page_of(rss("<item><guid>a</guid></item>"))
    assert page.entries[0].mention(edited=False, live=False, now=NOW).observed_at == NOW


def test_an_id_given_twice_on_a_page_counts_once_with_its_newest_entry() -> None:
    page = page_of(rss("<item><guid>a</guid><title>new</title></item><item><guid>a</guid><title>old</title></item>"))
    assert [entry.fields["title"] for entry in page.entries] == ["new"]


@pytest.mark.parametrize(
    ("asks", "rest_s"),
    [
        ("", 0),
        ("<ttl>15</ttl>", 900),
        ("<ttl>soon</ttl>", 0),
        ("<ttl>99999999</ttl>", 86_400),
        ("<sy:updatePeriod>hourly</sy:updatePeriod>", 3600),
        ("<sy:updatePeriod>daily</sy:updatePeriod><sy:updateFrequency>24</sy:updateFrequency>", 3600),
        ("<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>0</sy:updateFrequency>", 3600),
    ],
)
def test_a_feed_says_how_long_it_wants_to_be_left_alone(asks: str, rest_s: float) -> None:
    site = RssStandIn("rss")
    site.head = asks
    assert page_of(site.body()).rest_s == rest_s


def test_every_tombstone_of_a_page_is_read() -> None:
    site = RssStandIn()
    site.tombstones = ["tag:a&amp;b", "tag:c"]
    assert page_of(site.body()).deleted == ("rss:tag:a&b", "rss:tag:c")


def test_a_body_that_is_the_name_of_a_file_does_not_open_it(tmp_path: Path) -> None:
    (tmp_path / "private.xml").write_bytes(KETTLES)
    assert read_feed(str(tmp_path / "private.xml").encode(), "text/xml", URL) is None


@pytest.mark.parametrize("body", [b"", b"<html><body>Sign in</body></html>", b"\x00\xff", b'{"items": []}'])
def test_what_is_no_feed_is_not_taken_for_an_empty_one(body: bytes) -> None:
    assert read_feed(body, "text/html", URL) is None


def test_an_empty_feed_is_one() -> None:
    assert page_of(rss("")).entries == ()


@given(
    st.lists(
        st.sampled_from([KETTLES[i : i + 40] for i in range(0, len(KETTLES), 40)]) | st.binary(max_size=20), max_size=40
    )
)
def test_whatever_comes_is_a_page_whose_mentions_can_be_sent_or_no_feed(pieces: list[bytes]) -> None:
    page = read_feed(b"".join([KETTLES[:200], *pieces]), "text/xml", URL)
    for entry in page.entries if page else ():
        assert encode(entry.mention(edited=False, live=True, now=NOW))


# -- looking -------------------------------------------------------------------------------------------


async def test_a_feed_that_stays_as_it_is_answers_304_and_says_nothing_new(site: RssStandIn) -> None:
    async with Ears(feeds(site)) as ears:
        ids = await site.say(3)
        await ears.hears(*ids)
        asked = len(site.asked)
        await ears.until(lambda: len(site.asked) > asked + 3, "it does not look again")
    assert ears.ids == ids
    assert all("If-None-Match" in request.headers for _, request in site.asked[asked + 1 :])


async def test_a_feed_without_etags_says_nothing_twice_either(site: RssStandIn) -> None:
    site.headers = {"ETag": ""}
    ids = await site.say(3)
    async with Ears(feeds(site)) as ears:
        await ears.until(lambda: len(site.asked) > 4, "it does not look again")
    assert ears.ids == ids


async def test_a_first_look_takes_entries_as_old_as_they_say_and_later_ones_are_witnessed_as_they_come(
    site: RssStandIn,
) -> None:
    began = datetime.now(UTC)
    [old] = await site.say(1)
    async with Ears(feeds(site)) as ears:
        await ears.hears(old)
        [new] = await site.say(1)
        await ears.hears(new)
    first, second = ears.mentions
    assert first.observed_at == first.posted_at < began - timedelta(minutes=50)
    assert second.observed_at == second.ingested_at >= began


async def test_an_edit_without_a_date_is_known_by_its_words() -> None:
    async with RssStandIn("rss") as site, Ears(feeds(site)) as ears:
        [said] = await site.say(1)
        await ears.until(lambda: len(ears.mentions) == 1, "nothing was heard")
        await site.edit(said)
        await ears.until(lambda: len(ears.mentions) == 2, "the edit was not heard")
    before, after = ears.mentions
    assert (before.id, before.op, after.op) == (after.id, "create", "update")
    assert (before.revision != after.revision, "Solved!" in str(after.text)) == (True, True)


async def test_an_older_copy_from_a_cache_is_no_edit(site: RssStandIn) -> None:
    async with Ears(feeds(site)) as ears:
        [said] = await site.say(1)
        await ears.hears(said)
        older = site.entries[:]
        await site.edit(said)
        await ears.mention(lambda one: one.op == "update", "the edit was not heard")
        site.entries = older
        await ears.hears(*await site.say(1))
    assert [mention.op for mention in ears.mentions] == ["create", "update", "create"]


async def test_a_quiet_feed_that_drops_what_is_old_leaves_no_gap(site: RssStandIn) -> None:
    async with Ears(feeds(site)) as ears:
        await ears.hears(*await site.say(5))
        site.entries.clear()
        await ears.hears(*await site.say(2))
    assert not any(isinstance(event, Gap) for event in ears.events)


@pytest.mark.parametrize(("status", "for_good"), [(301, True), (308, True), (302, False), (307, False)])
async def test_only_a_feed_that_has_moved_for_good_is_asked_for_at_its_new_address(status: int, for_good: bool) -> None:
    async with RssStandIn() as old, RssStandIn() as new:
        old.status, old.headers = status, {"Location": new.url}
        async with Ears(feeds(old)) as ears:
            await ears.hears(*await new.say(1))
        old.asked.clear()
        async with Ears(feeds(old), ears.cursor) as again:
            await again.hears(*await new.say(1))
    assert (not old.asked) is for_good


async def test_a_new_address_that_is_wrong_after_all_is_forgotten() -> None:
    async with RssStandIn() as old, RssStandIn() as new, RssStandIn() as other:
        old.status, old.headers = 301, {"Location": new.url}
        async with Ears(feeds(old, other)) as ears:
            await ears.hears(*await new.say(1))
            old.status, old.headers, new.status = 200, {}, 404
            await ears.hears(*await old.say(1))


# -- failing -------------------------------------------------------------------------------------------


async def test_feeds_that_fail_stop_no_other(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MOST_BYTES", 100_000)
    async with AsyncExitStack() as stack:
        well, down, missing, huge = [await stack.enter_async_context(RssStandIn()) for _ in range(4)]
        down.status, missing.status, huge.head = 503, 404, "x" * 100_000
        async with Ears(feeds(down, missing, well, huge)) as ears:
            await ears.hears(*await well.say(1))
            await ears.until(lambda: min(len(one.asked) for one in (down, missing, huge)) > 2, "they are given up")
            down.status = 200
            await ears.hears(*await down.say(1))
    assert len([one for one in caplog.messages if "answered 404" in one]) == 1, "the same failure is logged once"


async def test_feeds_that_all_fail_are_asked_again_by_whoever_listens() -> None:
    async with RssStandIn() as one, RssStandIn() as other:
        one.status, other.status = 503, 404
        with pytest.raises(SourceDownError, match="the other 1 feed"):
            async with Ears(feeds(one, other)):
                pass


async def test_an_address_that_never_worked_is_refused_and_one_that_did_is_asked_again(site: RssStandIn) -> None:
    site.status = 404
    with pytest.raises(SourceError, match=r"404.*is the address right") as never:
        async with Ears(feeds(site)):
            pass
    assert not isinstance(never.value, SourceDownError)
    site.status = 200
    async with Ears(feeds(site)) as ears:
        await ears.hears(*await site.say(1))
        site.status = 404
        assert isinstance(await ears.fails(), SourceDownError)


async def test_a_feed_that_asks_for_a_rest_gets_it_while_the_others_go_on() -> None:
    async with RssStandIn() as tired, RssStandIn() as well:
        asked = await tired.limit(retry_after_s=1)
        async with Ears(feeds(tired, well)) as ears:
            await ears.hears(*await well.say(1))
            await ears.hears(*await tired.say(1))
            first, second, *_ = asked()
    assert second - first >= 1
    assert len([at for at, _ in well.asked if first < at < second]) > 5


async def test_a_rest_that_was_asked_for_is_kept_from_one_connection_to_the_next(site: RssStandIn) -> None:
    source = feeds(site)
    asked = await site.limit(retry_after_s=1)
    with pytest.raises(SourceDownError):
        async with Ears(source):
            pass
    began = monotonic()
    async with Ears(source):
        assert asked()[1] - asked()[0] >= 1
    assert monotonic() - began < 5


async def test_a_feed_that_is_gone_is_not_asked_again() -> None:
    async with RssStandIn() as gone, RssStandIn() as well:
        gone.status = 410
        async with Ears(feeds(gone, well)) as ears:
            await ears.until(lambda: len(well.asked) > 5, "the other one stopped")
    assert len(gone.asked) == 1


async def test_when_every_feed_is_gone_there_is_nothing_to_listen_to(site: RssStandIn) -> None:
    await site.say(1)
    async with Ears(feeds(site)) as ears:
        site.status = 410
        assert "take it out of the list" in str(failed := await ears.fails())
        assert not isinstance(failed, SourceDownError)


async def test_what_nobody_can_read_is_handed_on_once_for_each_body(site: RssStandIn) -> None:
    site.body = lambda: b"<p>Sorry, we are moving"  # type: ignore[method-assign]
    async with Ears(feeds(site)) as ears:
        await ears.until(lambda: len(site.asked) > 4, "it does not look again")
        site.body = lambda: b"<p>Sorry, we are still moving"  # type: ignore[method-assign]
        await ears.until(lambda: len(ears.said) > 1, "the second was not handed on")
    assert [one.value for one in ears.said] == [b"<p>Sorry, we are moving", b"<p>Sorry, we are still moving"]


# -- cursors and options -------------------------------------------------------------------------------


def test_the_largest_cursor_fits_into_a_record() -> None:
    longest = "x" * LONGEST_KEPT
    seen = {digest(str(number), size=5): digest(str(number), size=4) for number in range(MOST_SEEN // MOST_FEEDS)}
    known = Known(longest, longest, longest, 3600.0, digest("body"), 1000, seen)
    cursor = encode({f"https://{n}.example/{'x' * 80}": known for n in range(MOST_FEEDS)}).decode()
    assert len(encode({"cursor": cursor})) < 1024 * 1024


async def test_a_list_of_feeds_may_change_and_what_is_known_of_the_others_stays(tmp_path: Path) -> None:
    async with RssStandIn() as one, RssStandIn() as other:
        (tmp_path / "news.txt").write_text(f"# ours\n{one.url} # the first\n\n")
        source = Rss.open({"feeds_file": str(tmp_path / "news.txt"), "every": "0.05"})
        assert source.cursor_key == "rss:news.txt"
        async with Ears(source) as ears:
            await ears.hears(*await one.say(2))
        (tmp_path / "news.txt").write_text(f"{one.url}\n{other.url}\n")
        async with Ears(Rss.open({"feeds_file": str(tmp_path / "news.txt"), "every": "0.05"}), ears.cursor) as again:
            [said] = await other.say(1)
            await again.hears(said)
    assert again.ids == [said]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "feeds_file=... is required"),
        ({"feeds": "news.example/feed"}, "expected https://"),
        ({"feeds": "https://"}, "expected https://"),
        ({"feeds_file": "/nowhere/feeds.txt"}, "No such file"),
        ({"feeds": URL, "every": "0"}, "every=0"),
        ({"feeds": ",".join(f"{URL}/{n}" for n in range(501))}, "501 feeds; expected 1 to 500"),
    ],
)
def test_an_option_that_cannot_work_is_refused(options: dict[str, str], says: str) -> None:
    with pytest.raises(SourceError, match=says):
        Rss.open(options)


def test_an_address_that_holds_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(SourceError, match=r"news\.example") as refused:
        Rss.open({"feeds": "https://kim:s3cret@news.example/feed"})
    assert "s3cret" not in str(refused.value)


async def test_a_feed_takes_away_nothing_that_another_one_says() -> None:
    async with RssStandIn() as honest, RssStandIn() as hostile, Ears(feeds(honest, hostile)) as ears:
        [said] = await honest.say(1)
        await ears.hears(said)
        hostile.tombstones.append(said.removeprefix("rss:"))
        await ears.hears(*await hostile.say(1))
        await ears.hears(*await hostile.say(1))  # so that all of the page before has been told
        assert "delete" not in [one.op for one in ears.mentions]
        await honest.delete(said)
        await ears.mention(lambda one: one.op == "delete", "its own feed's deletion was not heard")
