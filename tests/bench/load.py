"""The standard load: what every figure is measured on, so that figures compare. Same seed, same bytes.

20 brands and 80 issues, so 100 rules. 80 % of mentions name a brand, 10 % of those a second one; 20 % repeat
an earlier text under their own id, 2 % are delivered once more; `lang` is declared on 70 %. About 377 bytes a
record. The words are ours: some 900 of them in sentences people write to brands, and, as in any stream
of posts, handles, order numbers and links that are never seen again.
"""

# ruff: noqa: SIM905  lists of words and sentences are read and changed as running text

from __future__ import annotations

import random
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from streams.records import Mention, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

SEED = 20_240_601
MATCHED, SECOND_BRAND, REPOSTED, REDELIVERED, DECLARED = 0.8, 0.1, 0.2, 0.02, 0.7
BEGINS = datetime(2024, 6, 1, 12, tzinfo=UTC)
EVERY = timedelta(milliseconds=5)
"""Event time between two mentions."""
JITTER_MS = 2000
REMEMBERED_TEXTS = 2000
"""A repost or a redelivery comes within this many mentions."""

BRANDS = tuple(
    "Valtera Brightloom Kestrel Mondavia Arcfield Pellucid Zentrano Oakmere Fjordly Quillon "
    "Sundara Tramonto Hexaware Novabank Lumina Castellan Verdigo Ironleaf Skylark Bluepine".split()
)

# Each issue is a thing AND a trouble: 16 things by 5 troubles.
THINGS = {
    "battery": "battery batteries charger charging powerbank",
    "screen": "screen display panel pixels touchscreen",
    "delivery": "delivery parcel courier shipment package",
    "refund": "refund refunds repayment reimbursement chargeback",
    "app": "app login website update notification",
    "flight": "flight flights gate boarding departure",
    "luggage": "luggage suitcase baggage carousel backpack",
    "invoice": "invoice bill billing statement receipt",
    "support": "support helpline hotline chatbot agent",
    "store": "store shop branch cashier checkout",
    "card": "card payment transfer account wallet",
    "food": "food sandwich coffee salad yoghurt",
    "router": "router wifi broadband signal outage",
    "contract": "contract subscription renewal plan cancellation",
    "warranty": "warranty repair replacement technician workshop",
    "fabric": "fabric jacket shoes zipper lining",
}
TROUBLES = {
    "danger": "fire smoke burned exploded melted sparks",
    "broken": "broken cracked dead faulty defective snapped",
    "late": "late delayed waiting stuck overdue postponed",
    "lost": "lost missing stolen vanished gone misplaced",
    "cheated": "scam overcharged fraud misleading rude twice",
}

