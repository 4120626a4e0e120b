"""What a rule file may say, what it is refused for, and what it finds."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from streams.core.expression import parse
from streams.core.rules import RulesError, load_rules
from streams.core.text import fold, normalise, pieces, sentence_ends
from streams.core.tree import Condition, Group, Near, Phrase, Sentence
from streams.records import Hit, Mention

FILE = """\
ruleset: dell            # who listens
defaults: {lang: any, fields: [text, title, image_text, quoted_text]}
terms:
  battery: '(batter* OR "lithium ion" OR charger)'
  danger:  '(fire OR flame* OR explod*)'
brands:
  - id: dell
    role: own
    own_accounts: ["x:dell", "x:DellCares", "bluesky:dell.com"]
    timezone: America/Chicago
    match:   '!Dell OR @DellCares OR latitude'
    exclude: '"Michael Dell" OR "farmer in the dell"'
    customer_value: {currency: USD, save: 385}
  - {id: hp, role: competitor, match: '!HP OR @HP'}
issues:
  - {id: battery_fire, brands: [dell], match: '$battery AND $danger', hazard: true}
  - {id: retold, match: '("three times" OR "third time") AND (explain* OR transfer*)'}
watch:
  - {when: issue:battery_fire, detect: hazard, at_least: 3, within: 24h, severity: critical}
  - {when: brand:dell, detect: volume, severity: warning, cooldown: 24h}
tests:
  - {text: "My Dell laptop battery caught fire", brand: [dell], issue: [battery_fire]}
  - {text: "the farmer in the dell", brand: []}
