"""What is particular to Bluesky: both wire formats, what a post becomes, and where listening goes on when something changed."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, time_ns
from typing import TYPE_CHECKING, Any

import pytest

from agents.cli.localkafka import free_port
from agents.sources.bluesky import Bluesky
from agents.sources.bluesky.frames import Happening, UnreadableError, read_v1, read_v2
from agents.sources.bluesky.posts import mention_of
from agents.sources.bluesky.stream import Place, Reading
from agents.sources.interface import Gap, Reached, Sourced, SourceDownError, SourceError
from streams.core.parse import Rejected, parse
from streams.records import Media, Mention, encode
from tests.sources.clocks import PlayedClock
from tests.sources.ears import Ears
from tests.sources.standins.bluesky import POSTS, V2, BlueskyStandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

RECORDED = Path(
    os.environ.get("GROUNDSWELL_JETSTREAM", Path(__file__).parents[2].parent / "shared/data/jetstream_v1_sample.jsonl")
)
DID, OTHER = "did:plc:k3v7wq2mzt5xj4r6ndy2h7ab", "did:plc:zq6ht2w4m7rkx5n3yc2dv4pb"
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 10**6
HERE = "bluesky:at://" + f"{DID}/{POSTS}/3m6kqz2vd5s2k"

REPLY: dict[str, Any] = {
    "text": "@acme.dev your café app has been down again #acmefail",
    "createdAt": "2026-11-21T11:59:58.912Z",
    "langs": ["en-GB", "fr"],
    "reply": {
        "root": {"cid": "bafyrei1", "uri": f"at://{OTHER}/{POSTS}/3m6kqx7tn2c2e"},
        "parent": {"cid": "bafyrei2", "uri": f"at://{DID}/{POSTS}/3m6kqx9tn2c2e"},
    },
    "facets": [
        {"index": {"byteStart": 0, "byteEnd": 9}, "features": [{"$type": "x#mention", "did": OTHER}]},
        {"index": {"byteStart": 45, "byteEnd": 54}, "features": [{"$type": "x#tag", "tag": "acmefail"}]},
    ],
}


def v1(record: object, operation: str = "create", **more: Any) -> bytes:
    commit = {"rev": "3m6kqz2xw4c2a", "operation": operation, "collection": POSTS, "rkey": "3m6kqz2vd5s2k"}
    if operation != "delete":
        commit |= {"record": record, "cid": "bafyrei3"}
    return encode({"did": DID, "time_us": NOON_US, "kind": "commit", "commit": commit} | more)


def v2(record: object, operation: str = "create", **more: Any) -> bytes:
    said = {
        "$type": f"{V2}#commit",
        "seq": 7,
        "did": DID,
        "time": "2026-11-21T12:00:00.000000Z",
        "rev": "3m6kqz2xw4c2a",
    }
    said |= {"operation": operation, "collection": POSTS, "rkey": "3m6kqz2vd5s2k"}
    if operation != "delete":
        said |= {"record": record, "cid": "bafyrei3"}
    return encode({"$type": "message", "payload": said | more})


def heard(happening: object, now: datetime = NOON) -> Mention:
    assert isinstance(happening, Happening)
    mention = mention_of(happening, "here", now)
    assert mention is not None
    assert not isinstance(parse(mention.id.encode(), encode(mention)), Rejected)
    return mention


def post(**record: object) -> Mention:
    return heard(read_v2(v2({"text": "acme is down", "createdAt": "2026-11-21T11:59:58Z"} | record)))


# -- what a post becomes -----------------------------------------------------------------------------


def test_both_wire_formats_say_the_same():
    one, other = heard(read_v1(v1(REPLY))), heard(read_v2(v2(REPLY)))
    assert one == other
    assert one == Mention(
        id=HERE,
        source="bluesky",
        revision="bafyrei3",
        text=REPLY["text"],
        lang="en-GB",
        author_id=DID,
        observed_at=NOON,
        posted_at=datetime(2026, 11, 21, 11, 59, 58, 912000, UTC),
        ingested_at=NOON,
        url=f"https://bsky.app/profile/{DID}/post/3m6kqz2vd5s2k",
        in_reply_to=f"bluesky:at://{DID}/{POSTS}/3m6kqx9tn2c2e",
        root=f"bluesky:at://{OTHER}/{POSTS}/3m6kqx7tn2c2e",
        tags=("acmefail",),
        mentions=(OTHER, "acme.dev"),
        source_cursor="here",
    )


def test_places_in_a_text_are_counted_in_bytes_of_utf_8():
    text = "café ☕ @acme.dev?"
    begins = len("café ☕ ".encode())
    facet = {"index": {"byteStart": begins, "byteEnd": begins + 9}, "features": [{"did": OTHER}]}
    assert post(text=text, facets=[facet]).mentions == (OTHER, "acme.dev")


def test_a_mention_that_points_outside_the_text_still_names_who_is_mentioned():
    facet = {"index": {"byteStart": -3, "byteEnd": 4000}, "features": [{"did": OTHER}]}
    assert post(facets=[facet]).mentions == (OTHER,)


def test_a_link_is_known_in_full_and_its_card_is_what_the_post_quotes():
    uri = "https://acme.example/status/very/long"
    link = {"index": {"byteStart": 0, "byteEnd": 4}, "features": [{"uri": uri}]}
    card = {"uri": uri, "title": "Acme status", "description": "All is well"}
    mention = post(facets=[link], embed={"$type": "app.bsky.embed.external", "external": card})
    assert mention.links == (uri,)
    assert mention.quoted_text == "Acme status\nAll is well"


def test_a_card_without_words_quotes_nothing():
    assert (
        post(embed={"$type": "app.bsky.embed.external", "external": {"uri": "https://x.example"}}).quoted_text is None
    )


@pytest.mark.parametrize(
    ("embed", "media"),
    [
        ({"$type": "app.bsky.embed.images", "images": [{"alt": "smoke"}, {"alt": ""}]}, ["image", "image"]),
        ({"$type": "app.bsky.embed.gallery", "items": [{"alt": "smoke"}]}, ["image"]),
        ({"$type": "app.bsky.embed.video", "alt": "smoke", "video": {}}, ["video"]),
        (
            {
                "$type": "app.bsky.embed.recordWithMedia",
                "record": {"record": {"uri": f"at://{OTHER}/{POSTS}/3m", "cid": "b"}},
                "media": {"$type": "app.bsky.embed.images", "images": [{"alt": "smoke"}]},
            },
            ["image"],
        ),
    ],
    ids=["images", "gallery", "video", "media beside a quote"],
)
def test_what_its_author_says_a_picture_shows_is_text_of_the_picture(embed, media):
    mention = post(embed=embed)
    assert mention.image_text == ("smoke",)
    assert [one.type for one in mention.media] == media
    assert mention.media[0] == Media(media[0], "smoke")


def test_a_quoted_post_is_named_and_a_shared_list_is_no_quote():
    uri = f"at://{OTHER}/{POSTS}/3m"
    beside_media = {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": {"uri": uri}}, "media": {}}
    assert post(embed={"$type": "app.bsky.embed.record", "record": {"uri": uri}}).quoted == f"bluesky:{uri}"
    assert post(embed=beside_media).quoted == f"bluesky:{uri}"
    assert post(embed={"record": {"uri": f"at://{OTHER}/app.bsky.graph.list/3m"}}).quoted is None


@pytest.mark.parametrize("claimed", ["1970-01-01T00:00:00Z", "2031-01-01T00:00:00Z", "yesterday", "", None, 17, ["x"]])
def test_a_time_that_cannot_be_true_is_left_out(claimed):
    assert post(createdAt=claimed).posted_at is None


def test_a_post_may_be_claimed_to_be_old_but_was_witnessed_now():
    mention = post(createdAt="2012-05-01T10:00:00+02:00")
    assert mention.posted_at == datetime(2012, 5, 1, 8, tzinfo=UTC)
    assert mention.observed_at == NOON


def test_a_server_whose_clock_is_fast_witnesses_nothing_before_it_happens():
    assert heard(read_v1(v1(REPLY)), NOON - timedelta(hours=1)).observed_at == NOON - timedelta(hours=1)


def test_a_post_at_variance_with_the_schema_still_says_what_it_says():
    mention = post(facets="none", langs=[3], embed=[], reply={"root": None})
    assert (mention.id, mention.text, mention.lang) == (HERE, "acme is down", None)


def test_edits_and_deletions_have_revisions_of_their_own():
    created, edited = heard(read_v1(v1(REPLY))), heard(read_v1(v1(REPLY, "update")))
    deleted = heard(read_v1(v1(None, "delete")))
    assert [one.op for one in (created, edited, deleted)] == ["create", "update", "delete"]
    assert created.revision != edited.revision
    assert (deleted.id, deleted.text, deleted.author_id) == (HERE, None, DID)


def test_a_post_said_again_under_a_new_rev_is_a_redelivery():
    assert heard(read_v2(v2(REPLY))).revision == heard(read_v2(v2(REPLY, rev="3m9zzzzzzzz2a"))).revision


@pytest.mark.parametrize(
    ("account", "gone"),
    [
        ({"active": False, "status": "deleted"}, True),
        ({"active": False, "status": "takendown"}, True),
        ({"active": False, "status": "suspended"}, True),
        ({"active": False, "status": "deactivated"}, True),
        ({"active": False}, True),
        ({"active": False, "status": "desynchronized"}, False),
        ({"active": False, "status": "throttled"}, False),
        ({"active": True, "status": "throttled"}, False),
        ({"active": True}, False),
    ],
    ids=lambda value: json.dumps(value) if isinstance(value, dict) else "",
)
def test_an_account_is_removed_when_its_words_are_taken_back_not_when_a_server_has_trouble(account, gone):
    for frame, read in (
        (encode({"did": DID, "time_us": NOON_US, "kind": "account", "account": account}), read_v1),
        (v2(None, **{"$type": f"{V2}#account", "account": account}), read_v2),
    ):
        happening = read(frame)
        assert isinstance(happening, Happening)
        mention = mention_of(happening, "here", NOON)
        assert (mention is not None) == gone
        assert mention is None or (mention.op, mention.author_id) == ("account_removed", DID)


@pytest.mark.parametrize(
    ("read", "frame"),
    [
        (read_v1, encode({"did": DID, "time_us": NOON_US, "kind": "poke", "poke": {}})),
        (read_v2, v2(None, **{"$type": f"{V2}#poke"})),
        (read_v2, b'{"$type":"weather","payload":{}}'),
    ],
)
def test_kinds_of_frames_that_came_later_concern_nobody(read, frame):
    assert read(frame) is None


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"{}",
        b"[]",
        b'{"kind":"commit"}',
        b"\xff",
        v1(REPLY, time_us="now"),
        v2(REPLY, time="1913-01-01T00:00:00Z"),
        v1(REPLY, time_us=-5),
        b"[" * 9000,
    ],
)
def test_a_frame_that_says_too_little_is_unreadable(frame):
    for read in (read_v1, read_v2):
        with pytest.raises(UnreadableError):
            read(frame)


def recorded() -> Iterator[bytes]:
    if not RECORDED.exists():
        pytest.skip(f"no recording of a Jetstream server at {RECORDED}: set GROUNDSWELL_JETSTREAM")
    return iter(RECORDED.read_bytes().splitlines())


def test_every_event_of_a_recorded_stream_is_understood():
    happenings = [read_v1(frame) for frame in recorded()]
    assert len(happenings) == 152
    mentions = [heard(one) for one in happenings if one and mention_of(one, "here", NOON)]
    assert [one.op for one in mentions].count("create") == 17
    assert [one.op for one in mentions].count("delete") == 1
    assert len(mentions) == 18 + sum(one.op == "account_removed" for one in mentions)
    for one in mentions:
        assert one.op != "create" or (one.text is not None and one.posted_at)
    assert {link for one in mentions for link in one.links} >= {"https://denikn.cz/2113523"}
    assert {tag for one in mentions for tag in one.tags} >= {"HowToTellAiToShutUp", "talesatwonderworld"}


# -- listening ---------------------------------------------------------------------------------------


@pytest.fixture(params=["v2", "v1"])
async def other(request: pytest.FixtureRequest) -> AsyncIterator[BlueskyStandIn]:
    """A server of both protocols, listened to by one of them."""
    async with BlueskyStandIn(wire=request.param) as standin:
        yield standin


@pytest.fixture
async def modern() -> AsyncIterator[BlueskyStandIn]:
    async with BlueskyStandIn() as standin:
        yield standin


def source(other: BlueskyStandIn, *hosts: str) -> Bluesky:
    return Bluesky(hosts or (other.host,), wire=other.wire)


async def test_both_protocols_say_what_happens_and_go_on_after_what_was_heard(other):
    async with Ears(source(other)) as ears:
        ids = await other.say(3)
        await other.edit(ids[0])
        await other.delete(ids[1])
        await other.remove_account(ids[2])
        await ears.until(lambda: len(ears.mentions) == 6, "not everything was heard")
    assert [one.op for one in ears.mentions] == ["create"] * 3 + ["update", "delete", "account_removed"]
    missed = await other.say(3)
    async with Ears(source(other), ears.cursor) as again:
        await again.hears(*missed)


async def test_the_server_is_asked_for_posts_and_accounts_alone(other):
    async with Ears(source(other)):
        pass
    asked = {
        "v1": {"wantedCollections": [POSTS]},
        "v2": {"collections": [POSTS], "kinds": ["commit", "account", "sync"]},
    }
    assert other.requests == [asked[other.wire]]


async def test_a_recorded_stream_comes_through_as_it_was():
    frames = [*recorded()]
    async with BlueskyStandIn(wire="v1") as other, Ears(source(other)) as ears:
        for frame in frames:
            other.append("", "", {}, frame)
        await ears.hears(*(one.id for frame in frames if (one := mention_of(read_v1(frame), "", NOON))))
    assert not any(isinstance(event, Gap) for event in ears.events)
    assert len(ears.said) == len(ears.mentions)


async def test_what_was_heard_last_is_not_said_again_where_events_are_numbered(modern):
    async with Ears(source(modern)) as ears:
        await ears.hears(*await modern.say(2))
    [new] = await modern.say(1)
    async with Ears(source(modern), ears.cursor) as again:
        await again.hears(new)
    assert again.ids == [new]


async def test_the_first_cursor_is_a_time_so_that_nothing_is_missed_if_nothing_was_heard(other):
    async with Ears(source(other)) as ears:
        pass
    missed = await other.say(2)
    async with Ears(source(other), ears.cursor) as again:
        await again.hears(*missed)


async def test_hearing_again_what_was_heard_moves_the_cursor_nowhere():
    async with BlueskyStandIn(wire="v1") as other:
        async with Ears(source(other)) as ears:
            await ears.hears(*await other.say(3))
        async with Ears(source(other), ears.cursor) as again:
            await again.hears(*ears.ids)
        assert again.cursor == ears.cursor


async def test_what_concerns_nobody_still_moves_the_cursor(modern):
    async with Ears(source(modern)) as ears:
        modern.account(DID, None)
        await ears.until(lambda: len(ears.events) == 2, "nothing was reached")
    assert isinstance(ears.events[1], Reached)
    assert ears.events[1].cursor != ears.events[0].cursor


async def test_the_next_server_is_asked_where_one_does_not_answer(other):
    gone = f"ws://127.0.0.1:{free_port()}"
    async with Ears(source(other, gone, other.host)) as ears:
        await ears.hears(*await other.say(1))


async def test_another_server_is_asked_by_time_because_numbers_mean_nothing_there():
    async with BlueskyStandIn() as there:
        ids = await there.say(5)
        async with BlueskyStandIn() as here, Ears(source(here)) as ears:
            await ears.hears(*await here.say(3))
        async with Ears(Bluesky((here.host, there.host)), ears.cursor) as again:
            await again.hears(*ids)
        asked_us = int(there.requests[0]["cursor"][0])
    assert 0 < Place.read(ears.cursor or "").time_us - asked_us <= 60 * 10**6


async def test_the_server_that_the_cursor_is_of_is_asked_first():
    async with BlueskyStandIn() as one, BlueskyStandIn() as two:
        async with Ears(source(two)) as ears:
            await ears.hears(*await two.say(1))
        async with Ears(Bluesky((one.host, two.host)), ears.cursor):
            pass
        assert (len(one.requests), len(two.requests)) == (0, 2)


async def test_a_server_that_answers_and_then_says_nothing_is_asked_last_the_next_time():
    async with BlueskyStandIn() as one, BlueskyStandIn() as two:
        both = Bluesky((one.host, two.host))
        async with Ears(both) as ears:
            await one.close(1011)
            assert isinstance(await ears.fails(), SourceDownError)
        async with Ears(both, ears.cursor) as again:
            await again.hears(*await two.say(1))


async def test_a_cursor_that_is_too_old_begins_with_what_there_is_and_says_so_once(modern):
    async with Ears(source(modern)) as ears:
        await ears.hears(*await modern.say(2))
    await modern.lose()
    async with Ears(source(modern), ears.cursor) as again:
        await again.hears(*await modern.say(1))
    assert ["OutdatedCursor" in event.says for event in again.events if isinstance(event, Gap)] == [True]


async def test_v1_hides_that_a_cursor_is_too_old_but_the_time_that_is_missing_shows_it():
    async with BlueskyStandIn(wire="v1") as other:
        long_ago = Place(time_ns() // 1000 - 40 * 3600 * 10**6, other.host)
        await other.say(1)
        async with Ears(source(other), str(long_ago)) as ears:
            assert "goes on at" in (await ears.gap()).says
            await ears.hears(*await other.say(1))
        assert sum(isinstance(event, Gap) for event in ears.events) == 1


@pytest.mark.parametrize("before", [5, 500], ids=["below", "beyond"])
async def test_a_server_that_was_set_up_anew_is_asked_by_time_so_that_nothing_is_missed(modern, before):
    listening = source(modern)
    async with Ears(listening) as ears:
        await ears.hears(*await modern.say(before))
    modern.renumber()
    ids = await modern.say(50)
    async with Ears(listening, ears.cursor) as again:
        assert isinstance(await again.fails(), SourceDownError)
    async with Ears(listening, ears.cursor) as by_time:
        await by_time.hears(*ids)


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_clean_close_is_no_end(other, code):
    async with Ears(source(other)) as ears:
        await other.close(code)
        failed = await ears.fails()
    assert isinstance(failed, SourceDownError)
    assert str(code) in str(failed)


async def test_what_the_server_says_before_it_hangs_up_is_told(modern):
    async with Ears(source(modern)) as ears:
        await modern.fail("ConsumerTooSlow")
        assert "ConsumerTooSlow" in str(await ears.fails())


async def test_a_server_that_gives_no_sign_of_life_is_given_up(other):
    other.deaf = True
    async with Ears(Bluesky((other.host,), wire=other.wire, silent_s=0.2)) as ears:
        failed = await ears.fails()
    assert isinstance(failed, SourceDownError)
    assert "fell silent" in str(failed)


async def test_a_quiet_server_that_lives_is_not_given_up(other):
    async with Ears(Bluesky((other.host,), wire=other.wire, silent_s=0.5)) as ears:
        await other.pinged(2)
        await ears.hears(*await other.say(1))


async def test_a_history_that_broke_off_is_told_with_whose_it_is(modern):
    async with Ears(source(modern)) as ears:
        modern.append(DID, "sync", {"did": DID, "rev": "3m"})
        assert DID in (await ears.gap()).says


async def test_a_post_that_cannot_be_read_is_set_aside_under_its_id_so_that_its_deletion_finds_it(other):
    async with Ears(source(other)) as ears:
        other.commit(DID, "create", POSTS, "3m6kqz2vd5s2k", {"text": {"not": "text"}})
        unreadable = await ears.unreadable()
    assert isinstance(unreadable, Sourced)
    assert unreadable.key.decode() == HERE
    assert b'"not":"text"' in unreadable.value


@pytest.mark.parametrize("wire", ["v1", "v2"])
async def test_without_a_network_it_says_within_seconds_what_was_tried_and_what_to_do(wire):
    hosts = [f"ws://127.0.0.1:{free_port()}" for _ in range(2)]
    began = monotonic()
    with pytest.raises(SourceDownError) as down:
        async with Ears(Bluesky(hosts, wire=wire)):
            pass
    assert monotonic() - began < 5
    for said in (*hosts, f"wire={'v2' if wire == 'v1' else 'v1'}", "host="):
        assert said in str(down.value)


async def test_what_is_no_address_is_no_passing_trouble():
    with pytest.raises(SourceError, match="gopher") as refused:
        async with Ears(Bluesky(["gopher://hole:70"])):
            pass
    assert not isinstance(refused.value, SourceDownError)


async def test_a_server_that_knows_no_such_protocol_is_no_passing_trouble(modern):
    modern.refuse(404)
    with pytest.raises(SourceError, match="404") as refused:
        async with Ears(source(modern)):
            pass
    assert not isinstance(refused.value, SourceDownError)
    assert "wire=v1" in str(refused.value)


def test_a_post_that_marks_all_of_itself_as_many_mentions_fills_no_memory():
    text = "@" * 50_000
    facets = [{"index": {"byteStart": n, "byteEnd": 50_000}, "features": [{"did": OTHER}]} for n in range(500)]
    assert post(text=text, facets=facets).mentions == (OTHER,)


def test_a_post_at_variance_with_the_schema_whose_words_are_no_text_is_unreadable():
    frame = v1({"facets": "none", "text": "acme XX"}).replace(b"XX", b"\xff\xfe")
    with pytest.raises(UnreadableError):
        heard(read_v1(frame))


def test_a_server_whose_clock_jumps_ahead_takes_no_cursor_with_it():
    reading = Reading("v1", "h", None, str(Place(NOON_US, "h")), PlayedClock(NOON))
    [said] = reading.hear(v1(REPLY, time_us=NOON_US + 86_400 * 10**6))
    assert Place.read(said.cursor).time_us <= NOON_US


async def test_a_server_that_lives_but_has_lost_the_network_is_given_up_for_another(other):
    async with Ears(Bluesky((other.host,), wire=other.wire, silent_s=0.1, quiet_s=0.5)) as ears:
        failed = await ears.fails()
    assert isinstance(failed, SourceDownError)
    assert "has said nothing for 0.5 s" in str(failed)
