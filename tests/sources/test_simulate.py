from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
import yaml

from agents.sources.interface import Sourced, SourceError
from agents.sources.scenario import BUNDLED, Scenario, bundled
from agents.sources.simulate import Simulate
from agents.sources.teller import rate_per_hour
from streams.core.rules import load_rules
from streams.core.sentiment import Scorer
from streams.records import Mention

from .clocks import NOON, PlayedClock

if TYPE_CHECKING:
    from collections.abc import Sequence

DELL = Scenario.load("dell-batteries")
SHORT = msgspec.structs.replace(DELL, history_days=0.5)
LIVE = timedelta(minutes=DELL.live_min)


async def told(source: Simulate, *, until: datetime | None = None, cursor: str | None = None) -> list[Sourced]:
    records = []
    async for record in source.listen(cursor):
        records.append(record)
        if until is not None and read(record).ingested_at > until:
            break
    return records


def read(record: Sourced) -> Mention:
    return msgspec.json.decode(record.value, type=Mention)


@pytest.fixture(scope="module")
def whole() -> Sequence[Mention]:
    """The whole bundled story, once."""
    import asyncio

    return [read(record) for record in asyncio.run(told(Simulate(DELL, end=NOON, pace=False, clock=PlayedClock())))]


async def test_the_same_seed_tells_the_same_bytes() -> None:
    once, again = [await told(Simulate(SHORT, end=NOON, pace=False, clock=PlayedClock())) for _ in range(2)]
    assert once == again


async def test_another_seed_tells_another_story() -> None:
    other = msgspec.structs.replace(SHORT, seed=1)
    once, again = [await told(Simulate(each, end=NOON, pace=False, clock=PlayedClock())) for each in (SHORT, other)]
    assert once != again


async def test_another_end_moves_times_and_nothing_else() -> None:
    later = NOON + timedelta(days=3)
    once, again = [
        [read(r) for r in await told(Simulate(SHORT, end=end, pace=False, clock=PlayedClock()))]
        for end in (NOON, later)
    ]
    back = [
        msgspec.structs.replace(m, observed_at=m.observed_at - (later - NOON), posted_at=m.posted_at - (later - NOON))
        for m in again
    ]
    assert once == back


def test_two_ordinary_weeks_precede_five_hours(whole: Sequence[Mention]) -> None:
    assert timedelta(days=14) + LIVE - (whole[-1].observed_at - whole[0].observed_at) < timedelta(minutes=10)
    assert 30_000 < len(whole) < 60_000
    assert len(list(Simulate(DELL, end=NOON, clock=PlayedClock()).history())) == sum(
        m.observed_at < NOON - LIVE for m in whole
    )


def test_a_story_has_reposts_replies_edits_deletes_redeliveries_and_own_answers(whole: Sequence[Mention]) -> None:
    created = {mention.id: mention for mention in whole if mention.op == "create"}
    edits = [mention for mention in whole if mention.op == "update"]
    deletes = [mention for mention in whole if mention.op == "delete"]
    answers = [mention for mention in whole if mention.direction == "outbound"]
    assert edits
    assert deletes
    assert answers
    for after in (*edits, *deletes):
        assert after.observed_at > created[after.id].observed_at
    for answer in answers:
        assert answer.observed_at > created[answer.in_reply_to or ""].observed_at
        assert answer.author_id in {brand.own_account for brand in DELL.brands}
    assert all(edit.text != created[edit.id].text and edit.revision for edit in edits)
    assert all(delete.text is None for delete in deletes)
    assert any(mention.text and mention.text.startswith("RT @") for mention in whole)
    again = [(a, b) for a, b in pairwise(whole) if a.id == b.id]
    assert again
    assert all(a == b for a, b in again)


