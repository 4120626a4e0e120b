from __future__ import annotations

import copy
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.alerting import (
    MOST_OPEN,
    REMEMBERED,
    SILENCE,
    BrandAlerts,
    due,
    on_finding,
    on_removal,
    on_rule_removed,
    on_time,
)
from streams.core.calendar import Event, Once
from streams.core.policy import EBBS, Policy, Watch
from streams.core.telling import title
from streams.records import Alert, Evidence, Finding, Origin, Removal, Sample, Term

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
QUIET = timedelta(minutes=15)
POLICY = Policy(
    (Watch("volume", "warning"), Watch("hazard", "critical", series="issue:*"), Watch("emerging_terms", "warning")),
    quiet=QUIET,
)
ABOUT = ("nature", "terms", "mentions", "issues")


def minutes(n: float) -> timedelta:
    return timedelta(minutes=n)


def sample(id_: str, author: str | None = None) -> Sample:
    return Sample(id=id_, text=f"text of {id_}", observed_at=NOON, sentiment="negative", author_id=author)


def finding(step=1, *, at=0.0, state="open", detector="volume", series="negative", episode=0.0, **evidence) -> Finding:
    about = {name: evidence.pop(name) for name in ABOUT if name in evidence}
    shown = {"window_s": 1800, "observed": 34, "expected": 6, "score": 20.0, "authors": 25, **evidence}
    return Finding(
        **about,
        brand="dell",
        detector=detector,
        series=series,
        episode=NOON + minutes(episode),
        step=step,
        state=state,
        at=NOON + minutes(at),
        evidence=Evidence(**shown),
    )


def hazard(step=1, *, issue="battery_fire", **fields) -> Finding:
    usual = {"observed": 3, "expected": 0.1, "window_s": 86_400, "authors": 3, "issues": (issue,)}
    return finding(step, detector="hazard", series=f"issue:{issue}", **usual | fields)


def terms(*said: str, **fields) -> Finding:
    return finding(detector="emerging_terms", series="terms", terms=said, **fields)


def alert_of(state: BrandAlerts) -> Alert | None:
    """The only open one."""
    [found] = [one.alert for one in state.open.values()] or [None]
    return found


def opened(**fields) -> BrandAlerts:
    state = BrandAlerts()
    on_finding(state, finding(**fields), POLICY)
    return state


def lived(events, policy=POLICY):
    """Run findings and times (minutes past noon) in order; returns the state and all that was published."""
    state, published = BrandAlerts(), []
    for event in events:
        published += on_finding(state, event, policy) if isinstance(event, Finding) else on_time(state, event)
    return state, published


# the life


def test_the_first_finding_fires_an_alert_that_says_what_and_how_much():
    [alert] = on_finding(BrandAlerts(), finding(at=2), POLICY)

    assert (alert.status, alert.change, alert.step, alert.severity) == ("firing", "fired", 1, "warning")
    assert alert.title == "dell: 34 negative mentions in 30 min, 6 expected"
    assert (alert.started_at, alert.at) == (NOON, NOON + minutes(2))
    assert alert.detectors == ("volume/negative",)
    assert alert.evidence.score == 20.0


def test_a_finding_nobody_watches_alerts_nobody_but_is_remembered():
    state = opened(detector="unheard_of")

    assert state.open == {}
    assert len(state.episodes) == 1


def test_a_watch_may_be_for_one_brand_or_one_series_only():
    policy = Policy((Watch("volume", "info", brand="hp"), Watch("volume", "critical", brand="dell", series="all")))

    assert policy.severity_of(msgspec.structs.replace(finding(), brand="hp")) == "info"
    assert policy.severity_of(finding()) is None
    assert policy.severity_of(finding(series="all")) == "critical"


def test_where_two_watches_cover_a_finding_the_graver_one_counts():
    policy = Policy((Watch("volume", "critical", brand="dell"), Watch("volume", "info")))

    assert policy.severity_of(finding(series="all")) == "critical"


def test_what_is_found_while_an_incident_is_open_joins_it():
    state = opened()

    [alert] = on_finding(state, finding(detector="volume", series="all", at=3, episode=1, score=25.0), POLICY)

    assert (alert.change, alert.step) == ("updated", 2)
    assert alert.detectors == ("volume/negative", "volume/all")
    assert alert.started_at == NOON