"""


def mention(text=None, **given):
    return Mention(
        id="x:1", source=given.pop("source", "x"), observed_at=datetime(2026, 1, 1, tzinfo=UTC), text=text, **given
    )


def rules_for(match, exclude=None):
    extra = "" if exclude is None else f", exclude: '{exclude}'"
    quoted = match.replace("'", "''")
    return load_rules(f"ruleset: r\nbrands:\n  - {{id: b, match: '{quoted}'{extra}}}\n")


def hears(match, text, **given):
    return bool(rules_for(match).match_many([mention(text, **given)])[0].brands)


def hit_texts(match, text):
    (matched,) = rules_for(match).match_many([mention(text)])
    return [text[h.start : h.end] for b in matched.brands for h in b.hits]


def refusal(text):
    with pytest.raises(RulesError) as refused:
        load_rules(text, where="r.yaml")
    return str(refused.value)


def refused_match(match):
    quoted = match.replace("'", "''")
    return refusal(f"ruleset: r\nbrands:\n  - id: b\n    match: '{quoted}'\n")


# What a file says


def test_a_file_says_whom_to_track_and_what_to_watch():
    rules = load_rules(FILE)
    dell, hp = rules.brands
    assert (rules.ruleset, dell.id, dell.role, hp.role) == ("dell", "dell", "own", "competitor")
    assert (str(dell.timezone), dell.customer_value.currency, dell.customer_value.save) == (
        "America/Chicago",
        "USD",
        385,
    )
    assert [(i.id, i.brands, i.hazard) for i in rules.issues] == [
        ("battery_fire", {"dell"}, True),
        ("retold", None, False),
    ]
    hazard, volume = rules.watch
    assert (hazard.kind, hazard.id, hazard.at_least, hazard.within) == ("issue", "battery_fire", 3, timedelta(hours=24))
    assert (volume.detect, volume.severity, volume.cooldown) == ("volume", "warning", timedelta(hours=24))


def test_the_version_is_the_content_s_whatever_its_comments_and_layout():
    relaid = FILE.replace("# who listens", "").replace("role: own\n", "role: 'own'   # ours\n\n")
    assert load_rules(relaid).version == load_rules(FILE).version
    assert load_rules(FILE.replace("charger", "chargers")).version != load_rules(FILE).version


# What it finds


@pytest.mark.parametrize(
    ("match", "text"),
    [
        ("dell", "my DELL died"),
        ("dell", "Dell's screen"),
        ("dell", "#dell"),
        ("dell", "so #DellFail"),
        ("dell", "Ｄｅｌｌ"),
        ("don't", "I don’t"),
        ("wi-fi", "no wi\u2010fi"),
        ("strasse", "Straße"),
        ("batter*", "batteries"),
        ("!Dell", "a Dell."),
        ("!Dell", "#DellFail"),
        ('"lithium ion"', "a Lithium - Ion cell"),
        ('"battery powered"', "battery-powered"),
        ('"powered laptop"', "battery-powered laptop"),
        ('"lithium ion batter*"', "lithium ion batteries"),
        ("#dellfail", "#DellFail"),
        ("@dell", "hey @DELL!"),
        ("dell.com", "see https://www.dell.com/x"),
        ("dell.com", "see http://support.dell.com"),
        ("戴尔", "我的戴尔电脑"),
        ("🔥", "my laptop 🔥🔥"),
        ("a AND NOT b", "a c"),
        ("a NOT b", "a c"),
        ("(a OR b) AND c", "c b"),
        ("“a b”", "a b"),
        ("a NEAR/1 b", "a x b"),
        ("a NEAR/1 b", "b a"),
        ("a NEAR/2 b", "a - , wi-fi b"),
        ("a ONEAR/1 b", "b a x b"),
        ('"a b" NEAR/1 (c OR d)', "d x a b"),
        ("batt* NEAR/1 fire", "#BatteryOnFire"),
        ("戴 NEAR/1 电", "戴尔电脑"),
        ("SENT(a b)", "x. b, a? x"),
        ("SENT(a AND b)", "a b"),
        ('SENT(a (b OR "c d"))', "a, Mr. X. e.g. C d"),
        ("SENT(a b)", "a ...\nb"),
    ],
)
def test_it_hears(match, text):
    assert hears(match, text)


@pytest.mark.parametrize(
    ("match", "text"),
    [
        ("dell", "@dell"),
        ("dell", "dells"),
        ("dell", "https://dell.com"),
        ("batter*", "battle"),
        ("!Dell", "in the dell"),
        ("!Dell", "DELL"),
        ('"lithium ion"', "ion lithium"),
        ('"lithium ion"', "lithium or ion"),
        ("#dell", "dell"),
        ("#dell", "#DellFail"),
        ("@dell", "dell @dellcares bob@dell"),
        ("a AND NOT b", "a b"),
        ("(a OR b) AND c", "a b"),
        ("a NEAR/1 b", "a x x b"),
        ("a NEAR/1 a", "a"),
        ("wi NEAR/3 wi-fi", "wi-fi"),
        ("a ONEAR/3 b", "b a"),
        ("SENT(a b)", "a. b"),
        ("SENT(a b)", "a\n\nb"),
        ("SENT(a b)", "a\nB is"),
        ("SENT(a b)", "a！ b"),
        ("SENT(电 脑)", "电。脑"),
        ('SENT("a b" c)', "a. b c"),
    ],
)
def test_it_does_not_hear(match, text):
    assert not hears(match, text)


def test_a_phrase_does_not_run_from_one_field_into_the_next():
    assert not hears('"a b"', "a", title="b")
    assert hears("a AND b", "a", title="b")


def test_pictures_titles_and_quotes_are_heard_and_the_hit_names_its_field():
    (matched,) = rules_for("dell").match_many([mention("look", image_text=("nothing", "a Dell"))])
    assert matched.brands[0].hits == (Hit("b.match", 2, 6, "image_text[1]"),)
    assert hears("dell", None, title="Dell")
    assert hears("dell", "x", quoted_text="Dell")


def test_only_the_fields_a_file_names_are_heard():
    rules = load_rules("ruleset: r\ndefaults: {fields: [title]}\nbrands: [{id: b, match: dell}]")
    heard = rules.match_many([mention("dell"), mention("x", title="dell")])
    assert [bool(m.brands) for m in heard] == [False, True]


def test_a_source_s_own_list_of_mentions_counts_as_handles():
    assert hears("@dell", "help me", mentions=("someone", "@Dell"))


def test_from_is_the_author_by_id_or_name():
    assert hears("from:did:plc:abc", "hi", author_id="did:plc:abc")
    assert hears("from:@Dell", "hi", author_name="dell")
    assert not hears("from:dell", "@dell dell", author_name="other")


def test_a_hit_leads_to_the_original_text():
    assert hit_texts("café OR kg OR dell", "My “cafe\u0301” ㎏ #DellFail") == ["cafe\u0301", "㎏", "Dell"]
    assert hit_texts("dell", "Cafe\u0301 ﬁne Dell") == ["Dell"]
    assert hit_texts('"lithium ion" AND NOT fire', "½ Lithium-Ion!") == ["Lithium-Ion"]


def test_of_two_sides_near_each_other_the_hits_are_those_that_meet():
    text = "dell. A long way off another Dell battery, a battery"
    (matched,) = rules_for("dell NEAR/2 battery").match_many([mention(text)])
    assert [(h.start, text[h.start : h.end]) for h in matched.brands[0].hits] == [(29, "Dell"), (34, "battery")]
    assert hit_texts("SENT(dell battery)", text) == ["Dell", "battery"]


def test_conditions_are_asked_of_a_reply_itself_where_only_its_parent_names_the_brand():
    rules = load_rules(
        "ruleset: r\nbrands: [{id: b, match: dell AND lang:en}]\nissues: [{id: fire, brands: [b], match: fire}]\n"
    )
    told = rules.match_many([mention("fire", parent_text="dell", lang=lang) for lang in ("en", "fr")])
    assert [bool(m.brands) for m in told] == [True, False]


def test_an_exclusion_may_be_a_condition_alone():
    rules = load_rules("ruleset: r\nbrands: [{id: b, match: dell, exclude: 'source:shop OR lang:fr'}]")
    told = rules.match_many([mention("dell"), mention("dell", source="shop"), mention("dell", lang="fr")])
    assert [m.excluded_by for m in told] == [(), ("b.exclude",), ("b.exclude",)]


def test_an_exclusion_takes_the_brand_out_and_is_named():
    rules = load_rules(FILE)
    (matched,) = rules.match_many([mention("Michael Dell speaks")])
    assert (matched.brands, matched.excluded_by) == ((), ("dell.exclude",))


def test_an_issue_needs_one_of_its_brands():
    text = "battery on fire, explained three times"
    dell, hp, none = load_rules(FILE).match_many([mention(f"Dell {text}"), mention(f"HP {text}"), mention(text)])
    assert dell.brands[0].issues == ("battery_fire", "retold")
    assert hp.brands[0].issues == ("retold",)
    assert none.brands == ()


def test_a_brand_named_only_in_the_parent_counts_for_an_issue_in_the_reply():
    reply, chat = load_rules(FILE).match_many(
        [mention("its battery caught fire", parent_text="My Dell!"), mention("me too", parent_text="My Dell!")]
    )
    assert (reply.brands[0].brand, reply.brands[0].issues) == ("dell", ("battery_fire",))
    assert Hit("dell.match", 3, 7, "parent_text") in reply.brands[0].hits
    assert chat.brands == ()


def test_a_brand_s_own_account_always_matches_as_its_own():
    rules = load_rules(FILE)
    told = [
        rules.match_many([m])[0].brands
        for m in (
            mention("hello", author_name="dellcares"),
            mention("Michael Dell", author_id="DELL"),
            mention("hello", author_name="@dell.com", source="bluesky"),
        )
    ]
    assert [(b.brand, b.role) for (b,) in told] == [("dell", "own")] * 3
    assert rules.match_many([mention("hello", author_name="dell", source="reddit")])[0].brands == ()


def test_the_answer_has_one_entry_for_each_mention_in_order():
    rules = load_rules(FILE)
    heard = rules.match_many([mention("x"), mention(None, op="delete"), mention("HP and Dell"), mention("HP")])
    assert [[b.brand for b in m.brands] for m in heard] == [[], [], ["dell", "hp"], ["hp"]]


# What it is refused for


@pytest.mark.parametrize(
    ("match", "says"),
    [
        ("a NEAR b", "4:15: brand b: match: found NEAR, expected NEAR/1 to NEAR/20"),
        ("a NEAR/0 b", "found NEAR/0, expected NEAR/1 to NEAR/20"),
        ("a ONEAR/21 b", "found ONEAR/21, expected ONEAR/1 to ONEAR/20"),
        ("a NEAR/2 b NEAR/3 c", "found NEAR/3 after another, expected two sides"),
        ("a NEAR/2 (b AND c)", "4:22: brand b: match: found AND beside NEAR, expected a word, a phrase, an OR-list"),
        ("a NEAR/2 (b OR (c NEAR/3 d))", "found another NEAR or SENT beside NEAR"),
        ("a NEAR/2 from:b", "found an author beside NEAR"),
        ("NOT a NEAR/2 b", "NOT binds closer than NEAR/2 (hint: write NOT (a NEAR/2 b))"),
        ("SENT(a)", "found SENT with one side, expected two or more (hint: write SENT(a b))"),
        ("SENT(a OR b)", "found OR in SENT( ), whose sides stand side by side"),
        ("SENT(a b", 'found "(" without its ")"'),
        ("a AND lang:english!", "no language tag (hint: write lang:en"),
        (
            "a AND lang: en",
            "found lang: with nothing after it, expected its value without a blank (hint: write lang:en)",
        ),
        ("a AND channel:fax", "channel:fax, no channel (hint: known are post, chat, email, phone, review)"),
        ("a AND followers>100", "found followers>100, expected followers>= and a number"),
        ("lang:en", "4:13: brand b: match: it could match without any word, phrase, tag, handle or author"),
        ("a OR lang:en", "it could match without any word"),
        ("a OR (lang:en AND NOT b)", "it could match without any word"),
        ("a AND frm:dell", "frm is no condition"),
        ("a AND b OR c", "4:21: brand b: match: AND and OR are mixed without brackets"),
        ("a OR b NOT c", "AND and OR are mixed"),
        ("NOT a", "NOT has no positive sibling"),
        ("a OR NOT b", "NOT has no positive sibling"),
        ("a AND (NOT b)  AND NOT NOT c", "NOT has no positive sibling"),
        ("bat*", "a wildcard needs 4 letters"),
        ("!Dell*", "! and * are each for one plain word"),
        ("AT&T", 'put it in quotes: "AT&T"'),
        ("b*d", "not one word"),
        ("a b", "found b directly after a, expected AND, OR or NOT"),
        ("(a OR b", 'found "(" without its ")"'),
        ("a)", 'found ")" without its "("'),
        ('"a b', "a quote that is never closed"),
        ('""', "a phrase without a word"),
        ("a AND", "found the end, expected a word"),
        ("$nope", "found the unknown $nope"),
        (" OR ".join(["word"] * 201), "201 words and phrases"),
        ("a" * 4097, "4097 characters, at most 4096"),
        ("(" * 400 + "a" + ")" * 400, "more than 30 brackets"),
    ],
)
def test_an_expression_is_refused_with_its_place_and_reason(match, says):
    assert says in refused_match(match)


@pytest.mark.parametrize(
    ("was", "now", "says"),
    [
        ("role: own", "roll: own", "r.yaml:8:5: brand: found the unknown key roll (hint: did you mean role?)"),
        ("role: own", "role: boss", "expected one of own, competitor"),
        ("ruleset: dell ", "#", "ruleset: is missing"),
        ("id: hp", "id: dell", "brand dell is given twice"),
        ("id: retold", "id: retold, id: retold", "id: is given twice"),
        ("brands: [dell]", "brands: [del]", "found 'del', expected one of dell, hp (hint: did you mean dell?)"),
        ("America/Chicago", "America/Chikago", "no known time zone"),
        ("x:DellCares", "DellCares", "expected source:account"),
        ("currency: USD", "currency: dollars", "three capitals"),
        ("save: 385", "save: lots", "an amount"),
        ("issue:battery_fire", "issue:battery", "unknown issue battery (hint: did you mean battery_fire?)"),
        ("detect: volume", "detect: volum", "did you mean volume?"),
        ("severity: warning", "severity: high", "one of info, warning, critical"),
        ("cooldown: 24h", "cooldown: 1 day", "a length of time"),
        ("cooldown: 24h", "at_least: 3", "only for detect: hazard"),
        ("at_least: 3", "at_least: 0", "a whole number from 1"),
        (", hazard: true", "", "issue battery_fire is no hazard"),
        ("lang: any", "lang: english!", "expected any, or a language such as en"),
        ("charger)", "$battery)", "term battery uses itself"),
        ("charger)", "$fuse)", "found the unknown $fuse"),
        (
            "brand: []",
            "brand: [dell]",
            "r.yaml:23:5: the test 'the farmer in the dell' failed: expected brand ['dell'], found []",
        ),
        ("terms:", "\tterms:", "r.yaml:3:1: this is not YAML"),
    ],
)
def test_a_file_is_refused_with_its_place_and_reason(was, now, says):
    assert was in FILE
    assert says in refusal(FILE.replace(was, now, 1))


def test_everything_wrong_is_told_at_once_in_the_file_s_order():
    said = refusal(FILE.replace("latitude'", "lat*'").replace("@HP", "NEAR/2").replace("24h, sev", "24, sev"))
    assert [line.split(":")[1] for line in said.splitlines()] == ["11", "14", "19"]


def test_a_place_inside_a_folded_or_escaped_scalar_is_still_found():
    said = refusal("ruleset: r\nbrands:\n  - id: b\n    match: >-\n      dell OR\n      bat*\n")
    assert said.startswith("r.yaml:6:7:")
    assert refusal("ruleset: r\nbrands: [{id: b, match: '\"a\"\" b'''}]").startswith("r.yaml:2:")


def test_a_long_chain_of_terms_is_refused():
    terms = "\n".join(f"  t{n}: $t{n + 1}" for n in range(900))
    said = refusal(f"ruleset: r\nterms:\n{terms}\n  t900: a\nbrands: [{{id: b, match: $t0}}]")
    assert "more than 30 terms inside each other" in said


def test_terms_that_double_each_other_are_refused_before_they_fill_memory():
    terms = "\n".join(f"  t{n}: '$t{n + 1} OR $t{n + 1}'" for n in range(28))
    assert "at most 200" in refusal(f"ruleset: r\nterms:\n{terms}\n  t28: a\nbrands: [{{id: b, match: $t0}}]")


@pytest.mark.parametrize(
    "text", ["", "[]", "a: [", "[" * 5000, "brands: no", "ruleset: r\nbrands: {}", "a\x00b", "--- a\n--- b"]
)
def test_what_is_no_rule_file_is_refused_and_not_crashed_on(text):
    assert refusal(text).startswith("r.yaml:")


# What must always hold

WORDS = ["a", "b", "dell", "Dell", "wi-fi", "batter", "battery", "it's", "戴"]
LITERALS = st.sampled_from(
    [
        "a",
        "b",
        "dell",
        "!Dell",
        "!dell",
        "wi-fi",
        "batt*",
        "#dell",
        "@dell",
        "戴",
        "dell.com",
        '"a b"',
        '"a a"',
        '"dell wi fi"',
        '"wi-fi a"',
        '"b batt*"',
    ]
)
SIDES = st.one_of(LITERALS, st.lists(LITERALS, min_size=2, max_size=3).map(lambda of: f"({' OR '.join(of)})"))
TREES = st.recursive(
    st.one_of(
        LITERALS,
        st.tuples(SIDES, st.sampled_from(["NEAR/1", "NEAR/2", "ONEAR/1", "ONEAR/3"]), SIDES)
        .map(" ".join)
        .map("({})".format),
        st.lists(SIDES, min_size=2, max_size=3).map(lambda of: f"SENT({' '.join(of)})"),
    ),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda of: f"({' OR '.join(of)})"),
        st.lists(inner, min_size=2, max_size=3).map(lambda of: f"({' AND '.join(of)})"),
        st.tuples(inner, inner).map(lambda of: f"({of[0]} AND NOT {of[1]})"),
        st.tuples(inner, st.sampled_from(["lang:en", "NOT lang:en", "followers>=10"])).map(
            lambda of: f"({of[0]} AND {of[1]})"
        ),
    ),
    max_leaves=6,
)
CHUNKS = st.sampled_from(
    [
        *WORDS,
        "#DellFail",
        "#dell",
        "@dell",
        "wi-fi,",
        "-",
        "(a)",
        "battery-a",
        "Ｄｅｌｌ",
        "it’s",
        "https://dell.com/a",
        "https://www.dell.com?b",
        "http://dell.com",
        "https://(dell)",
        "(@dell)",
        "dell.com.",
        "x",
        "x.",
        "b!",
        "a. A",
        "...",
        "\n",
        "\n\n",
        "戴。尔",
    ]
)
TEXTS = st.lists(CHUNKS, max_size=8).map(" ".join)


def standing_in(text):
    """Every piece with its tokens' positions in the whole text, and the sentence it stands in (None: in no single one)."""
    at = offset = 0
    flat = normalise(text)
    ends, standing = sentence_ends(flat), []
    for chunk in flat.split():
        offset = flat.index(chunk, offset)
        found = pieces(chunk)
        for piece in found:
            sentences = {sum(end <= offset + place for end in ends) for place in (piece.start, piece.end - 1)}
            standing.append((piece, at + piece.first, at + piece.last, sentences))
        at += max((p.last + 1 for p in found), default=0)
        offset += len(chunk)
    return standing


