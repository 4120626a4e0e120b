import math

import pytest

from streams.core.servicelexicon import LexiconError, read, service_lexicon
from streams.core.servicewords import key_of
from streams.core.vader import Vader

LEXICON = service_lexicon()
MOST_ENTRIES = 400


@pytest.fixture(scope="module")
def service():
    from streams.core.service import Service

    return Service(Vader())


@pytest.mark.parametrize("entry", LEXICON.entries, ids=lambda entry: entry.phrase[:40])
def test_every_entry_counts_in_its_own_sentence(entry, service):
    felt = []
    words = [word for chunk in entry.test.split() for word in service._words[chunk]]
    keys = [word.key for word in words]
    for at, word in enumerate(words):
        if word.node and (found := service.lexicon.find(word.node, keys, at + 1)):
            felt.append(found[1].entry)
        elif (alone := service.lexicon.words.get(word.key)) is not None:
            felt.append(alone)
    assert entry in felt, f"{entry.test!r} has {[one.phrase for one in felt]}"


@pytest.mark.parametrize(
    "entry", [one for one in LEXICON.entries if abs(one.valence) >= 1.5], ids=lambda entry: entry.phrase[:40]
)
def test_a_strong_entry_s_sentence_feels_as_the_entry_says(entry, service):
    assert math.copysign(1, service.score(entry.test, ()).compound) == math.copysign(1, entry.valence)


def test_no_entry_is_a_name_of_a_company():
    words = {key_of(word) for entry in LEXICON.entries for token in entry.phrase.split() for word in token.split("|")}
    assert not words & {"united", "southwest", "virgin", "virginamerica", "southwestair", "dell", "unitedairlines"}


def test_the_lexicon_stays_as_small_as_a_person_can_read():
    assert len(LEXICON.entries) <= MOST_ENTRIES
    assert len({entry.phrase for entry in LEXICON.entries}) == len(LEXICON.entries)


def test_the_version_changes_with_the_content():
    one, other = read("version\t3\nlate\t-1\twhy\tso late\n"), read("version\t3\nlate\t-2\twhy\tso late\n")
    assert one.version != other.version
    assert one.version.startswith("3-")


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("late\t-1\twhy", "line 1: expected phrase, valence, reason, test"),
        ("late\tbad\twhy\tso late", "line 1: expected"),
        ("late\t-5\twhy\tso late", "from -4 to 4"),
        ("late\t-1\t \tso late", "nothing may be empty"),
        ("$nobody late\t-1\twhy\tso late", "no group"),
    ],
)
def test_a_line_that_is_wrong_is_refused_in_words(line, says):
    with pytest.raises(LexiconError, match=says):
        read(line)
