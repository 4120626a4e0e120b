"""The watchdog's judgement: who has stood still for too long, and who has not."""

from __future__ import annotations

from streams.watchdog import Judge, Thing

PATIENCE_S = 120
RAW = "mentions.raw-0"


def stuck(mark: int = 7) -> dict[str, Thing]:
    return {RAW: Thing(mark, at_rest=False, waits="5 records wait", ingest=True)}


def resting(mark: int = 7) -> dict[str, Thing]:
    return {RAW: Thing(mark, at_rest=True, waits="0 records wait", ingest=True)}


def test_what_moves_is_well_however_long_it_takes():
    judge = Judge(PATIENCE_S, 0)

    for now_s in range(0, 10 * PATIENCE_S, 60):
        assert judge.look(now_s, stuck(mark=now_s), answered=True) == (0, [])


def test_what_is_at_rest_may_stand_still():
    judge = Judge(PATIENCE_S, 0)

    for now_s in range(0, 10 * PATIENCE_S, 60):
        assert judge.look(now_s, resting(), answered=True) == (0, [])


def test_a_worker_without_partitions_is_well():
    assert Judge(PATIENCE_S, 0).look(10 * PATIENCE_S, {}, answered=True) == (0, [])


def test_records_that_wait_while_nothing_moves_are_borne_with_patience_and_no_longer():
    judge = Judge(PATIENCE_S, 0)
    judge.look(0, stuck(), answered=True)

    assert judge.look(PATIENCE_S - 1, stuck(), answered=True) == (PATIENCE_S - 1, [])
    stalled_s, hung = judge.look(PATIENCE_S, stuck(), answered=True)

    assert stalled_s == PATIENCE_S
    assert hung == [f"{RAW} has stood still for 120 s, though the broker answers: 5 records wait"]


def test_a_partition_that_moves_at_last_is_forgiven():
    judge = Judge(PATIENCE_S, 0)
    judge.look(0, stuck(), answered=True)
    judge.look(PATIENCE_S - 1, stuck(), answered=True)

    assert judge.look(PATIENCE_S, stuck(mark=8), answered=True) == (0, [])


def test_patience_begins_when_records_begin_to_wait():
    judge = Judge(PATIENCE_S, 0)
    judge.look(0, resting(), answered=True)
    judge.look(1000, resting(), answered=True)

    assert judge.look(1001, stuck(), answered=True) == (1, [])


def test_a_silent_broker_is_waited_for_and_it_is_said_for_how_long():
    judge = Judge(PATIENCE_S, 0)
    judge.look(0, resting(), answered=True)

    for now_s in (10, PATIENCE_S, 10 * PATIENCE_S):
        assert judge.look(now_s, stuck(), answered=False) == (now_s, [])


def test_a_silent_broker_stalls_a_spare_worker_as_well():
    assert Judge(PATIENCE_S, 0).look(30, {}, answered=False) == (30, [])


def test_once_the_broker_is_back_patience_begins_anew_but_the_stall_is_told_in_full():
    judge = Judge(PATIENCE_S, 0)
    judge.look(0, stuck(), answered=True)
    judge.look(1000, stuck(), answered=False)

    assert judge.look(1002, stuck(), answered=True) == (1002, [])
    assert judge.look(1000 + PATIENCE_S, stuck(), answered=True).hung
    assert judge.look(1001 + PATIENCE_S, stuck(mark=8), answered=True) == (0, [])


def test_what_is_believed_to_be_at_rest_is_not_well_while_nobody_can_say_where_the_log_ends():
    judge = Judge(PATIENCE_S, 0)
    judge.look(0, resting(), answered=True)
    judge.look(60, resting(), answered=False)

    assert judge.look(61, stuck(), answered=True).stalled_s == 61


def test_what_is_no_ingest_is_judged_but_not_part_of_the_metric():
    judge = Judge(PATIENCE_S, 0)
    things = {"alerts-0": Thing(7, at_rest=False, waits="1 record waits")}
    judge.look(0, things, answered=True)

    stalled_s, hung = judge.look(PATIENCE_S, things, answered=True)

    assert stalled_s == 0
    assert len(hung) == 1


def test_a_partition_that_went_away_and_came_back_starts_afresh():
    judge = Judge(PATIENCE_S, 0)
    judge.look(0, stuck(), answered=True)
    judge.look(100, {}, answered=True)

    assert judge.look(200, stuck(), answered=True) == (0, [])