def satisfies(atom, piece):
    match atom.kind:
        case "word":
            return piece.kind in ("word", "host") and fold(piece.text) == atom.key
        case "exact":
            return piece.kind == "word" and piece.text == atom.key
        case "prefix":
            return piece.kind == "word" and fold(piece.text).startswith(atom.key)
        case kind:
            return piece.kind == kind and fold(piece.text)[1:] == atom.key


def runs_of(literal, standing):
    """Every (first token, last token, sentences) where a word or a phrase stands."""
    atoms = literal.atoms if isinstance(literal, Phrase) else (literal,)
    runs = [(first, last, in_) for piece, first, last, in_ in standing if satisfies(atoms[0], piece)]
    for atom in atoms[1:]:
        runs = [
            (run[0], last, run[2] | in_)
            for run in runs
            for piece, first, last, in_ in standing
            if first == run[1] + 1 and satisfies(atom, piece)
        ]
    return runs


def plainly(node, said):
    """Whether a tree holds for a mention's text, worked out the slow and obvious way."""
    standing = standing_in(said.text)
    match node:
        case Group("not", (inner,)):
            return not plainly(inner, said)
        case Group("and", of):
            return all(plainly(member, said) for member in of)
        case Group("or", of):
            return any(plainly(member, said) for member in of)
        case Condition("lang", value):
            return said.lang == value
        case Condition("followers", value):
            return said.author_followers is not None and said.author_followers >= value
        case Near(left, right, most, ordered):
            lefts, rights = ([r for one in side for r in runs_of(one, standing)] for side in (left, right))
            return any(
                1 <= b[0] - a[1] <= most + 1 or (not ordered and 1 <= a[0] - b[1] <= most + 1)
                for a in lefts
                for b in rights
            )
        case Sentence(sides):
            held = [[r[2] for one in side for r in runs_of(one, standing) if len(r[2]) == 1] for side in sides]
            return any(all({n} in side for side in held) for n in range(len(said.text) + 1))
    return bool(runs_of(node, standing))


