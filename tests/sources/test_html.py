"""HTML becomes what a person reads, whatever it is."""

from __future__ import annotations

from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sources.html import plain

MASTODON_LINK = (
    '<p>See <a href="https://shop.example/kettles/acme?a=1&amp;b=2" rel="nofollow"><span class="invisible">https://</span>'
    '<span class="ellipsis">shop.example/kettles/acme</span><span class="invisible">?a=1&amp;b=2</span></a> now</p>'
)
HOSTILE = ["<", "<a ", "<a b='", '<a b="', "<a ='", "<!--", "<!-- -- ", "<?", "<![", "<![CDATA[", "<!a", "</a ", "</", "<a x='>",
           '<a x="><a "', "&", "&#", "&a", "&#9", "<div>", "<style>", "<script></", "<p>", " ", "a=b ", "<a>", "<a href=http://x>",
           "<span class=invisible>", "<script ", "\n", "</script", "<title></title "]  # fmt: skip


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("just words", "just words"),
        ("<p>One &amp; two</p><p>three</p>", "One & two\nthree"),
        ("Acme&#x27;s API has been flaky all day.<p>Anyone else?", "Acme's API has been flaky all day.\nAnyone else?"),
        ("one<br>two<BR/>three<br />four", "one\ntwo\nthree\nfour"),
        ("<ul><li>one</li><li>two</li></ul><div>three</div>", "one\ntwo\nthree"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc"),
        ("so\n  many \t spaces&nbsp;&nbsp;here", "so many spaces here"),
        ("<b>bo</b>ld", "bold"),
        ("<script>alert('<p>')</script>seen<style>p { color: red }</style >!", "seen!"),
        ("<SCRIPT src=x>alert(1)</ScRiPt>seen", "seen"),
        ("<!-- <p>no</p> -->yes<!doctype html><?xml?>", "yes"),
        ('<img alt="a > b" src="x">after', "after"),
        ("&lt;b&gt; stays", "<b> stays"),
        ("I <3 my kettle, 1 < 2 > 0", "I <3 my kettle, 1 < 2 > 0"),
        ("it is <broken and the post ends", "it is <broken and the post ends"),
        ("cut off <a href='https://exam", "cut off <a href='https://exam"),
        ("&bogus; &#0; &#xD800; &#99999999;", "&bogus; � � �"),
        ("", ""),
    ],
)
def test_a_person_reads(html: str, text: str) -> None:
    assert plain(html).text == text


def test_links_are_kept_each_once_and_in_order() -> None:
    html = "<a href=\"https://b.example/?x=1&amp;y\">b</a> <a href='http://a.example'>a</a> <A HREF=https://b.example/?x=1&amp;y>"
    assert plain(html).links == ("https://b.example/?x=1&y", "http://a.example")


def test_only_the_web_is_a_link() -> None:
    html = '<a href="javascript:alert(1)">x</a><a href="mailto:a@b.example">y</a><a name="z">z</a><a href>q</a>'
    assert plain(html) == ("xyzq", ())


def test_an_address_that_mastodon_cuts_short_is_whole() -> None:
    assert plain(MASTODON_LINK) == (
        "See https://shop.example/kettles/acme?a=1&b=2 now",
        ("https://shop.example/kettles/acme?a=1&b=2",),
    )


def test_an_address_keeps_what_looks_like_an_entity() -> None:
    html = '<a href="https://x.example/?a=1&amp;amp;b"><span class="ellipsis">x.example</span></a>'
    assert plain(html).text == "https://x.example/?a=1&amp;b"


def test_people_and_tags_are_words_and_not_links() -> None:
    html = (
        '<p><span class="h-card"><a href="https://s.example/@acme" class="u-url mention">@<span>acme</span></a></span> '
        '<a href="https://s.example/tags/kettle" class="mention hashtag" rel="tag">#<span>kettle</span></a></p>'
    )
    assert plain(html) == ("@acme #kettle", ())


@given(st.text(alphabet="<>/!-?=\"'&#;ax \n[]") | st.lists(st.sampled_from(HOSTILE)).map("".join))
def test_nothing_raises_and_nothing_is_invented(html: str) -> None:
    text, _ = plain(html)
    assert len(text) <= 3 * len(html)
    assert text == text.strip()


@pytest.mark.parametrize("unit", HOSTILE)
@pytest.mark.parametrize("begin", ["", "<a ", "<script>"])
def test_what_is_hostile_takes_no_longer_than_what_is_ordinary(begin: str, unit: str) -> None:
    size = 400_000
    started = perf_counter()
    plain(begin + unit * (size // len(unit)))
    assert perf_counter() - started < 3


def test_a_number_without_end_is_no_character() -> None:
    assert plain("&#" + "9" * 10_000 + ";!").text == "�!"