def test_evidence_and_title_are_those_of_the_strongest_finding():
    state = opened(score=20.0)

    [stronger] = on_finding(state, finding(2, at=1, score=28.0, observed=50), POLICY)
    [weaker] = on_finding(state, finding(series="all", at=2, score=12.0, observed=90), POLICY)

    assert (stronger.evidence.score, stronger.title) == (28.0, "dell: 50 negative mentions in 30 min, 6 expected")
    assert (weaker.evidence, weaker.title) == (stronger.evidence, stronger.title)


def test_a_step_that_shows_nothing_new_publishes_nothing():
    assert on_finding(opened(score=20.0), finding(2, at=0.5, score=15.0), POLICY) == []


def test_many_angry_people_make_it_critical_and_it_never_gets_better_while_open():
    state = opened()

    grave = {"score": 40.0, "observed": 90, "authors": 80, "negative_share": 0.8, "doubling_min": 10}
    [worse] = on_finding(state, finding(2, at=1, **grave), POLICY)
    [after] = on_finding(state, finding(3, at=2, **grave | {"score": 41.0, "negative_share": 0.1}), POLICY)

    assert (worse.severity, after.severity) == ("critical", "critical")
    assert after.gravity == worse.gravity > 6


def test_a_hazard_is_as_grave_as_its_watch_says():
    [alert] = on_finding(BrandAlerts(), hazard(), POLICY)

    assert alert.severity == "critical"
    assert alert.title == "dell: 3 people on battery fire in 1 d, 0.1 expected"


def test_it_is_resolved_when_all_its_episodes_have_been_over_for_a_while():
    state = opened()
    on_finding(state, finding(series="all", at=1), POLICY)
    on_finding(state, finding(2, at=10, state="over"), POLICY)
    assert [alert.change for alert in on_time(state, NOON + minutes(59))] == ["refreshed"]
    on_finding(state, finding(2, series="all", at=60, state="over"), POLICY)

    assert [alert.change for alert in on_time(state, NOON + minutes(74))] == ["refreshed"]
    [alert] = on_time(state, NOON + minutes(75))

    assert (alert.status, alert.change, alert.resolved_at) == ("resolved", "resolved", NOON + minutes(75))
    assert state.open == {}


def test_a_burst_that_ebbs_and_returns_is_one_incident():
    state = opened()
    on_finding(state, finding(2, at=10, state="over"), POLICY)

    on_finding(state, finding(at=20, episode=20, score=22.0), POLICY)

    assert on_time(state, NOON + minutes(26))[0].change == "refreshed"
    assert alert_of(state).step == 2


def test_a_finding_after_the_resolve_was_due_is_a_new_incident_even_if_nobody_told_the_time():
    state = opened()
    first = alert_of(state)
    on_finding(state, finding(2, at=10, state="over"), POLICY)

    resolved, fired = on_finding(state, finding(at=120, episode=119), POLICY)

    assert (resolved.id, resolved.change, resolved.at) == (first.id, "resolved", NOON + minutes(25))
    assert (fired.change, fired.step) == ("fired", 1)
    assert fired.id != first.id


def test_an_open_alert_is_published_again_each_minute_with_the_same_step():
    state = opened()

    [early] = on_time(state, NOON + minutes(1))
    [late] = on_time(state, NOON + minutes(5.5))

    assert (early.change, early.step, early.at) == ("refreshed", 1, NOON + minutes(1))
    assert (late.step, late.at) == (1, NOON + minutes(5))
    assert on_time(state, NOON + minutes(5.9)) == []


def test_an_alert_whose_detector_fell_silent_for_good_does_not_stay_open_for_ever():
    state = opened()

    [alert] = on_time(state, NOON + SILENCE + QUIET)

    assert alert.change == "resolved"
    assert on_finding(state, finding(2, at=8 * 24 * 60), POLICY) == [], "an episode pages once"


def test_due_says_when_there_is_something_to_do():
    state = opened()
    assert due(BrandAlerts()) is None
    assert due(state) == NOON + minutes(1)
    on_finding(state, finding(2, at=0.5, state="over"), Policy(POLICY.watches, quiet=minutes(0.1)))
    assert due(state) == NOON + minutes(0.6)
    on_time(state, NOON + minutes(0.6))
    assert due(state) == NOON + minutes(0.5) + REMEMBERED
    on_time(state, NOON + minutes(0.5) + REMEMBERED)
    assert due(state) is None
    assert state.episodes == {}


