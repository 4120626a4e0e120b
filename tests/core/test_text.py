import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from streams.core.text import LONGEST, fold, normalise, original_span, pieces

ODD = st.text(
    st.sampled_from("aeéDß'’-.#@_ \u0301\u0323\u3099ﬁ㎏ⅧＤｅ가각\u09c7\u09be戴尔ノﾊﾞ👍🏽\u200d½…´"), max_size=30
)


def words(text: str) -> list[str]:
    return [p.text for chunk in normalise(text).split() for p in pieces(chunk)]


def test_words_are_kept_and_also_split_at_inner_apostrophes_and_hyphens():
    assert words("Dell's wi-fi") == ["Dell's", "Dell", "s", "wi-fi", "wi", "fi"]


def test_punctuation_around_a_word_is_no_part_of_it():
    assert words('("Dell"), -fire- ...') == ["Dell", "fire"]


def test_a_tag_is_found_whole_and_split_at_case_digits_and_underscores():
    assert words("#DellFail") == ["#DellFail", "DellFail", "Dell", "Fail"]
    assert words("#XPS13_USBHub")[2:] == ["XPS", "13", "USB", "Hub"]


def test_a_handle_stays_whole_and_an_email_address_is_none():
    assert words("@dell.com @Dell@mastodon.social") == ["@dell.com", "@Dell@mastodon.social", "@Dell"]
    assert not [w for w in words("bob@dell.com") if w.startswith("@")]


def test_of_a_url_only_the_host_is_heard():
    assert words("https://www.support.dell.com/fire?x=battery") == ["support.dell.com", "dell.com"]


def test_an_emoji_is_a_token_and_its_skin_tone_is_not():
    assert words("fire🔥 👍🏽 ❤️") == ["fire", "🔥", "👍", "❤"]


def test_scripts_without_spaces_give_one_token_a_character_and_katakana_one_a_run():
    assert words("戴尔Dell") == ["戴", "尔", "Dell"]
    assert words("ノートパソコンの") == ["ノートパソコン", "の"]


def test_a_word_with_combining_vowels_is_one_word():
    assert words("हिन्दी") == ["हिन्दी"]


def test_parts_stand_at_consecutive_positions_and_the_whole_covers_them():
    assert [(p.text, p.first, p.last) for p in pieces("wi-fi")] == [("wi-fi", 0, 1), ("wi", 0, 0), ("fi", 1, 1)]


def test_a_span_leads_back_to_what_was_written():
    text = "㎏ of café™ and Ｄｅｌｌ"
    flat = normalise(text)
    for word, written in (("kg", "㎏"), ("café", "café"), ("TM", "™"), ("Dell", "Ｄｅｌｌ")):
        at = flat.index(word)
        a, b = original_span(text, at, at + len(word))
        assert text[a:b] == written


def test_a_decomposed_accent_belongs_to_its_letter():
    text = unicodedata.normalize("NFD", "my café Dell")
    at = normalise(text).index("café")
    a, b = original_span(text, at, at + 4)
    assert text[a:b] == "cafe\u0301"


@given(ODD)
def test_every_piece_leads_back_to_text_that_normalises_to_it(text):
    flat = normalise(text)
    offset = 0
    for chunk in flat.split():
        offset = flat.index(chunk, offset)
        for piece in pieces(chunk):
            a, b = original_span(text, offset + piece.start, offset + piece.end)
            assert chunk[piece.start : piece.end] in normalise(text[a:b])
        offset += len(chunk)


@given(ODD)
def test_all_normalisation_forms_of_a_text_have_the_same_pieces(text):
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert words(unicodedata.normalize(form, text)) == words(text)


@given(st.text(st.sampled_from("aB1.,:;!?\"()'-@#w/ "), max_size=12))
def test_folding_or_remembering_ascii_words_takes_no_other_way_than_the_rest(text):
    assert [fold(w) for w in words(text + " é")] == [fold(w) for w in [*words(text), "é"]]


def test_what_lies_beyond_the_longest_text_is_not_heard():
    assert words("x" * LONGEST + " Dell") == ["x" * LONGEST]
