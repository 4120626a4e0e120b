import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from streams.core.sentiment import LONGEST, Scorer

SCORER = Scorer()
STOCK = SentimentIntensityAnalyzer()


def score(text, lang=None):
    return SCORER.score_many([text], [lang])[0]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("I love my Dell", "positive"),
        ("worst laptop ever, I hate it", "negative"),
        ("a laptop", "neutral"),
        ("", "neutral"),
    ],
)
def test_praise_is_positive_and_a_complaint_negative(text, label):
    assert score(text).label == label


@given(st.text(max_size=200))
def test_the_score_is_stock_vader_s(text):
    scored = score(text)
    assert scored.vader_compound == scored.compound == STOCK.polarity_scores(text)["compound"]


def test_verdicts_come_in_the_order_of_the_texts():
    labels = [s.label for s in SCORER.score_many(["love", "hate", "table"], [None, "en", "en-GB"])]
    assert labels == ["positive", "negative", "neutral"]


@pytest.mark.parametrize("lang", ["de", "de-CH", "ENM", "und", "pt_BR"])
def test_a_language_declared_as_another_than_english_is_not_scored(lang):
    scored = score("I love it", lang)
    assert (scored.label, scored.compound, scored.vader_compound) == ("unscored", None, None)


@pytest.mark.parametrize("lang", ["en", "EN-us", "en_GB", None, ""])
def test_english_and_undeclared_texts_are_scored(lang):
    assert score("I love it", lang).label == "positive"


def test_beyond_the_longest_text_nothing_is_heard():
    assert score("x " * (LONGEST // 2) + "hate").label == "neutral"


def test_an_emoji_counts_as_long_as_the_words_it_stands_for():
    assert score("😀" * 500 + " hate hate hate") == score("😀" * 500)


def test_texts_and_languages_must_be_as_many():
    with pytest.raises(ValueError, match="shorter"):
        SCORER.score_many(["a", "b"], ["en"])