# which belong together


@pytest.mark.parametrize(
    "later",
    [
        hazard(issue="recall", issues=("battery_fire", "recall"), at=50),
        terms("flames", "battery", at=50, issues=("battery_fire",)),
        terms("smoke", at=50, mentions=("x:1", "x:9", "x:8")),
        finding(at=50),
    ],
    ids=["the same issue", "the same issue in words", "the same mentions", "negative mentions within the hour"],
)
def test_a_related_finding_joins_the_incident_and_pages_nobody_again(later):
    state = BrandAlerts()
    [fired] = on_finding(state, hazard(mentions=("x:1", "x:2", "x:3")), POLICY)

    [updated] = on_finding(state, later, POLICY)

    assert (updated.id, updated.change, updated.severity) == (fired.id, "updated", "critical")


def test_two_unrelated_incidents_of_one_brand_at_the_same_time_are_two_alerts_with_a_life_each():
    state = BrandAlerts()
    [fire] = on_finding(state, hazard(), POLICY)
    [outage] = on_finding(state, terms("login", "outage", at=5, episode=5), POLICY)
    on_finding(state, terms(step=2, at=9, episode=5, state="over"), POLICY)

    published = on_time(state, NOON + minutes(30))

    assert (fire.change, outage.change) == ("fired", "fired")
    assert {(alert.id, alert.change) for alert in published} == {(fire.id, "refreshed"), (outage.id, "resolved")}


def test_a_hazard_pages_by_itself_while_a_storm_about_something_else_is_open():
    state = opened()

    [alert] = on_finding(state, hazard(at=1), POLICY)

    assert (alert.change, alert.urgency, len(state.open)) == ("fired", "page", 2)


def test_a_storm_is_related_to_what_stands_out_in_its_words():
    state = opened(series="all")
    words = Evidence(
        window_s=1800, observed=40, expected=6, score=9, terms=(Term("battery", 9, 12.0), Term("my", 30, 1.1))
    )
    on_finding(state, msgspec.structs.replace(finding(2, series="all", at=1), evidence=words), POLICY)

    [joined] = on_finding(state, terms("battery", at=2), POLICY)
    [apart] = on_finding(state, terms("my", at=3, episode=2), POLICY)

    assert (joined.change, apart.change) == ("updated", "fired")


def test_what_comes_much_later_and_shares_nothing_is_another_incident():
    state = opened()

    [alert] = on_finding(state, finding(series="all", at=90, episode=90), POLICY)

    assert (alert.change, len(state.open)) == ("fired", 2)


def test_a_brand_has_few_incidents_open_and_a_ticket_makes_room_before_a_page_does():
    state = BrandAlerts()
    for n in range(MOST_OPEN):
        nature = "flood" if n == 3 else "trouble"
        on_finding(state, terms(f"word{n}", at=n, episode=n, nature=nature), POLICY)

    gone, fired = on_finding(state, hazard(at=20), POLICY)

    assert (gone.change, gone.nature, fired.change) == ("resolved", "flood", "fired")
    assert len(state.open) == MOST_OPEN


# pages and tickets


@pytest.mark.parametrize("nature", ["praise", "flood", "notable"])
def test_what_is_no_trouble_is_a_ticket_of_its_own_kind_however_big(nature):
    big = {"observed": 900, "authors": 500, "negative_share": 0.9, "doubling_min": 3}

    [alert] = on_finding(BrandAlerts(), finding(nature=nature, **big), POLICY)

    assert (alert.urgency, alert.nature, alert.severity) == ("ticket", nature, "info")


def test_a_ticket_that_gains_trouble_becomes_a_page_once_and_stays_one():
    state = opened(nature="notable", series="all")

    [page] = on_finding(state, finding(at=5, score=10.0), POLICY)
    [more] = on_finding(state, finding(2, series="all", nature="notable", at=6, score=50.0, observed=99), POLICY) or [
        page
    ]

    assert (page.urgency, page.nature, page.change, page.severity) == ("page", "trouble", "updated", "warning")
    assert page.title == "dell: 34 negative mentions in 30 min, 6 expected"
    assert (more.urgency, more.nature) == ("page", "trouble")


