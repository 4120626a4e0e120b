import pytest
from hypothesis import given
from hypothesis import strategies as st
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from streams.core.sentiment import LONGEST, Scorer

SCORER = Scorer()
STOCK = SentimentIntensityAnalyzer()


def score(text, lang=None, names=None):
    return SCORER.score_many([text], [lang], [names])[0]


def towards(text, *names):
    return score(text, "en", names)


# -- as a whole, by VADER alone ------------------------------------------------------------------------


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
    scored = score(text, "en")
    assert scored.vader_compound == scored.compound == STOCK.polarity_scores(text)["compound"]


def test_verdicts_come_in_the_order_of_the_texts():
    labels = [s.label for s in SCORER.score_many(["love", "hate", "table"], [None, "en", "en-GB"])]
    assert labels == ["positive", "negative", "neutral"]


def test_texts_languages_and_names_must_be_as_many():
    with pytest.raises(ValueError, match="shorter"):
        SCORER.score_many(["a", "b"], ["en"])
    with pytest.raises(ValueError, match="shorter"):
        SCORER.score_many(["a", "b"], ["en", "en"], [None])


# -- towards a brand ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "vader"),
    [
        ("My Dell just burst into flames on the conference table", 0.0),
        ("Smoke coming out of my laptop battery", 0.0),
        ("I have had to explain this three times to three different people", 0.0),
        ("#DellFail again", 0.0),
        ("Three months and still no answer from support", 0.13),
        ("Great, another update that breaks everything", 0.63),
    ],
)
def test_what_vader_misses_is_a_complaint_to_a_company(text, vader):
    scored = towards(text, "Dell")
    assert scored.label == "negative"
    assert scored.vader_compound == pytest.approx(vader, abs=0.01)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("@VodafoneUK no signal for 3 days and nobody replies", "Vodafone"),
        ("Lloyds charged me twice and I can't get through to anyone", "Lloyds"),
        ("My Zara parcel never arrived and the courier lied", "Zara"),
        ("45 minutes on hold with Comcast", "Comcast"),
        ("Thanks for nothing, Tesco", "Tesco"),
        ("Thank you Hermes for losing my parcel", "Hermes"),
        ("Netflix app keeps crashing 😡", "Netflix"),
        ("#customerservicefail @AskTarget", "Target"),
        ("the Lenovo screen is cracked and they refuse a refund", "Lenovo"),
    ],
)
def test_complaints_to_any_kind_of_company_are_negative(text, name):
    assert towards(text, name).label == "negative"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("The Chase app is brilliant, thank you!", "Chase"),
        ("No issues with my Lenovo, works perfectly", "Lenovo"),
        ("Tesco delivery came early, such a friendly driver 👍", "Tesco"),
        ("@AskTarget you guys rock", "Target"),
        ("Can't wait to try the new Fairphone", "Fairphone"),
    ],
)
def test_praise_of_any_kind_of_company_is_positive(text, name):
    assert towards(text, name).label == "positive"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("United Airlines flies to Oslo", "United"),
        ("Just bought a TV at Best Buy", "Best Buy"),
        ("My order from Zara arrived today", "Zara"),
        ("Can you send me the form, please? @Barclays", "Barclays"),
        ("Best Western and Great Clips are next to Dollar Tree", "Best Western"),
    ],
)
def test_a_name_a_courtesy_and_a_question_feel_nothing(text, name):
    assert towards(text, name, "Great Clips").label == "neutral"


def test_only_the_sentences_that_name_the_brand_count():
    text = "Dell was great to me. HP is terrible."
    dell, hp = towards(text, "Dell"), towards(text, "HP")
    assert (dell.label, dell.about) == ("positive", "sentences")
    assert (hp.label, hp.about) == ("negative", "sentences")
    assert dell.vader_compound == hp.vader_compound == STOCK.polarity_scores(text)["compound"]


def test_a_name_of_several_words_a_handle_and_a_tag_name_the_brand():
    for text in (
        "Virgin America is awful. Nice weather.",
        "Nice weather. @VirginAmerica is awful",
        "#VirginAmerica is awful. Nice weather.",
    ):
        scored = towards(text, "Virgin America")
        assert (scored.label, scored.about) == ("negative", "sentences"), text


@pytest.mark.parametrize("text", ["I have a new Dell. It caught fire.", "It caught fire."])
def test_where_its_sentences_say_nothing_the_whole_text_counts(text):
    scored = towards(text, "Dell")
    assert (scored.label, scored.about) == ("negative", "text")


def test_a_text_addressed_to_the_brand_is_all_about_it_but_for_what_is_addressed_to_others():
    assert towards("@united I am at the gate. My bag is lost.", "United").label == "negative"
    text = "@united see you on Monday. @JetBlue lost my bag"
    assert towards(text, "United").label == "neutral"


