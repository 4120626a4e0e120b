"""HTML, as networks and feeds send it -> the words that a person reads, and where its links lead.

No `html.parser`: with Python 3.11 a post of 60 kB of `<a <a <a ...` keeps it busy for most of a minute, and `<![` makes
it raise. Here every character is looked at a bounded number of times, and there is nothing that cannot be read.
"""

from __future__ import annotations

import html as entities
import re
from typing import NamedTuple

TOKEN = re.compile(
    r"""
    <!--.*?(?:-->|\Z)
  | <(script|style)(?=[\s/>])[^>]*+>.*?(?:</\1(?=[\s/>])[^>]*+(?:>|\Z)|\Z)
  | <(?P<name>/?[a-z][^\s/>]*+)(?P<rest>(?:[^=>]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+)(?P<end>>|\Z)
  | <[!?/][^>]*+(?:>|\Z)
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
"""Whatever never ends reaches to the end: so a search never comes by the same place twice."""

ATTRIBUTE = re.compile(r"""([^\s"'<>/=]++)(?:\s*+=\s*+("[^"]*+"|'[^']*+'|[^\s"'>]*+))?+""")

ENDLESS_NUMBER = re.compile(r"&#[0-9]{8,}+;?")
"""No character has such a number, and from 4,301 digits on Python refuses to read it."""

BREAKS = re.compile(
    r"/?(address|article|aside|blockquote|br|caption|dd|div|dl|dt|fieldset|figcaption|figure|footer|form|h[1-6]"
    r"|header|hr|li|main|nav|ol|p|pre|section|table|tr|ul)"
)
CUT = frozenset({"invisible", "ellipsis"})
"""Mastodon shows a long address in three spans, of which only the middle one is seen: people mean all of it."""

ADDRESSED = "mention"
"""The fediverse's class of links to a person or a tag: they are words of the post, and lead to nothing that it is about."""


class Plain(NamedTuple):
    """`text`: a line for each paragraph, spaces single. `links`: http and https, each once, in order."""

    text: str
    links: tuple[str, ...]


def plain(html: str) -> Plain:
    """Read HTML; what only begins like a tag and never ends is text. In time proportional to its length; never raises."""
    parts: list[str] = []
    links: dict[str, None] = {}
    address, begins, cut, read_to = "", 0, False, 0
    for token in TOKEN.finditer(html):
        if token["name"] is not None and not token["end"]:
            break
        parts.append(html[read_to : token.start()].replace("\n", " "))
        read_to = token.end()
        name = (token["name"] or "").lower()
        if BREAKS.fullmatch(name):
            parts.append("\n")
        elif name in ("td", "th"):
            parts.append(" ")
        elif name == "a":
            given = _attributes(token["rest"])
            address, begins, cut = _web(given.get("href", "")), len(parts), False
            if address and ADDRESSED not in given.get("class", "").split():
                links[address] = None
        elif name == "span" and address and not cut:
            cut = not CUT.isdisjoint(_attributes(token["rest"]).get("class", "").split())
        elif name == "/a":
            if cut:
                parts[begins:] = [entities.escape(address, quote=False)]
            address, cut = "", False
    parts.append(html[read_to:].replace("\n", " "))
    return Plain(_tidy(_unescaped("".join(parts))), tuple(links))


def _attributes(stood: str) -> dict[str, str]:
    return {name.lower(): _unescaped(value.strip("\"'")) for name, value in reversed(ATTRIBUTE.findall(stood))}


def _web(address: str) -> str:
    address = address.strip()
    return address if address.lower().startswith(("http://", "https://")) else ""


def _unescaped(stood: str) -> str:
    return entities.unescape(ENDLESS_NUMBER.sub("\ufffd", stood))


def _tidy(text: str) -> str:
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(line for line in lines if line)
