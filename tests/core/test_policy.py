"""What the rules ask of detectors and of alerts, and the calendar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from streams.core.calendar import Event, Once, Weekly
from streams.core.policy import plans_of, policy_of
from streams.core.rules import RulesError, load_rules
from streams.records import Evidence, Finding

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
RULES = """\
ruleset: r
brands:
  - {id: dell, match: dell, timezone: America/Chicago}
  - {id: hp, match: hp}
issues:
  - {id: fire, match: fire, hazard: true}
  - {id: recall, match: recall, hazard: true, brands: [hp]}
  - {id: slow, match: slow}
"""


def rules(more: str):
    return load_rules(RULES + more)


def refused(more: str) -> str:
    with pytest.raises(RulesError) as wrong:
        rules(more)
    return str(wrong.value)


def finding(detector="volume", series="all", *, brand="dell", issues=(), at=AT, **seen) -> Finding:
    evidence = Evidence(**{"window_s": 1800, "observed": 40, "expected": 10, "score": 9} | seen)
    return Finding(
        brand=brand,
        detector=detector,
        series=series,
        episode=at,
        step=1,
        state="open",
        at=at,
        evidence=evidence,
        issues=issues,
    )


# watch


def test_every_word_of_detect_reaches_its_detector_and_series():
    policy = policy_of(
        rules("""\
watch:
  - {when: brand:dell, detect: volume, severity: info}
  - {when: brand:dell, detect: negativity, severity: critical}
  - {when: brand:dell, detect: hazard, severity: warning}
""")
    )

    assert policy.severity_of(finding()) == "info"
    assert policy.severity_of(finding("negativity", "negative")) == "critical"
    assert policy.severity_of(finding("hazard", "issue:fire")) == "warning"
    assert policy.severity_of(finding(brand="hp")) is None
    assert policy.severity_of(finding("unheard_of")) is None


def test_a_line_about_an_issue_covers_what_is_mostly_about_it_for_any_brand():
    policy = policy_of(rules("watch: [{when: issue:slow, detect: volume, severity: info}]"))

    assert policy.severity_of(finding(brand="hp", issues=("slow",))) == "info"
    assert policy.severity_of(finding(issues=("fire",))) is None
    assert policy.severity_of(finding(series="issue:slow")) == "info"


def test_a_hazard_is_watched_also_without_a_line_and_the_line_of_its_issue_says_more_than_its_brands():
    bare = rules("")
    asked = rules("""\
watch:
  - {when: brand:hp, detect: hazard, at_least: 5, within: 2h, severity: info}
  - {when: issue:recall, detect: hazard, at_least: 2, severity: critical}
""")

    assert policy_of(bare).severity_of(finding("hazard", "issue:fire")) == "warning"
    assert plans_of(bare)["hp"].hazards == {"fire": (3, 86_400), "recall": (3, 86_400)}
    assert plans_of(asked)["hp"].hazards == {"fire": (5, 7200), "recall": (2, 86_400)}
    assert plans_of(asked)["dell"].hazards == {"fire": (3, 86_400)}
    assert policy_of(asked).severity_of(finding("hazard", "issue:fire", brand="hp")) == "info"
    assert policy_of(asked).severity_of(finding("hazard", "issue:recall", brand="hp")) == "critical"


def test_detectors_learn_where_a_brand_is_at_home():
    assert {brand: plan.timezone for brand, plan in plans_of(rules("")).items()} == {
        "dell": "America/Chicago",
        "hp": "UTC",
    }


def test_the_most_impatient_line_decides_about_the_cool_down():
    policy = policy_of(
        rules("""\
watch:
  - {when: brand:dell, detect: volume, cooldown: 24h}
  - {when: issue:slow, detect: volume, cooldown: 2h}
  - {when: brand:hp, detect: volume}