def test_counts_that_are_loud_with_what_is_known_for_a_flood_page_nobody():
    state = BrandAlerts()
    on_finding(state, terms("boycott", nature="flood"), POLICY)
    seen = Evidence(window_s=1800, observed=40, expected=6, score=9, terms=(Term("boycott", 20.0, 50.0),))

    on_finding(state, msgspec.structs.replace(finding(at=5, episode=5), evidence=seen), POLICY)

    assert (alert_of(state).urgency, alert_of(state).nature) == ("ticket", "flood")


def test_counts_beside_a_flood_that_are_loud_with_something_else_page():
    state = BrandAlerts()
    on_finding(state, terms("boycott", nature="flood"), POLICY)

    [alert] = on_finding(state, finding(at=5, episode=5), POLICY)

    assert (alert.change, alert.urgency) == ("fired", "page")


def test_praise_and_trouble_of_the_same_hour_are_two_alerts():
    state = opened(nature="praise", series="all")

    [alert] = on_finding(state, finding(at=5), POLICY)

    assert (alert.change, alert.urgency) == ("fired", "page")


# known events and cool-downs

LAUNCH = Event("launch", Once(NOON.replace(tzinfo=None), (NOON + minutes(60)).replace(tzinfo=None)), expect=6)
CHAT = Event("#DellChat", LAUNCH.when, mute=True)


def with_event(event: Event) -> Policy:
    return Policy(POLICY.watches, quiet=QUIET, calendar=(event,))


def test_in_a_muted_hour_a_storm_is_a_ticket_that_says_why_and_a_hazard_pages():
    [muted] = on_finding(BrandAlerts(), finding(at=5), with_event(CHAT))
    [page] = on_finding(BrandAlerts(), hazard(at=5), with_event(CHAT))

    assert (muted.urgency, muted.nature, muted.muted_by) == ("ticket", "trouble", "known event: #DellChat")
    assert (page.urgency, page.muted_by) == ("page", "")


def test_during_an_event_only_more_than_is_expected_of_it_pages():
    state = BrandAlerts()

    [muted] = on_finding(state, finding(at=5, observed=36), with_event(LAUNCH))
    [page] = on_finding(state, finding(2, at=6, observed=37), with_event(LAUNCH))

    assert (muted.urgency, muted.muted_by) == ("ticket", "known event: launch, of which 6 times the usual is expected")
    assert (page.id, page.urgency, page.muted_by, page.change) == (muted.id, "page", "", "updated")


def test_what_the_window_still_holds_of_an_event_counts_as_the_events():
    [just_after] = on_finding(BrandAlerts(), finding(at=80, episode=80), with_event(CHAT))
    [later] = on_finding(BrandAlerts(), finding(at=91, episode=91), with_event(CHAT))

    assert (just_after.urgency, later.urgency) == ("ticket", "page")


def test_a_storm_that_goes_on_long_after_its_event_pages_by_itself():
    policy, state = with_event(CHAT), BrandAlerts()
    on_finding(state, finding(at=5), policy)

    assert {alert.urgency for alert in on_time(state, NOON + minutes(149))} == {"ticket"}
    [page, *_] = on_time(state, NOON + minutes(60) + EBBS)

    assert (page.urgency, page.change, page.muted_by, page.at) == ("page", "updated", "", NOON + minutes(150))


def test_a_storm_that_ends_with_its_event_never_pages():
    policy, state = with_event(CHAT), BrandAlerts()
    on_finding(state, finding(at=5), policy)
    published = on_finding(state, finding(2, at=110, state="over"), policy) + on_time(state, NOON + minutes(600))

    assert {alert.urgency for alert in published} == {"ticket"}
    assert published[-1].change == "resolved"


def cooled(**later):
    """A storm, over after ten minutes, and another one five hours later; the line wants a day of rest in between."""
    policy = Policy((Watch("volume", "warning", cooldown=timedelta(days=1)),), quiet=QUIET)
    _, published = lived([finding(), finding(2, at=10, state="over"), finding(at=300, episode=300, **later)], policy)
    return settled(published)[-1]


def test_in_its_cool_down_a_line_pages_no_more_and_the_ticket_says_since_when():
    again = cooled()

    assert (again.change, again.urgency) == ("fired", "ticket")
    assert again.muted_by == "cool-down: part of a page at 2026-11-21 12:00 UTC"


def test_what_is_graver_than_before_pages_in_a_cool_down_too():
    assert cooled(observed=90, authors=80, negative_share=0.8, doubling_min=10).urgency == "page"