def test_the_incident_rises_from_its_start_and_is_over_in_time(whole: Sequence[Mention]) -> None:
    minutes = Counter()
    for mention in whole:
        if mention.text and "batter" in mention.text.casefold() and "Dell" in mention.text:
            minutes[(mention.observed_at - (NOON - LIVE)) // timedelta(minutes=25)] += 1
    assert sum(count for stretch, count in minutes.items() if stretch < 1) == 0
    assert minutes[2] > minutes[1] > 10
    assert sum(count for stretch, count in minutes.items() if stretch >= 4) == 0


def test_the_story_fits_its_rules_and_sounds_as_it_should(whole: Sequence[Mention]) -> None:
    rules = load_rules(Path(DELL.rules).read_text(encoding="utf-8"), where=DELL.rules)
    created = [mention for mention in whole if mention.op == "create"]
    matches = rules.match_many(created)
    fires = [
        mention for mention, match in zip(created, matches, strict=True) if any(brand.issues for brand in match.brands)
    ]
    assert min(mention.observed_at for mention in fires) >= NOON - LIVE + timedelta(
        minutes=DELL.incidents[0].starts_min
    )
    labels = Counter(
        each.label for each in Scorer().score_many([fire.text or "" for fire in fires], [None] * len(fires))
    )
    assert labels["negative"] > 0.8 * len(fires) > 40
    brands = Counter(brand.brand for match in matches for brand in match.brands if brand.role == "public")
    assert min(brands[brand.id] for brand in DELL.brands) > 5000
    assert any(brand.role == "own" for match in matches for brand in match.brands)
    assert any(match.excluded_by for match in matches)
    assert 0.05 < sum(not match.brands for match in matches) / len(matches) < 0.2


def test_a_surge_doubles_holds_halves_and_ends() -> None:
    surge = msgspec.structs.replace(
        DELL.incidents[0],
        onset_per_hour=10,
        doubling_min=10,
        peak_per_hour=40,
        hold_min=5,
        half_life_min=20,
        ends_min=60,
    )
    rates = [rate_per_hour(surge, minute) for minute in (-1, 0, 10, 20, 25, 45, 60)]
    assert rates == [0, 10, 20, 40, 40, 20, 0]


async def test_event_time_is_never_ahead_of_the_clock_and_meets_it_at_the_end_of_play() -> None:
    clock = PlayedClock()
    records = [
        read(r) for r in await told(Simulate(SHORT, clock=clock), until=NOON + timedelta(seconds=DELL.play_s + 600))
    ]
    lags = [mention.ingested_at - mention.observed_at for mention in records]
    assert min(lags) >= timedelta()
    assert max(lags[-5:]) < timedelta(seconds=1)
    live = [mention for mention in records if mention.observed_at >= NOON + timedelta(seconds=DELL.play_s) - LIVE]
    minute = [m for m in live if m.ingested_at and m.ingested_at < NOON + timedelta(seconds=60)]
    assert minute[-1].observed_at - minute[0].observed_at == pytest.approx(timedelta(hours=1), abs=timedelta(minutes=3))


async def test_a_slow_broker_delays_play_but_event_time_stays_behind_the_clock() -> None:
    clock = PlayedClock(costs=timedelta(milliseconds=50))
    records = [
        read(r) for r in await told(Simulate(SHORT, clock=clock), until=NOON + timedelta(seconds=DELL.play_s + 300))
    ]
    assert min(mention.ingested_at - mention.observed_at for mention in records) >= timedelta()


async def test_a_telling_that_was_stopped_midway_goes_on_at_its_pace() -> None:
    clock = PlayedClock()
    started = await told(Simulate(SHORT, clock=clock), until=NOON + timedelta(seconds=100))
    clock.slept_s = 0
    went_on = NOON + timedelta(days=1)
    rest = await told(
        Simulate(SHORT, clock=PlayedClock(went_on)), until=went_on + timedelta(seconds=200), cursor=started[-1].cursor
    )
    assert not {record.cursor for record in started} & {record.cursor for record in rest}
    assert all(read(record).ingested_at >= read(record).observed_at for record in rest)
    assert read(rest[0]).ingested_at == went_on


def test_all_bundled_scenarios_load_with_their_rules() -> None:
    assert "dell-batteries" in bundled()
    for name in bundled():
        assert Scenario.load(name).rules.endswith(f"{name}.rules.yaml")


def changed(tmp_path: Path, **changes: object) -> Path:
    path = tmp_path / "mine.yaml"
    content = yaml.safe_load((BUNDLED / "dell-batteries.yaml").read_text()) | {
        "rules": str(BUNDLED / "dell-batteries.rules.yaml")
    }
    path.write_text(yaml.safe_dump(content | changes))
    return path


def test_a_scenario_of_ones_own_is_loaded_by_its_path(tmp_path: Path) -> None:
    assert Scenario.load(changed(tmp_path, seed=5)).seed == 5


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": "lucky"}, r"Expected `int`.*\$\.seed"),
        ({"sede": 1}, "sede"),
        ({"speed": 0.5}, r"\$\.speed"),
        ({"sources": {}}, "sources"),
        ({"words": {}}, "no list of words for {heat|no list of words"),
        ({"rules": "nowhere.yaml"}, "nowhere.yaml does not exist"),
        ({"notify_max_age_s": 60}, "would not be sent"),
        ({"brands": [{"id": "hp"}]}, r"\$\.brands\[0\]"),
        ({"incidents": [msgspec.to_builtins(DELL.incidents[0]) | {"brand": "acme"}]}, "no brand 'acme'.*dell"),
    ],
)
def test_a_wrong_scenario_is_refused_with_the_file_and_the_place(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(SourceError, match=rf"(?s)mine\.yaml.*({told})"):
        Scenario.load(changed(tmp_path, **changes))


def test_a_scenario_that_does_not_exist_is_refused_with_those_that_do() -> None:
    with pytest.raises(SourceError, match=r"moon-landing.*dell-batteries"):
        Scenario.load("moon-landing")
