"""Who speaks for himself: reposts, copies, near-copies and people who repeat themselves weigh less.

Nothing is dropped. Each mention gets its `Voice`, and detectors count by its weight. Copies are found
by MinHash over a text's words (Broder, On the resemblance and containment of documents, 1997), in
bands (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, 3.4) over the latest texts only. All
memories are of fixed size, and the newest takes the place of the oldest.
"""

from __future__ import annotations

from operator import eq
from struct import Struct as Layout
from typing import Final

import msgspec
from msgspec import Struct
from rensa import RMinHash

from streams.core.detectors.interface import Heard, Voice
from streams.core.detectors.wording import words_of

TEXTS = 1024
"""Texts remembered: half a day of a brand with 85 mentions an hour."""
HASHES, BANDS = 16, 4
ROWS = HASHES // BANDS
SLOTS = 1024  # of each band
ALIKE = 9
"""Of HASHES: more than half of the words are the same. By chance, about one comparison in 10^9."""
MOST_BITS_APART = 8 * (HASHES - ALIKE)
"""Digests with more unequal bits have too many unequal bytes: nine of ten comparisons need no closer look."""
FEWEST_WORDS = 4
"""Of fewer words, people say the same thing independently: "love it"."""
COPY_WEIGHT, REPEAT_WEIGHT = 0.25, 0.1
TEMPLATES = 0.5
"""Where so large a share of all texts is like an earlier one, people speak in phrases, and a copy is no sign of anything."""
USUAL_SHARE_KEPT = 0.5 ** (1 / 2000)
"""Per mention: after 2,000 more, a past one counts half in what share of them is usual."""

AUTHORS = 1024
REPEAT_S = 6 * 3600
KNOWN_BITS = 1 << 15
"""Bits of one of the two generations of known authors; half full, the older is forgotten."""

_words_of_32_bits: Final = Layout(f"<{HASHES}I").pack
_halves: Final = Layout("<2Q").unpack_from


class Voices(Struct, array_like=True):
    """One brand's memory. `digests` holds HASHES bytes for each of the latest texts, `bands` where in it to look.

    What nothing is in yet is empty: most brands are small.
    """

    texts: int = 0
    digests: bytearray = msgspec.field(default_factory=bytearray)
    bands: bytearray = msgspec.field(default_factory=lambda: bytearray(2 * BANDS * SLOTS))
    spoke: dict[int, int] = {}
    """When each author, by 32 bits of the hash, spoke last."""
    known: bytearray = msgspec.field(default_factory=lambda: bytearray(KNOWN_BITS // 8))
    known_before: bytearray = msgspec.field(default_factory=bytearray)
    known_bits: int = 0
    copied: float = 0.0
    """The usual share of copies."""


class Independence:
    """Gives each mention of a brand its voice; holds no state of its own."""

    state_type: Final = Voices

    def start(self, now_s: float) -> Voices:  # noqa: ARG002
        """A brand first heard of at `now_s`."""
        return Voices()

    def hear(self, state: Voices, heard: Heard) -> Voice:
        """Judge one mention by those before it, and remember it. Time that goes back does no harm."""
        words = words_of(heard.text)
        alike = _alike(state, words) if len(words) >= FEWEST_WORDS else 0
        copy = alike >= ALIKE
        state.copied += (1 - USUAL_SHARE_KEPT) * (copy - state.copied)
        copy = copy and state.copied < TEMPLATES
        repeated = _repeated(state, heard.author & 0xFFFFFFFF, int(heard.at_s))
        first_seen = _first_seen(state, heard.author)
        weight = (COPY_WEIGHT if copy else 1.0) * (REPEAT_WEIGHT if repeated else 1.0)
        return Voice(weight=weight, copy=copy, altered=copy and alike < HASHES, first_seen=first_seen)


def _alike(state: Voices, words: tuple[str, ...]) -> int:
    """How much of a text, of HASHES, one of the latest ones has; from ALIKE on it is its copy. From now on it is one."""
    sketch = RMinHash(num_perm=HASHES, seed=1)
    sketch.update(words)
    hashes = sketch.digest()
    digest = _words_of_32_bits(*hashes)[::4]  # the lowest byte of each
    low, high = _halves(digest)
    digests, bands = state.digests, memoryview(state.bands).cast("H")
    place, alike = state.texts % TEXTS, 0
    rows = zip(hashes[::ROWS], hashes[1::ROWS], hashes[2::ROWS], hashes[3::ROWS], strict=True)
    for band, (one, two, three, four) in enumerate(rows):
        slot = band * SLOTS + (one ^ two * 3 ^ three * 5 ^ four * 7) % SLOTS
        if alike < ALIKE and (before := bands[slot]):
            at = (before - 1) * HASHES
            other_low, other_high = _halves(digests, at)
            if (low ^ other_low).bit_count() + (high ^ other_high).bit_count() <= MOST_BITS_APART:
                alike = sum(map(eq, digest, digests[at : at + HASHES]))
        bands[slot] = place + 1
    digests[place * HASHES : (place + 1) * HASHES] = digest
    state.texts += 1
    return alike


def _repeated(state: Voices, author: int, at_s: int) -> bool:
    spoke = state.spoke
    before = spoke.pop(author, None)
    spoke[author] = at_s if before is None or before < at_s else before
    if len(spoke) > AUTHORS:
        del spoke[next(iter(spoke))]
    return before is not None and at_s - before < REPEAT_S


def _first_seen(state: Voices, author: int) -> bool:
    byte, bit = (author >> 35) % (KNOWN_BITS // 8), 1 << (author >> 32) % 8
    known = state.known
    if known[byte] & bit:
        return False
    before = state.known_before
    first = not (before and before[byte] & bit)
    known[byte] |= bit
    state.known_bits += 1
    if state.known_bits > KNOWN_BITS // 2:
        state.known_before, state.known, state.known_bits = known, bytearray(KNOWN_BITS // 8), 0
    return first