def test_once_the_cool_down_is_over_it_pages_again():
    policy = Policy((Watch("volume", "warning", cooldown=timedelta(hours=4)),), quiet=QUIET)
    _, published = lived([finding(), finding(2, at=10, state="over"), finding(at=300, episode=300)], policy)

    assert settled(published)[-1].urgency == "page"


# removals


def removal(**fields) -> Removal:
    return Removal(origin=Origin(1, 0, 7), why="deleted", observed_at=NOON + minutes(3), **fields)


@pytest.mark.parametrize("of", [{"id": "bluesky:1"}, {"author_id": "did:ann"}])
def test_a_deleted_post_or_a_removed_account_vanishes_from_the_evidence(of):
    state = opened(samples=(sample("bluesky:1", "did:ann"), sample("bluesky:2", "did:bob"), sample("bluesky:3")))

    [alert] = on_removal(state, removal(**of))

    assert (alert.change, alert.step, alert.at) == ("updated", 2, NOON + minutes(3))
    assert [kept.id for kept in alert.evidence.samples] == ["bluesky:2", "bluesky:3"]
    assert alert.evidence.observed == 34, "counts are history"


def test_a_removal_that_concerns_nothing_shown_or_comes_twice_changes_nothing():
    state = opened(samples=(sample("bluesky:1"), sample("bluesky:2", "did:bob")))

    assert on_removal(state, removal(id="bluesky:9")) == []
    assert len(on_removal(state, removal(id="bluesky:1"))) == 1
    assert on_removal(state, removal(id="bluesky:1")) == []
    assert on_removal(BrandAlerts(), removal(id="bluesky:1")) == []


def test_a_resolved_alert_shows_nobodys_words():
    state = opened(samples=(sample("bluesky:1"),))
    on_finding(state, finding(2, at=10, state="over"), POLICY)

    [alert] = on_time(state, NOON + minutes(25))

    assert alert.evidence.samples == ()
    assert alert.evidence.observed == 34


# at least once

EVENTFUL = Policy(
    (
        Watch("volume", "warning", series="all", cooldown=timedelta(days=1)),
        Watch("volume", "warning", series="negative"),
        Watch("emerging_terms", "info"),
    ),
    quiet=QUIET,
    calendar=(CHAT,),
)


@st.composite
def histories(draw) -> list[Finding]:
    """Findings of a few series in the order of their times: steps grow, an over ends an episode."""
    episodes: dict[str, tuple[int, float]] = {}
    at, told = 0.0, []
    for _ in range(draw(st.integers(1, 14))):
        at += draw(st.sampled_from([0.5, 3.0, 14.0, 16.0, 90.0, 1500.0]))
        series = draw(st.sampled_from(["all", "negative", "unwatched", "terms"]))
        step, start = episodes.pop(series, (0, at))
        over = step > 0 and draw(st.booleans())
        if not over:
            episodes[series] = (step + 1, start)
        detector = {"unwatched": "other", "terms": "emerging_terms"}.get(series, "volume")
        score = draw(st.sampled_from([12.0, 20.0, 35.0]))
        told.append(
            finding(
                step + 1,
                at=at,
                episode=start,
                detector=detector,
                series=series,
                score=score,
                negative_share=0.6,
                nature=draw(st.sampled_from(["trouble", "trouble", "notable", "flood"])),
                terms=draw(st.sampled_from([("battery", "fire"), ("login",)])) if series == "terms" else (),
                state="over" if over else "open",
            )
        )
    return told


def settled(published):
    return [alert for alert in published if alert.change != "refreshed"]


@settings(max_examples=150)
@given(histories(), st.data())
def test_findings_said_again_change_nothing_whenever_that_is(history, data):
    heard = []
    for n, one in enumerate(history):
        heard.append(one)
        heard += data.draw(st.lists(st.sampled_from(history[: n + 1]), max_size=3))

    assert lived(heard, EVENTFUL) == lived(history, EVENTFUL)


@settings(max_examples=150)
@given(histories(), st.lists(st.floats(0, 4000), max_size=20))
def test_one_jump_in_time_or_many_small_steps_come_to_the_same(history, wakes):
    end = max(history[-1].at, NOON + minutes(4000)) + SILENCE + QUIET + REMEMBERED
    asked = [NOON + minutes(wake) for wake in wakes]
    stepwise = sorted([*history, *asked], key=lambda event: event.at if isinstance(event, Finding) else event)

    state, published = lived([*stepwise, end], EVENTFUL)
    jumped, published_at_once = lived([*history, end], EVENTFUL)

    assert settled(published) == settled(published_at_once)
    assert state == jumped
    assert state.open == {}