""")
    )

    assert policy.cooldown_of(finding()) == timedelta(hours=24)
    assert policy.cooldown_of(finding(issues=("slow",))) == timedelta(hours=2)
    assert policy.cooldown_of(finding(brand="hp")) == timedelta()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "{when: issue:slow, detect: hazard}",
            "10:32: watch: issue slow is no hazard (hint: set hazard: true on the issue)",
        ),
        ("{when: issue:fire, detect: hazard, at_least: 101}", "10:50: watch: at_least: found 101, at most 100 allowed"),
        ("{when: issue:fire, detect: hazard, within: 30s}", "10:48: watch: within: expected from 1m to 30d"),
        (
            "{when: brand:dell, detect: volume, within: 1h}",
            "10:48: watch: within: is only for detect: hazard (hint: remove it)",
        ),
    ],
)
def test_a_watch_line_that_makes_no_sense_is_refused_with_its_place(line, told):
    assert refused(f"watch:\n  - {line}\n") == f"rules.yaml:{told}"


def test_a_line_given_twice_and_a_hazard_where_there_is_none_are_refused():
    twice = "watch:\n  - {when: brand:dell, detect: volume}\n  - {when: brand:dell, detect: volume, severity: info}\n"
    harmless = "ruleset: r\nbrands: [{id: dell, match: dell}]\nwatch: [{when: brand:dell, detect: hazard}]\n"

    assert "watch: brand:dell, detect: volume: is given twice (hint: keep one)" in refused(twice)
    with pytest.raises(RulesError, match="watch: brand dell has no hazard"):
        load_rules(harmless)


def test_more_hazards_of_one_brand_than_can_be_remembered_are_refused():
    issues = "".join(f"  - {{id: h{n}, match: word{n}, hazard: true}}\n" for n in range(33))

    with pytest.raises(RulesError, match="brand dell: 33 hazards, at most 32 allowed"):
        load_rules(f"ruleset: r\nbrands: [{{id: dell, match: dell}}]\nissues:\n{issues}")


# calendar

CHICAGO = ZoneInfo("America/Chicago")


def wall(*numbers: int) -> datetime:
    return datetime(*numbers)  # noqa: DTZ001  what the clock on the wall shows


def on(event: Event, *at: datetime, brand="dell", zone=CHICAGO) -> list[bool]:
    return [event.ends(brand, one, zone) is not None for one in at]


def local(day: int, hour: int, minute: int = 0, month: int = 3) -> datetime:
    return datetime(2026, month, day, hour, minute, tzinfo=CHICAGO)


def test_a_weekly_event_is_on_at_its_hours_of_the_brands_day_summer_and_winter():
    chat = Event("chat", Weekly(3, timedelta(hours=19), timedelta(hours=2)), mute=True)

    assert on(chat, local(5, 18, 59), local(5, 19), local(5, 20, 59), local(5, 21)) == [False, True, True, False]
    assert on(chat, local(12, 19), local(13, 19), local(4, 19)) == [True, False, False]
    assert chat.ends("dell", local(5, 19), CHICAGO) == datetime(2026, 3, 6, 3, 0, tzinfo=UTC)
    assert chat.ends("dell", local(12, 19), CHICAGO) == datetime(2026, 3, 13, 2, 0, tzinfo=UTC)


def test_a_weekly_event_may_last_beyond_midnight_and_beyond_sunday():
    party = Event("party", Weekly(6, timedelta(hours=22), timedelta(hours=5)), mute=True)

    assert on(party, local(8, 23), local(9, 2, 59), local(9, 3)) == [True, True, False]


def test_a_daily_event_is_on_each_day():
    night = Event("night", Weekly(None, timedelta(hours=22), timedelta(hours=4)), mute=True)

    assert on(night, local(5, 23), local(6, 1), local(6, 3), local(6, 22)) == [True, True, False, True]


def test_an_event_is_for_its_brands_and_its_days_only():
    launch = Event("launch", Once(wall(2026, 3, 3, 9), wall(2026, 3, 6)), frozenset({"dell"}), expect=3.0)

    assert on(launch, local(3, 8, 59), local(3, 9), local(5, 23, 59), local(6, 0)) == [False, True, True, False]
    assert on(launch, local(4, 9), brand="hp") == [False]


CALENDAR = """\
calendar:
  - {name: launch, brands: [dell], from: 2026-03-03 09:00, until: 2026-03-05, expect: 3x}
  - {name: "#DellChat", brands: [dell], every: Thu 19:00, for: 2h, mute: true}
  - {name: drill, from: 2026-07-01, until: 2026-07-01, mute: true, hazard: true}
