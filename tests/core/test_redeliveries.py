from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from streams.core.redeliveries import BLOCK, Redeliveries
from streams.records import Mention

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def mention(number: int, *, revision: str | None = None, op: str = "create", author: str = "ann") -> Mention:
    return Mention(id=f"x:{number}", source="x", observed_at=NOW, op=op, revision=revision, text="hi", author_id=author)


def reloaded(memory: Redeliveries, capacity: int = 100_000) -> Redeliveries:
    again = Redeliveries(capacity)
    for start, row in sorted(memory.changed_rows()):
        again.load(start, row)
    return again


def test_the_first_delivery_of_a_version_is_remembered():
    memory = Redeliveries(1000)
    memory.remember(mention(1), 10, ("dell",))

    assert memory.first_delivery(mention(1)) == 10
    assert memory.first_delivery(mention(2)) is None


def test_an_edit_is_another_version():
    memory = Redeliveries(1000)
    memory.remember(mention(1), 10, ("dell",))

    assert memory.first_delivery(mention(1, revision="2", op="update")) is None


def test_it_knows_the_brands_that_a_mention_stood_under_before_an_edit():
    memory = Redeliveries(1000)
    memory.remember(mention(1), 10, ("dell",))
    memory.remember(mention(1, revision="2", op="update"), 20, ("hp",))

    assert memory.brands_before("x:1", 20) == ("dell",)
    assert memory.brands_before("x:1", 21) == ("hp",)
    assert memory.brands_before("x:1", 10) == ()


def test_it_knows_every_brand_that_an_account_touched():
    memory = Redeliveries(1000)
    memory.remember(mention(1, author="ann"), 1, ("dell", "hp"))
    memory.remember(mention(2, author="bob"), 2, ("acme",))
    memory.remember(mention(3, author="ann"), 3, ("dell", "asus"))

    assert memory.brands_of_author("ann") == ("asus", "dell", "hp")
    assert memory.brands_of_author("nobody") == ()


def test_beyond_its_capacity_the_oldest_are_forgotten_counted_and_their_rows_removed():
    memory = Redeliveries(BLOCK)
    for number in range(2 * BLOCK + 1):
        memory.remember(mention(number), number, ("dell",))
        if number == BLOCK - 1:
            assert [start for start, row in memory.changed_rows() if row] == [0]

    assert memory.forgotten == 2 * BLOCK
    assert memory.first_delivery(mention(0)) is None
    assert memory.first_delivery(mention(2 * BLOCK)) == 2 * BLOCK
    assert (0, None) in memory.changed_rows()


@given(st.sets(st.integers(0, 400)))
def test_where_rows_begin_does_not_depend_on_when_they_were_written(checkpoints: set[int]):
    """Or rows of a worker that was cut off would overlap with those of the partition's new owner."""
    memory, starts = Redeliveries(10_000), set()
    for number in range(400):
        memory.remember(mention(number), number, ("dell",))
        if number in checkpoints:
            starts |= {start for start, _ in memory.changed_rows()}
    starts |= {start for start, _ in memory.changed_rows()}

    assert starts == set(range(0, 400, BLOCK))


@given(st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["a", "b"]), st.booleans()), max_size=200))
def test_after_a_reload_it_answers_as_before(steps: list[tuple[int, str, bool]]):
    memory = Redeliveries(100_000)
    saved: dict[int, bytes] = {}
    for offset, (number, revision, checkpoint) in enumerate(steps):
        if memory.first_delivery(mention(number, revision=revision)) is None:
            memory.remember(mention(number, revision=revision), offset, (f"brand{number % 3}",))
        if checkpoint:
            saved |= dict(memory.changed_rows())
    saved |= dict(memory.changed_rows())
    again = Redeliveries(100_000)
    for start, row in sorted(saved.items()):
        again.load(start, row)

    assert len(again) == len(memory)
    for number in range(21):
        for revision in "ab":
            one = mention(number, revision=revision)
            assert again.first_delivery(one) == memory.first_delivery(one)
        assert again.brands_before(f"x:{number}", 10**9) == memory.brands_before(f"x:{number}", 10**9)