def test_a_tag_or_an_emoji_after_a_sentence_belongs_to_it():
    assert towards("Flew with Acme. #fail", "Acme") == towards("Flew with Acme #fail", "Acme")
    assert towards("Flew with Acme. 😡", "Acme").label == "negative"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Acme changed my plan. Well done!", "positive"),
        ("Acme changed my plan. Shameful.", "negative"),
    ],
)
def test_an_afterthought_is_about_the_sentence_before_it(text, label):
    scored = towards(f"{text} My sister is in town.", "Acme")
    assert (scored.label, scored.about) == (label, "sentences")


def test_where_the_brand_s_sentences_say_little_the_rest_is_heard_too():
    scored = towards("I tried to log in to Acme. It crashed and all my photos are gone.", "Acme")
    assert (scored.label, scored.about) == ("negative", "text")


def test_a_phrase_ends_where_its_sentence_ends():
    assert towards("@Acme thanks. Nothing else today", "Acme").label != "negative"
    assert towards("@Acme thanks for nothing else today", "Acme").label == "negative"


def test_who_complains_and_thanks_complains():
    assert towards("@Acme thanks, but my bag is lost", "Acme").label == "negative"
    assert towards("@Acme I had a problem and you solved it, thank you so much!", "Acme").label == "positive"


def test_a_company_that_is_called_by_a_number_is_not_every_number():
    assert towards("I waited 3 hours. @3 why?", "3").label == towards("I waited 3 hours. Why?", "Acme").label
    assert score("It took 3 weeks. Fine.", "en", ("3",)).about == "text"


def test_a_service_score_names_its_lexicon_and_a_plain_one_does_not():
    assert towards("late", "Acme").lexicon == SCORER.lexicon
    assert score("late").lexicon is None


def test_texts_near_a_boundary_or_against_themselves_are_unsure_and_clear_ones_are_not():
    assert towards("Acme was late", "Acme").unsure is False
    assert towards("@Acme about my ticket", "Acme").unsure is True
    assert towards("I love Acme, fantastic people, great prices, but they lost my bag", "Acme").unsure is True
    assert towards("@Acme it is Monday", "Acme").unsure is False
    assert score("it is okay").unsure is True
    assert score("I hate this horrible thing").unsure is False


# -- explained --------------------------------------------------------------------------------------------

SAID = st.lists(
    st.sampled_from(
        "Dell not no great terrible lost my bag still waiting 3 hours! ? but thanks for nothing VERY late #DellFail 😡 :) on hold. so".split()  # noqa: SIM905
    ),
    max_size=15,
).map(" ".join)


@given(SAID, st.sampled_from([None, (), ("Dell",)]))
def test_the_words_contributions_add_up_to_the_score(text, names):
    explained = SCORER.explain(text, "en", names)
    assert sum(one.adds for one in explained.contributions) == pytest.approx(explained.sentiment.compound, abs=1e-9)


def test_a_complaint_names_the_words_that_make_it_one():
    explained = SCORER.explain("Three months and still no answer from support", "en", ("Dell",))
    assert [one.words for one in explained.contributions] == ["Three months", "still no answer"]
    assert all(one.adds < 0 for one in explained.contributions)


# -- languages ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["de", "de-CH", "ENM", "und", "pt_BR"])
def test_a_language_declared_as_another_than_english_is_not_scored(lang):
    for names in (None, ("Dell",)):
        scored = score("I love it", lang, names)
        assert (scored.label, scored.compound, scored.vader_compound, scored.unsure) == ("unscored", None, None, False)


@pytest.mark.parametrize("lang", ["en", "EN-us", "en_GB"])
def test_the_source_s_word_counts_before_how_a_text_looks(lang):
    assert score("Das ist eine Katastrophe, nie wieder", lang).label == "neutral"


@pytest.mark.parametrize(
    "text",
    [
        "Ich liebe mein neues Telefon von denen",
        "Quel service nul, je suis furieux contre vous",
        "Muy mal servicio, llevo tres horas esperando",
        "電池が燃えました",
        "Обслуживание просто ужасное",
        "서비스가 정말 최악이에요",
    ],
)
def test_an_undeclared_text_in_another_language_is_not_scored(text):
    assert score(text).label == "unscored"


@pytest.mark.parametrize(
    "text", ["I love it", "worst airline ever", "@united why??", "love", "👍", "", "https://t.co/x", "LOL!!"]
)
def test_an_undeclared_text_that_looks_english_or_like_nothing_is_scored(text):
    assert score(text).label != "unscored"


# -- bounds ---------------------------------------------------------------------------------------------------


def test_beyond_the_longest_text_nothing_is_heard_towards_a_brand():
    assert towards("x " * (LONGEST // 2) + "hate", "Dell").compound == 0


@pytest.mark.parametrize(
    "piece",
    ["#" + "fail" * 3000, "no " * 5000, "lost my your his " * 900, "@a", "😡", "waiting for the ", "a.b" * 4000],
)
def test_a_hostile_text_is_scored_in_no_time(piece):
    assert score((piece * (LONGEST // len(piece) + 1))[:LONGEST], "en", ("Dell",)).label != "unscored"