_OPENERS = (
    "honestly|seriously|so|well|hey|wow|ugh|hello|dear|just saying|update|third time now|day four|question|"
    "not gonna lie|unpopular opinion|heads up|friendly reminder|quick one|long story short|for what it is worth|"
    "guess what|breaking|to be fair|credit where it is due|ok|PSA|FYI|at this point|once again|I swear|lol|yeah"
).split("|")
_ABOUT = (
    "my {brand} {thing} is {trouble} and nobody answers the {noun}|"
    "{brand} has been {adverb} {good} since I moved to {place}|"
    "{adverb} {bad} experience with {brand} this {when}, the {noun} was {bad2}|"
    "anyone else having {bad} trouble with the {brand} {thing} in {place}?|"
    "switched from a local shop to {brand} last {when} and the {noun} is {good}|"
    "why does the {brand} {noun} {verb} every {when}? It is {adverb} {bad}|"
    "the new {brand} {thing} looks {good} but the {noun} feels {bad}|"
    "my {relative} loves {brand}, I think the {noun} is {adverb} {bad}|"
    "thank you {brand} for the {good} {noun}, you made my {relative} {good2}|"
    "{brand} says my {thing} was {trouble}, yet the {noun} shows nothing|"
    "been on hold with {brand} for {number} minutes about a {trouble} {thing}|"
    "can {brand} explain why the {thing} is {trouble} for the {number}th {when}?|"
    "I would {verb} {brand} to my {relative}, {good} {noun} and {good2} people|"
    "the {brand} queue in {place} is {bad}, {number} people and one {noun}|"
    "reading about {brand} in the paper, their {noun} went up {number} percent|"
    "got a {brand} {noun} for my birthday and it is {adverb} {good}|"
    "{brand} sent the wrong {noun} to {place}, now I have to {verb} it myself|"
    "saw the {brand} advert with the {animal} again, {adverb} {good}"
).split("|")
_OTHERWISE = (
    "my {relative} is {adverb} {good} about the {noun} in {place}|"
    "the {animal} in the garden looks {good} this {when}|"
    "walking through {place} with a {noun} and {number} friends, feeling {good}|"
    "what a {bad} {when}, the train was full and the {noun} {bad2}|"
    "who else would {verb} a {noun} for {number} euros?|"
    "nothing beats a {good} {noun} on a rainy {when} in {place}|"
    "my {relative} and the {animal} are both {bad} at mornings|"
    "new {noun}, same {bad} {when}"
).split("|")
_CLOSERS = (
    "what should I do now?|please fix this.|never again!|keep it up!|I am not angry, just disappointed.|"
    "five stars from me|that is all.|make it make sense|asking for a friend|let us see what happens|"
    "will report back tomorrow|it used to be better|you can do better than this|could not be happier!!|"
    "anyway, back to work|the third email without an answer|not the end of the world though|rant over|"
    "I want my money back|say hi to the night shift|does anybody read these?|they really tried to help|"
    "absolutely no idea why|let me know if you need the number|moving on|and that is on a good day|"
    "it was not great, not terrible|still waiting here|worth every penny|hope this helps somebody"
).split("|")
_WORDS = {
    "adverb": "really very extremely slightly barely absolutely somewhat totally surprisingly quite incredibly hardly "
    "almost truly pretty especially remarkably kinda completely oddly",
    "good": "great good lovely excellent amazing helpful friendly reliable fast cheap beautiful brilliant decent fine "
    "nice perfect smooth wonderful impressive solid comfortable fresh honest polite generous quick fantastic clean "
    "warm useful safe fun cool pleasant superb",
    "bad": "awful bad terrible horrible slow rude useless painful poor disgusting annoying expensive confusing dirty "
    "noisy unfair broken ugly weak boring sad cold dishonest risky stressful frustrating pathetic ridiculous shocking "
    "disappointing messy careless worse dull unsafe",
    "noun": "service price manual cable box counter menu uniform brochure voucher keyboard speaker handle label button "
    "engine seat window blanket ticket form letter email phone receptionist manager clerk driver engineer playlist "
    "discount sample bottle lid drawer lamp mattress recipe sauce packaging logo newsletter survey interface password "
    "timetable platform meal locker elevator staircase carpet camera headset printer cartridge monitor mug umbrella "
    "helmet saddle tyre brake mirror heater filter hose pump ladder toolbox paint brush curtain shelf bracket hinge",
    "verb": "recommend return replace cancel explain change lose track improve ignore repair answer forget restart "
    "reset collect measure compare download print sell keep upgrade postpone confirm check carry clean deliver break",
    "place": "Lyon Porto Leeds Austin Kyoto Oslo Bergen Dublin Turin Ghent Denver Boston Madrid Utrecht Krakow Malmo "
    "Tampere Graz Basel Nantes Cork Perth Lagos Nairobi Lima Quito Bogota Toronto Halifax Omaha Tulsa Fresno",
    "when": "morning evening week month year Monday Tuesday Wednesday Thursday Friday weekend night summer winter "
    "quarter holiday time afternoon lunch spring",
    "relative": "mother father sister brother neighbour boss uncle aunt cousin colleague grandma grandpa daughter son "
    "wife husband flatmate teacher landlord team",
    "animal": "fox cat dog hedgehog heron owl squirrel otter duck pigeon badger horse goat snail bee spider",
}
_TAGS = "fail love help fyi monday service travel tech deals news wow rant review unboxing customerservice"
_EMOJI = "😡 😀 👍 🔥 😭 ❤️ 🙏 😂 🤔 👏"
_SOURCES = ("bluesky", "webhook", "mastodon", "reddit")


class Raw(NamedTuple):
    """One record of the raw topic."""

    key: bytes
    value: bytes


