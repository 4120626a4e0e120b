import csv
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import BOOSTER_DICT, NEGATE, SPECIAL_CASES, SentimentIntensityAnalyzer

from streams.core.vader import Vader
from tests.bench.sentiment import DATA, RATED, TWEETS

STOCK, OURS = SentimentIntensityAnalyzer(), Vader()

IDIOMS = [*SPECIAL_CASES, *(phrase for phrase in BOOSTER_DICT if " " in phrase)]
TURNS = "but but so this never without doubt least at very no no or nor kind of not n't No BUT".split()  # noqa: SIM905
TELLING = [*NEGATE, *BOOSTER_DICT, *TURNS, *(word for idiom in IDIOMS for word in idiom.split())]
PLAIN = ["table", "x", "2", "!!", "?", "???", "...", "-", "I", "THE", "@united", "#fail", "ok!", "(good)", "\u00a0"]


def same(text):
    assert OURS.compound(text) == STOCK.polarity_scores(text)["compound"], repr(text)


def shaped(words):
    """A word as people write it: shouted, capitalised, with marks around it."""
    return st.builds(
        lambda word, shape, before, after: before + shape(word) + after,
        words,
        st.sampled_from([str, str, str.upper, str.title]),
        st.sampled_from(["", "", "", "(", '"', "#"]),
        st.sampled_from(["", "", "", "!", "?", ".", ",", "!!!", "??", "...", ")"]),
    )


felt = st.sampled_from(sorted(STOCK.lexicon))
word = shaped(st.one_of(felt, st.sampled_from(TELLING), st.sampled_from(TELLING), st.sampled_from(PLAIN)))
emoji = st.sampled_from(sorted(OURS.emojis))
text = st.lists(st.one_of(word, word, word, st.sampled_from(IDIOMS), emoji), max_size=14)


@given(st.text(max_size=200))
def test_any_text_has_stock_vader_s_score(anything):
    same(anything)


@given(text, st.sampled_from([" ", " ", " ", "  ", "\n", ""]))
def test_texts_full_of_feeling_have_stock_vader_s_score(words, between):
    same(between.join(words))


def test_thousands_of_texts_that_turn_boost_and_deny_have_stock_vader_s_score():
    rng = random.Random(20_240_601)
    words = [*sorted(STOCK.lexicon), *TELLING * 40, *PLAIN * 20]
    for _ in range(4000):
        said = [rng.choice(words) for _ in range(rng.randint(1, 12))]
        same(" ".join(one.upper() if rng.random() < 0.15 else one for one in said))


@pytest.mark.parametrize("name", [TWEETS, RATED])
def test_real_posts_have_stock_vader_s_score(name):
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not there: BENCH_DATA=FOLDER names the folder that has it")
    with path.open(encoding="utf-8", newline="") as lines:
        if name == TWEETS:
            texts = [row["text"] for row in csv.DictReader(lines)]
        else:
            texts = [line.split("\t")[2] for line in lines]
    for one in texts:
        same(one)


def test_a_text_of_a_hundred_thousand_words_is_scored_at_once():
    assert OURS.compound("good bad but " * 33_000) != 0


@given(text)
def test_the_words_contributions_add_up_to_the_score(words):
    said = " ".join(words)
    explained = OURS.explain(said)
    assert explained.compound == OURS.compound(said)
    assert sum(adds for _, adds in explained.contributions) == pytest.approx(explained.compound, abs=1e-9)
