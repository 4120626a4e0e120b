"""How two lists of incidents differ, and what an incident is remembered by."""

from __future__ import annotations

from datetime import timedelta

from agents.cli.incidents import Incidents, differences
from tests.samples import NOON, an_alert


def told(*alerts):
    incidents = Incidents()
    for alert in alerts:
        incidents.note(alert)
    return incidents.told()


def minutes(count: int):
    return NOON + timedelta(minutes=count)


def over(at, **fields):
    return an_alert(step=9, status="resolved", change="resolved", at=at, resolved_at=at, started_at=NOON, **fields)


def found(now, was):
    return [(one.change, one.now and one.now.fired.id, one.was and one.was.fired.id) for one in differences(now, was)]


def test_the_same_incidents_do_not_differ_whatever_their_evidence():
    other = an_alert(title="dell: 35 negative mentions in 30 min, 6 expected")
    assert found(told(an_alert()), told(other)) == []


def test_what_only_one_list_has_is_added_or_removed():
    assert found(told(an_alert(id="a")), []) == [("added", "a", None)]
    assert found([], told(an_alert(id="a"))) == [("removed", None, "a")]


def test_the_same_incident_at_another_time_or_more_severe_or_no_page_any_more_is_moved():
    was = told(an_alert())
    for changed in ({"at": minutes(5)}, {"severity": "critical"}, {"urgency": "ticket"}):
        assert found(told(an_alert(started_at=NOON, **changed)), was) == [("moved", "a1", "a1")]


def test_incidents_of_one_brand_that_overlap_are_the_same_one_under_another_id():
    was = told(an_alert(id="old"), over(minutes(60), id="old"))

    assert found(told(an_alert(id="new", at=minutes(30))), was) == [("moved", "new", "old")]
    assert found(told(an_alert(id="new", at=minutes(90))), was) == [("added", "new", None), ("removed", None, "old")]
    assert found(told(an_alert(id="new", brand="hp")), was) == [("added", "new", None), ("removed", None, "old")]


def test_a_ticket_that_became_a_page_is_shown_as_it_paged_and_with_all_that_was_heard_by_then():
    incidents = Incidents()
    for count in range(10):
        incidents.hear("dell", minutes(count))
    incidents.note(an_alert(urgency="ticket"))
    incidents.note(an_alert(step=2, change="updated", at=minutes(5), started_at=NOON, urgency="page"))
    incidents.note(over(minutes(50), severity="critical"))
    [one] = incidents.told()

    shown = one.as_record()
    assert (shown["urgency"], shown["step"], shown["severity"]) == ("page", 2, "warning")
    assert (shown["heard"], shown["steps"], shown["highest_severity"]) == (6, 9, "critical")
    assert shown["fired_at"] < shown["paged_at"] < shown["resolved_at"]