def rules_yaml() -> str:
    """The 100 rules as a rule file."""
    lines = [
        "ruleset: standard-load",
        "defaults: {lang: any, fields: [text, title, image_text, quoted_text]}",
        "terms:",
    ]
    lines += [f"  {name}: '({' OR '.join(words.split())})'" for name, words in (THINGS | TROUBLES).items()]
    lines.append("brands:")
    for brand in BRANDS:
        low = brand.lower()
        lines += [
            f"  - id: {low}",
            f'    own_accounts: ["bluesky:{brand}Cares", "reddit:{brand}Cares"]',
            f"    match: '{brand} OR @{brand} OR @{brand}Cares'",
            f"""    exclude: '"{low} street"'""",
        ]
    lines.append("issues:")
    lines += [f"  - {{id: {a}_{b}, match: '${a} AND ${b}'}}" for a in THINGS for b in TROUBLES]
    return "\n".join(lines) + "\n"


def standard_load(records: int, seed: int = SEED) -> Iterator[Raw]:
    """The first `records` records, in order."""
    chance = random.Random(seed)
    words = {name: each.split() for name, each in _WORDS.items()}
    texts: deque[str] = deque(maxlen=REMEMBERED_TEXTS)
    again: deque[Raw] = deque(maxlen=REMEMBERED_TEXTS)
    for number in range(records):
        if again and chance.random() < REDELIVERED:
            yield again[chance.randrange(len(again))]
            continue
        if texts and chance.random() < REPOSTED:
            text = texts[chance.randrange(len(texts))]
        else:
            text = _text(chance, words)
            texts.append(text)
        mention = _mention(chance, number, text)
        raw = Raw(mention.id.encode(), encode(mention))
        again.append(raw)
        yield raw


def _mention(chance: random.Random, number: int, text: str) -> Mention:
    source = chance.choice(_SOURCES)
    author = chance.randrange(200_000)
    observed = BEGINS + number * EVERY - timedelta(milliseconds=chance.randrange(JITTER_MS))
    return Mention(
        id=f"{source}:{number + 7_000_000_000}",
        source=source,
        observed_at=observed,
        posted_at=observed - timedelta(milliseconds=chance.randrange(3 * JITTER_MS)),
        ingested_at=observed + timedelta(milliseconds=chance.randrange(JITTER_MS)),
        text=text,
        lang="en" if chance.random() < DECLARED else None,
        author_id=f"a{author:05d}",
        author_name=f"{chance.choice(_WORDS['animal'].split())}_{author:x}",
        url=f"https://{source}.example/{number:x}",
    )


def _text(chance: random.Random, words: dict[str, list[str]]) -> str:
    brands = []
    if chance.random() < MATCHED:
        brands = chance.sample(BRANDS, 2 if chance.random() < SECOND_BRAND else 1)
    template = chance.choice(_ABOUT if brands else _OTHERWISE)
    slots = {name: chance.choice(each) for name, each in words.items()}
    slots |= {"good2": chance.choice(words["good"]), "bad2": chance.choice(words["bad"])}
    slots["number"] = str(chance.randrange(2, 90))
    slots["thing"] = chance.choice(THINGS[chance.choice(tuple(THINGS))].split())
    slots["trouble"] = chance.choice(TROUBLES[chance.choice(tuple(TROUBLES))].split())
    if brands:
        slots["brand"] = ("" if chance.random() < 0.7 else "@") + brands[0]
    parts = [template.format_map(slots)]
    if len(brands) == 2:
        parts.append(f"Compared with {brands[1]}?")
    if chance.random() < 0.6:
        parts.insert(0, chance.choice(_OPENERS) + chance.choice((",", "...", ":", " -")))
    if chance.random() < 0.7:
        parts.append(chance.choice(_CLOSERS))
    if chance.random() < 0.15:
        parts.insert(0, f"@user{chance.randrange(10**6)}")
    if chance.random() < 0.12:
        parts.append(f"Order {chance.randrange(10**8)}.")
    if chance.random() < 0.15:
        parts.append(f"https://t.example/{chance.randrange(16**8):08x}")
    if chance.random() < 0.2:
        parts.append("#" + chance.choice(_TAGS.split()))
    if chance.random() < 0.1:
        parts.append(chance.choice(_EMOJI.split()) * chance.randrange(1, 4))
    text = " ".join(parts)
    return text.upper() if chance.random() < 0.02 else text.replace("'", "’") if chance.random() < 0.05 else text
