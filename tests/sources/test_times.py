from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agents.sources.times import Placement, read_time

from .clocks import NOON


@pytest.mark.parametrize(
    ("stood", "meant"),
    [
        ("2015-02-24T19:35:52Z", datetime(2015, 2, 24, 19, 35, 52, tzinfo=UTC)),
        ("2015-02-24T11:35:52.250-08:00", datetime(2015, 2, 24, 19, 35, 52, 250_000, tzinfo=UTC)),
        ("2015-02-24 11:35:52 -0800", datetime(2015, 2, 24, 19, 35, 52, tzinfo=UTC)),
        ("Tue Oct 31 22:10:47 +0000 2017", datetime(2017, 10, 31, 22, 10, 47, tzinfo=UTC)),
        ("Sun Oct 01 23:10:47 +0200 2017", datetime(2017, 10, 1, 21, 10, 47, tzinfo=UTC)),
        ("1424806552", datetime(2015, 2, 24, 19, 35, 52, tzinfo=UTC)),
        ("1424806552250", datetime(2015, 2, 24, 19, 35, 52, 250_000, tzinfo=UTC)),
        (1424806552.25, datetime(2015, 2, 24, 19, 35, 52, 250_000, tzinfo=UTC)),
        ("2015-02-24 19:35:52", datetime(2015, 2, 24, 19, 35, 52, tzinfo=UTC)),
    ],
)
def test_the_usual_ways_to_write_a_time_are_read_as_utc(stood: object, meant: datetime) -> None:
    assert read_time(stood) == meant


@pytest.mark.parametrize(
    "stood", ["", "yesterday", "2015-02-30", "Tue Oct 31", "1e999", "9" * 400, "0001-01-01", None, [], True]
)
def test_what_is_no_time_is_none(stood: object) -> None:
    assert read_time(stood) is None


@pytest.mark.parametrize("speed", [None, 0.5, 1, 60, 100_000])
def test_shifted_times_never_run_ahead_of_the_clock_and_touch_it(speed: float | None) -> None:
    first = datetime(2015, 1, 1, tzinfo=UTC)
    played = [first + timedelta(hours=hours) for hours in range(49)]
    placement = Placement.of(played[0], played[-1], NOON, speed=speed, shifted=True)
    leaves = [NOON + timedelta(seconds=placement.wait_s(at, NOON)) for at in played]
    behind = [left - (at + placement.shift) for at, left in zip(played, leaves, strict=True)]
    assert min(behind) == timedelta()


def test_a_late_start_is_caught_up_so_that_nothing_drifts() -> None:
    first = datetime(2015, 1, 1, tzinfo=UTC)
    placement = Placement.of(first, first + timedelta(hours=1), NOON, speed=60, shifted=False)
    assert placement.wait_s(first + timedelta(minutes=30), NOON + timedelta(seconds=29)) == 1
