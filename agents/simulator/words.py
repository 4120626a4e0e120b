"""What the made-up world says: a vocabulary as large as a real one, what people feel, and what incidents are about.

The commonest words are English; the others are made up, so that no lexicon knows them. Feelings are
said with words that the lexicons know, so that sentiment is scored and never given.
"""

# ruff: noqa: SIM905  lists of words are read and changed as running text

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from streams.records import Label

VOCABULARY = 20_000

COMMON: Final = tuple(
    "the to a of and in is for it on my i that this with was at have from as be are so they we you but an or by if "
    "what when there about out up all one who their our has had will which been do can more some how now them then "
    "than into his her she he me its just over your were would could also after before today here where other two "
    "first last week day year people time home work house school street morning evening tonight yesterday tomorrow "
    "monday tuesday friday month hour minute phone shop table window garden kitchen office city town road train bus "
    "coffee lunch dinner news video photo story page list name number size colour blue green red black white".split()
)

FEELINGS: Final[dict[Label, tuple[str, ...]]] = {
    "negative": (
        "this is terrible",
        "absolutely awful",
        "so disappointed",
        "the worst ever",
        "i am really angry",
        "what a horrible experience",
        "never again, disgusting",
        "completely useless",
        "i hate this",
        "really bad",
        "so frustrating",
        "this is unacceptable",
        "a total disaster",
        "very upset about this",
        "shame on you",
        "it is a nightmare",
        "pathetic and sad",
        "what an awful mess",
        "that is horrible",
        "i regret this so much",
    ),
    "neutral": ("", "", "", "", "by the way", "so they say", "for the record", "if anyone asks"),
    "positive": (
        "i love it",
        "this is amazing",
        "really great",
        "so happy with this",
        "excellent, thank you so much",
        "the best ever",
        "absolutely wonderful",
        "awesome work",
        "what a fantastic day",
        "very impressed, it is great",
        "brilliant and beautiful",
        "i am so happy",
        "love this so much",
        "perfect, i love you all",
        "great stuff, best of all",
        "superb, really excellent",
    ),
}


class Theme(NamedTuple):
    """What incidents are about. Its words, the most telling first, also occur in ordinary chatter."""

    name: str
    words: tuple[str, ...]


THEMES: Final = tuple(
    Theme(name, tuple(words.split()))
    for name, words in (
        ("fire", "battery flames smoke sparks overheated charger melted evacuated"),
        ("outage", "offline login servers maintenance app timeout reboot website"),
        ("leak", "passwords database accounts exposed emails records dump encrypted"),
        ("contamination", "mold sickness vomiting batch hospital plastic bottle recall"),
        ("fees", "invoice surcharge monthly subscription billing installment contract hidden"),
        ("delivery", "parcel courier tracking warehouse doorstep depot shipment customs"),
        ("advert", "commercial billboard slogan actor poster campaigners agency stereotype"),
        ("layoffs", "factory workers union severance closing plant managers staff"),
        ("chief", "ceo interview remarks board statement podcast shareholders resign"),
        ("injury", "hinge finger stitches ambulance blade toddler handle bleeding"),
        ("tracking", "microphone recordings consent cookies location settings telemetry snooping"),
        ("update", "firmware version rollback install patch bricked restart screen"),
    )
)

HAZARDS: Final = {
    "fire": "(battery OR charger) AND (flames OR smoke OR sparks OR overheated OR melted)",
    "contamination": "(batch OR bottle OR plastic OR mold) AND (sickness OR vomiting OR hospital)",
    "injury": "(hinge OR blade OR handle OR finger OR toddler) AND (stitches OR ambulance OR bleeding)",
}
"""What a team would have written into its rules beforehand, for those themes that endanger people."""

_ONSETS, _VOWELS, _CODAS = (
    "b d f g k l m n p r s t v z br dr gl kr pl st tr".split(),
    "a e i o u".split(),
    ("", "n", "x"),
)


def make_vocabulary(random: Random) -> tuple[str, ...]:
    """All words, the commonest first: how often one is said is proportional to 1 / its place (Zipf's law)."""
    syllables = ["".join(one) for one in product(_ONSETS, _VOWELS)]
    made: dict[str, None] = {}
    while len(made) < VOCABULARY - len(COMMON):
        made["".join(random.choices(syllables, k=3)) + random.choice(_CODAS)] = None
    return (*COMMON, *made)


def make_names(random: Random, how_many: int) -> list[str]:
    """Names of brands, none of which is a word or the beginning of another name."""
    names: dict[str, None] = {}
    while len(names) < how_many:
        names[
            "".join(random.choices(_ONSETS, k=1)).title()
            + random.choice("aeiou")
            + random.choice("wyhjq")
            + "".join(random.choice(one) for one in (_VOWELS, _ONSETS, _VOWELS, ["q", "w", "j", "th"]))
        ] = None
    return list(names)


def zipf(random: Random, most: int) -> int:
    """A number below `most`, each n about as often as 1 / (n + 1)."""
    return int(most ** random.random()) - 1


def some_of(random: Random, words: Sequence[str], how_many: int) -> list[str]:
    """Different words, the first ones more often."""
    chosen: dict[str, None] = {}
    while len(chosen) < how_many:
        chosen[words[int(len(words) * random.random() ** 1.5)]] = None
    return list(chosen)
