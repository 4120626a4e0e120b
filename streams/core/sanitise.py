"""Hostile text made safe to show: in a terminal, a log, a title.

Posts are written by strangers. A line break forges a second log line, an escape sequence rewrites
the terminal, a bidirectional override makes a sentence read backwards.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPE_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # colours, cursor moves
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # titles, links, device strings
)
_JOINERS = "\u200c\u200d"  # Persian and emoji need them, and they move nothing
_HIDDEN = {"Cc", "Cf", "Co", "Cs"}


def one_line(text: str, limit: int) -> str:
    """Return `text` as one printable line of at most `limit` code points, an ellipsis marking a cut.

    White space of any kind, line breaks included, becomes one space. Escape sequences and all
    control, format (bidirectional marks among them), private and surrogate code points go.
    """
    shown = "".join(filter(_visible, " ".join(_ESCAPE_SEQUENCES.sub("", text).split())))
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def _visible(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _HIDDEN
