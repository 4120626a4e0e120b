"""What became of one mention: shown only where nobody can have taken it away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from streams.core.intake import Intake, Policy, RawRecord
from streams.core.recall import words_of
from streams.core.removals import GONE
from streams.core.rules import load_rules
from streams.core.strip import ROW
from streams.core.versions import Versions
from streams.records import Hit, Mention, Origin, Sentiment, encode
from tests.core.test_intake import in_force

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
RULES = """
ruleset: r
brands:
  - {id: acme, role: own, match: acme}
  - {id: globex, match: globex}
issues:
  - {id: fire, match: burn*}
"""


def score_many(texts, langs, names):
    return [Sentiment("negative" if "burns" in text else "neutral") for text in texts]


def intake(*later: str, remembered: int = 1000, key: bytes = b"", rows=()) -> Intake:
    """Judging by RULES, or by those published later, the last of which is in force."""
    policy = Policy(timedelta(minutes=15), timedelta(minutes=5), 0.9, 1000, remembered, key)
    return in_force(Intake(2, Versions(*map(load_rules, (RULES, *later))), score_many, policy, rows))


def mention(name: str = "x:1", text: str | None = "my acme burns", **fields) -> Mention:
    return Mention(id=name, source="x", observed_at=fields.pop("observed_at", NOW), text=text, **fields)


class Log:
    """A raw partition, and intake reading it."""

    def __init__(self, intake: Intake) -> None:
        self.intake, self.records = intake, []

    def hear(self, *mentions: Mention) -> None:
        fresh = [RawRecord(len(self.records) + n, NOW, one.id.encode(), encode(one)) for n, one in enumerate(mentions)]
        self.records += fresh
        self.intake.judge(fresh)

    def recall(self, name: str = "x:1"):
        place = self.intake.recall.place_of(name)
        if isinstance(place, str):
            return place
        record = self.records[place]
        return self.intake.recall.retell(name, place, record.key, record.value)


@pytest.fixture
def log() -> Log:
    return Log(intake())


def deletion(name: str = "x:1", at: datetime = NOW) -> Mention:
    return Mention(id=name, source="x", observed_at=at, op="delete")


def removal(author: str, at: datetime = NOW) -> Mention:
    return Mention(id=f"x:{author}", source="x", observed_at=at, op="account_removed", author_id=author)


def test_a_mention_is_told_with_its_score_its_brands_and_the_words_that_say_why(log):
    log.hear(mention("x:0", "nothing"), mention())

    told = log.recall()

    assert (told.mention, told.origin, told.sentiment.label) == (mention(), Origin(0, 2, 1), "negative")
    [match] = told.matched.brands
    assert (match.brand, match.issues, told.told_to) == ("acme", ("fire",), ("acme",))
    assert [words_of(told.mention, hit) for hit in match.hits] == ["acme", "burns"]


def test_asking_changes_nothing(log):
    log.hear(mention())
    before, _ = log.intake.changed_rows(), log.recall()

    assert before
    assert log.intake.changed_rows() == []


@pytest.mark.parametrize("name", ["x:never", "x:0"])
def test_what_never_came_or_matched_nothing_is_unknown(log, name):
    log.hear(mention("x:0", "nothing"))
    assert log.recall(name) == "unknown"


def test_an_edited_mention_is_told_as_it_last_read(log):
    log.hear(mention(), mention(text="my globex, I mean", op="update"))

    told = log.recall()

    assert (told.mention.text, told.told_to) == ("my globex, I mean", ("globex",))


def test_an_edit_that_takes_every_brand_out_takes_the_mention_out(log):
    log.hear(mention(), mention(text="never mind", op="update"))
    assert log.recall() == "unmatched"


@pytest.mark.parametrize("minutes", [-60, 0, 1])
def test_what_was_deleted_is_not_told_whenever_that_was_witnessed(log, minutes):
    log.hear(mention(), deletion(at=NOW + timedelta(minutes=minutes)))
    assert log.recall() == "removed"


def test_what_a_removed_author_said_is_not_told_but_what_others_say_and_what_they_say_later_is(log):
    log.hear(mention(author_id="ann"), mention("x:2", author_id="bob"), removal("ann"))
    log.hear(mention("x:3", author_id="ann", observed_at=NOW + timedelta(minutes=1)))

    assert log.recall("x:1") == "removed"
    assert log.recall("x:2").mention.author_id == "bob"
    assert log.recall("x:3").mention.author_id == "ann"


def test_where_the_memory_of_removals_no_longer_reaches_back_nobody_claims_that_it_stands(log):
    log.hear(mention(), deletion("x:2"), *(deletion(f"y:{n}") for n in range(GONE - 2 * ROW)))
    assert log.recall().mention == mention(), "so many are remembered"

    log.hear(*(deletion(f"z:{n}") for n in range(3 * ROW)), mention("x:3"))

    assert log.recall() == "unsure"
    assert log.recall("x:3").mention.id == "x:3"


def test_under_another_author_key_nobody_knows_whether_the_author_was_removed():
    log = Log(intake(key=b"one"))
    log.hear(mention(author_id="ann"), mention("x:2"), removal("ann"))

    log.intake = intake(key=b"another", rows=log.intake.changed_rows())

    assert log.recall() == "unsure"
    assert log.recall("x:2").mention.id == "x:2", "it has no author who could have gone"


def test_what_the_log_no_longer_holds_has_expired(log):
    log.hear(mention(), mention("x:2"))
    other = log.records[1]

    for key, value in ((other.key, other.value), (b"x:1", b"{"), (b"x:1", encode(mention(text="acme, another log")))):
        assert log.intake.recall.retell("x:1", 0, key, value) == "expired"


def test_what_an_earlier_log_held_has_expired(log):
    log.hear(mention())
    log.intake.books.before = log.intake._memory.before = 1

    assert log.intake.recall.place_of("x:1") == "expired"


def test_a_mention_is_judged_by_the_rules_of_when_it_came_also_where_others_are_in_force_now(log):
    log.hear(mention())
    later = RULES.replace("match: acme", "match: acme AND fire")
    log.intake = intake(later, rows=log.intake.changed_rows())
    log.intake.adopt(1, 1)
    log.hear(mention("x:2", "my acme is on fire"))

    before, after = log.recall(), log.recall("x:2")

    assert ([one.brand for one in before.matched.brands], before.told_to) == (["acme"], ("acme",))
    assert [one.rules_version for one in (before, after)] == [load_rules(one).version for one in (RULES, later)]


@pytest.mark.parametrize(
    ("field", "start", "end", "words"),
    [("text", 3, 7, "acme"), ("image_text[1]", 0, 4, "acme"), ("image_text[7]", 0, 1, ""), ("no such", 0, 1, ""), ("title", 0, 1, "")],
)  # fmt: skip
def test_a_hit_names_its_words_in_whatever_field_it_is(field, start, end, words):
    said = replace(mention(), image_text=("a", "acme fire"))
    assert words_of(said, Hit("acme.match", start, end, field)) == words
