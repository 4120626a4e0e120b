"""Deliveries as rows: noted at once, worked off in the background, taken up again by the next owner."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import msgspec

from agents.notify import Courier, DeliveryDesk
from streams.core import deliveries
from streams.core.deliveries import Delivered, Retry
from streams.records import Alert, encode
from tests.samples import an_alert

HOUR = timedelta(hours=1)


def alert(step: int = 1, *, age: timedelta = timedelta(), change: str = "fired") -> Alert:
    at = datetime.now(UTC) - age
    status = "resolved" if change == "resolved" else "firing"
    return an_alert(status=status, change=change, step=step, at=at)


def record(one: Alert | None):
    return SimpleNamespace(key=b"a1", value=None if one is None else encode(one))


def desk(rows=()) -> DeliveryDesk:
    return DeliveryDesk(("log", "webhook"), HOUR, rows)


def due(one: DeliveryDesk) -> list[str]:
    return sorted(one.due(datetime.now(UTC) + timedelta(seconds=1)))


def test_each_notifier_is_owed_a_fired_alert_of_its_own():
    one = desk()
    one.handle([record(alert())], 0)

    assert due(one) == ["a1/log", "a1/webhook"]


def test_only_those_who_want_tickets_are_told_of_them_and_everybody_once_it_is_a_page():
    one = DeliveryDesk(("log", "webhook"), HOUR, tickets=("log",))
    one.handle([record(msgspec.structs.replace(alert(), urgency="ticket"))], 0)
    assert due(one) == ["a1/log"]

    one.handle([record(alert(2, change="updated"))], 0)

    assert due(one) == ["a1/log", "a1/webhook"]
    assert deliveries.to_send(one.rows["a1/webhook"]).change == "fired"


def test_a_replay_pages_nobody():
    one = desk()
    one.handle([record(alert(age=2 * HOUR))], 0)

    assert due(one) == []
    assert {row.reason for row in one.rows.values()} == {"too_old"}


def test_the_next_owner_takes_up_what_was_owed():
    first = desk()
    first.handle([record(alert())], 0)

    second = desk(first.changed_rows())

    assert due(second) == ["a1/log", "a1/webhook"]


def test_a_re_publication_changes_no_row():
    one = desk()
    one.handle([record(alert())], 0)
    one.changed_rows()

    one.handle([record(msgspec.structs.replace(alert(), change="refreshed"))], 0)

    assert one.changed_rows() == []


def test_a_tombstone_takes_the_deliveries_with_it():
    one = desk()
    one.handle([record(alert())], 0)
    one.handle([record(None)], 0)

    assert one.changed_rows() == [(b"a1/log", None), (b"a1/webhook", None)]


class Sink:
    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.heard: list[tuple[str, str]] = []

    async def deliver(self, alert, key):
        self.heard.append((alert.change, key))
        return self.outcomes.pop(0)


async def test_what_failed_is_tried_again_later_under_the_same_key():
    one, sink = DeliveryDesk(("log",), HOUR), Sink(Retry("down"), Delivered())
    courier = Courier(SimpleNamespace(desks=lambda: [(0, one)]), {"log": sink})
    one.handle([record(alert())], 0)

    await courier._deliver(one, "a1/log")
    waiting = one.rows["a1/log"]
    await courier._deliver(one, "a1/log")

    assert (waiting.state, waiting.reason) == ("pending", "retrying")
    assert waiting.next_at > datetime.now(UTC)
    assert one.rows["a1/log"].state == "delivered"
    assert [key for _, key in sink.heard] == ["a1.warning.log", "a1.warning.log"]


async def test_what_was_told_meanwhile_is_not_told_again():
    one, sink = DeliveryDesk(("log",), HOUR), Sink(Delivered())
    courier = Courier(SimpleNamespace(desks=lambda: [(0, one)]), {"log": sink})
    one.handle([record(alert())], 0)

    await courier._deliver(one, "a1/log")
    await courier._deliver(one, "a1/log")

    assert len(sink.heard) == 1


def test_after_a_crash_nobody_knows_whether_the_pager_heard_so_it_is_told_that_it_is_over():
    first = DeliveryDesk(("log",), HOUR)
    first.handle([record(alert())], 0)

    second = DeliveryDesk(("log",), HOUR, first.changed_rows())
    second.handle([record(alert(2, change="resolved"))], 0)

    assert due(second) == ["a1/log"]


async def test_a_desk_whose_partition_has_moved_on_tells_nobody():
    one, sink = DeliveryDesk(("log",), HOUR), Sink(Delivered())
    courier = Courier(SimpleNamespace(desks=list), {"log": sink})
    one.handle([record(alert())], 0)

    await courier._deliver(one, "a1/log")

    assert sink.heard == []