"""


def test_the_calendar_of_a_rule_file_is_read_and_a_day_ends_with_it():
    launch, chat, drill = rules(CALENDAR).calendar

    assert (launch.when, launch.expect) == (Once(wall(2026, 3, 3, 9), wall(2026, 3, 6)), 3.0)
    assert (chat.when, chat.mute, chat.hazard) == (Weekly(3, timedelta(hours=19), timedelta(hours=2)), True, False)
    assert (drill.when, drill.brands, drill.hazard) == (Once(wall(2026, 7, 1), wall(2026, 7, 2)), None, True)


def test_the_calendar_speaks_the_brands_time_and_mutes_hazards_only_if_it_says_so():
    policy = policy_of(rules(CALENDAR))
    drill = datetime(2026, 7, 1, 23, tzinfo=UTC)

    assert policy.muting(finding(at=local(4, 12), observed=30)).why.startswith("known event: launch")
    assert policy.muting(finding(at=local(4, 12), observed=31)) is None
    assert policy.muting(finding("emerging_terms", "terms", at=local(4, 12), observed=3)) is None
    assert policy.muting(finding("hazard", "issue:fire", at=local(12, 20))) is None
    assert policy.muting(finding("hazard", "issue:fire", at=drill)).why == "known event: drill"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        (
            "{name: x, every: Thu 19:00, for: 2h}",
            "10:5: calendar x: expected one of expect: and mute: true (hint: expect: 3x, or mute: true)",
        ),
        (
            "{name: x, every: Thu 19:00, mute: true}",
            "10:5: calendar x: expected from: and until:, or every: and for: (hint: every: Thu 19:00, for: 2h)",
        ),
        (
            "{name: x, every: thursday, for: 2h, mute: true}",
            "10:22: calendar x: every: found 'thursday', expected a day and an hour such as Thu 19:00, or day 19:00",
        ),
        (
            "{name: x, every: day 19:00, for: 25h, mute: true}",
            "10:38: calendar x: for: is longer than until the next time (hint: shorten it)",
        ),
        (
            "{name: x, from: 2026-02-30, until: 2026-03-01, mute: true}",
            "10:21: calendar x: from: found '2026-02-30', expected a day such as 2026-03-03, or 2026-03-03 09:00 (hint: there is no such day)",
        ),
        ("{name: x, from: 2026-03-02, until: 2026-03-01, mute: true}", "10:40: calendar x: until: is not after from"),
        (
            "{name: x, every: Thu 19:00, for: 2h, expect: 0.5x}",
            "10:50: calendar x: expect: found '0.5x', expected how many times as much, such as 3x",
        ),
        (
            "{name: x, every: Thu 19:00, for: 2h, expect: 2x, hazard: true}",
            "10:62: calendar x: hazard: is only for mute: true (hint: remove it)",
        ),
        (
            "{name: x, brands: [del], every: Thu 19:00, for: 2h, mute: true}",
            "10:24: calendar x: brands: found 'del', expected one of dell, hp (hint: did you mean dell?)",
        ),
    ],
)
def test_a_calendar_entry_that_makes_no_sense_is_refused_with_its_place(entry, told):
    assert f"rules.yaml:{told}" in refused(f"calendar:\n  - {entry}\n").splitlines()
