"""Whether a text is English, the one language that can be scored.

The source's word counts first. Where it says nothing, common English words decide, which costs next to
nothing; only a text without them goes to the identifier, which costs tens of microseconds.
"""

# ruff: noqa: SIM905  lists of words are read and changed as running text

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

REMEMBERED = 8_192
LONGEST_IDENTIFIED = 500
"""Code points shown to the identifier: more tell it nothing new."""
FEWEST_WORDS = 3
"""Of fewer words no identifier knows the language; they count as English if they are written like it."""
ENOUGH, ENOUGH_SHARE = 2, 0.12
"""So many common English words, and of the words so large a share, settle it."""

# Common in English, and no words of other languages in Latin letters.
_ENGLISH: Final = frozenset(
    "the and you your my this that have has had with for are were is it its it's i'm i've don't can't isn't didn't "
    "doesn't won't what why how when where who would could should been being they them their there these those just "
    "not but from about after again any because before can did does every get getting got great help his if "
    "into know like love more much need never new now off only other our out please really she since "
    "some still thank thanks than then time today too trying up us very wait waiting we work "
    "working worst yes yet".split()
)
# Those of its languages that people post in; with all of them the identifier takes slang for rare ones.
_LANGUAGES: Final = (
    "en de fr es pt it nl sv da no fi pl cs sk sl hr sr bg ro hu el tr ru uk ar fa he ur hi bn ta te ja ko zh th vi id ms tl sw ca"
).split()
_NO_WORDS: Final = re.compile(r"https?://\S+|www\.\S+|[@#]\w[\w.\-]*|&\w+;")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_OTHER_SCRIPT: Final = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff\uff21-\uff5a]")


class LanguageGate:
    """Says what can be scored. Its model takes half a second to read: build it once."""

    def __init__(self) -> None:
        self._identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
        self._identifier.set_languages(list(_LANGUAGES))
        self._looks_english = lru_cache(REMEMBERED)(self._identify)

    def is_english(self, text: str, lang: str | None) -> bool:
        """Whether a text is English: as declared (BCP-47), or as it looks if nothing is declared."""
        if lang:
            return lang.replace("_", "-").split("-", 1)[0].lower() == "en"
        return self._looks_english(text[:LONGEST_IDENTIFIED])

    def _identify(self, text: str) -> bool:
        if _is_plainly_english(text.lower().split()):
            return True
        said = _NO_WORDS.sub(" ", text)
        letters = _WORD.findall(said)
        if len(letters) < FEWEST_WORDS:
            return not any(_OTHER_SCRIPT.search(word) for word in letters)
        if _is_plainly_english([word.lower().replace("’", "'") for word in letters]):
            return True
        return bool(self._identifier.classify(said)[0] == "en")


def _is_plainly_english(words: list[str]) -> bool:
    english = len([word for word in words if word in _ENGLISH])
    return english >= ENOUGH and english > len(words) * ENOUGH_SHARE