@settings(max_examples=300)
@given(
    st.lists(TREES, min_size=1, max_size=4),
    st.lists(
        st.tuples(TEXTS, st.sampled_from([None, "en", "fr"]), st.sampled_from([None, 9, 10])), min_size=1, max_size=4
    ),
)
def test_the_fast_way_agrees_with_the_plain_way(matches, texts):
    brands = "\n".join(f"  - {{id: b{n}, match: '{match}'}}" for n, match in enumerate(matches))
    said = [mention(text, lang=lang, author_followers=followers) for text, lang, followers in texts]
    heard = load_rules(f"ruleset: r\nbrands:\n{brands}").match_many(said)
    trees = [parse(match, lambda _: None) for match in matches]
    expected = [[f"b{n}" for n, tree in enumerate(trees) if plainly(tree, one)] for one in said]
    assert [[b.brand for b in m.brands] for m in heard] == expected


OPERATOR = re.compile(r"AND$|OR$|NOT$|O?NEAR/|SENT$|lang:|followers")


@given(TREES, TEXTS)
def test_every_hit_points_at_a_text_that_some_literal_of_the_rule_hits(match, text):
    for found in hit_texts(match, text):
        literals = [one for one in re.findall(r'"[^"]*"|[^\s()]+', match) if not OPERATOR.match(one)]
        assert any(hears(literal, found) for literal in literals)


@given(TREES, TEXTS, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_the_same_text_in_another_normalisation_form_gets_the_same_answer(match, text, form):
    text += " é戴"
    other = unicodedata.normalize(form, text)
    assume(other != text)
    assert hears(match, other) == hears(match, text)