@given(histories())
def test_waking_when_due_is_enough(history):
    state, published = BrandAlerts(), []
    for one in history:
        for _ in range(5):
            wake = due(state)
            if wake is not None and wake < one.at:
                before = copy.deepcopy(state)
                published += on_time(state, wake)
                assert state != before
        published += on_finding(state, one, EVENTFUL)

    assert settled(published) == settled(lived(history, EVENTFUL)[1])


@given(histories())
def test_a_life_has_steps_without_gaps_and_an_id_fires_once(history):
    _, published = lived([*history, history[-1].at + SILENCE + QUIET], EVENTFUL)
    lives: dict[str, list] = {}
    for alert in settled(published):
        lives.setdefault(alert.id, []).append(alert)

    for life in lives.values():
        assert [alert.step for alert in life] == list(range(1, len(life) + 1))
        assert [alert.change for alert in life].count("fired") == 1
        assert life[-1].change == "resolved"
        assert all(one.at <= two.at for one, two in pairwise(life))


@given(histories())
def test_a_row_read_back_is_the_row_written_at_every_step(history):
    state = BrandAlerts()
    for one in history:
        on_finding(state, one, POLICY)
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(state), type=BrandAlerts) == state


def test_an_old_finding_said_again_after_it_was_forgotten_still_pages_nobody():
    state, _ = lived([finding(), finding(2, at=5, state="over"), NOON + timedelta(days=3)])
    assert state.episodes == {}

    assert on_finding(state, finding(), POLICY) == []
    assert on_finding(state, finding(at=4000, episode=4000), POLICY) != []


def test_forgetting_an_episode_does_not_deafen_to_a_new_one_that_is_a_little_late():
    state, _ = lived([finding(), finding(2, at=5, state="over"), NOON + minutes(5) + REMEMBERED])
    assert state.episodes == {}

    assert on_finding(state, finding(at=24 * 60, episode=24 * 60 - 1), POLICY) != []


def test_a_step_dated_before_the_one_it_follows_opens_no_gap_for_re_sends():
    state, _ = lived([finding(at=5), finding(2, at=3, state="over"), NOON + timedelta(days=3)])

    assert on_finding(state, finding(at=5), POLICY) == []


def test_an_id_depends_on_what_was_found_first_and_on_nothing_else():
    ids = {
        on_finding(BrandAlerts(), one, POLICY)[0].id
        for one in (finding(), finding(3, at=9, score=99.0), msgspec.structs.replace(finding(), detector_version="2"))
    }
    other = on_finding(BrandAlerts(), finding(episode=1), POLICY)[0].id

    assert len(ids) == 1
    assert other not in ids


def test_a_title_is_one_safe_line_whatever_a_series_is_called():
    line = title(finding(series="term:\x1b[31mfree\nmoney\u202e", observed=1234.0, expected=3.25, window_s=90))

    assert line == "dell: 1234 mentions of free money in 90 s, 3.2 expected"


def test_an_alert_of_a_brand_that_left_the_rules_is_resolved_and_says_so():
    state = opened(samples=(sample("x:1"),))

    [alert] = on_rule_removed(state, NOON + minutes(5))

    assert (alert.status, alert.change, alert.resolved_because) == ("resolved", "resolved", "rule_removed")
    assert (alert.resolved_at, alert.evidence.samples) == (NOON + minutes(5), ())
    assert on_rule_removed(state, NOON + minutes(6)) == []
    assert due(state) is None


def test_what_a_brand_did_before_it_left_the_rules_opens_nothing_when_it_is_told_again():
    state = opened(at=3)
    on_rule_removed(state, None)

    assert on_finding(state, finding(at=3), POLICY) == []
    assert on_finding(state, finding(at=90, episode=90), POLICY)[0].change == "fired"


def test_an_alert_that_is_over_by_itself_says_so():
    state = opened()
    on_finding(state, finding(2, at=10, state="over"), POLICY)

    [alert] = on_time(state, NOON + minutes(60))

    assert alert.resolved_because == "over"
