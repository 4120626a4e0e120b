"""What a contract says in words. What can be read off the code is not said here."""

from __future__ import annotations

from typing import Final

ABOUT: Final = """\
Groundswell listens to what people say about brands. Anybody may read its topics; this document and the guide beside it
(README.md) are all that it takes. Generated from the code by `make contracts`; the examples are records of a real run.

**Wire format.** The value is plain JSON; a field that is absent has its default. Headers carry CloudEvents 1.0 attributes
(binary mode); nobody has to read them. The JSON Schema of each topic's value is in schemas/, named after the topic.

**Partitioner.** Java's default: murmur2 of the key. librdkafka's default is another one: set `partitioner=murmur2_random`
when you write mentions. Partition counts are fixed when topics are created; those given here are the defaults.

**Re-sends.** Delivery is at least once: after a crash a stretch of records comes again, in the same order and the same
partition, each with the `ce_id` and the origin of the first time. Nothing is transactional, so isolation levels change nothing.

**Exact counting.** Whoever counts `mentions.scored` keeps, for each brand and each origin partition, the highest origin
(epoch, offset) that was counted, and skips what is not higher. Keep it where the counts are, written together with them.

**Deletes.** A Removal says whose text, author and id must vanish, on `mentions.scored` and `spikes`. An open alert is published
again without what was removed. On compacted topics a null value (a tombstone) takes a key away. Tombstones for the key
`\\0tidy` take away nothing: they let Kafka compact.

**Time.** Three clocks, never mixed: `posted_at` is what the author's client claims, `observed_at` when the network witnessed it
(event time: windows and detection), `ingested_at` when Groundswell received it. Kafka's own timestamp is when a record was
appended. Times are RFC 3339 with an offset.

**Evolution.** Within a topic only fields, `kind`s and words of an enumeration are ever added. Ignore a field that you do not
know, skip a `kind` that you do not know, and take a word that you do not know for "something else". Anything else would be a
new topic. CHANGELOG.md names each change.
"""

OF_TOPICS: Final = {
    "mentions.raw": "Everything that was heard, as sources write it; write here to be heard. The key is the mention's id, "
    "so that an edit or a deletion meets what it is about. A record that intake cannot read goes to `dead-letters`.",
    "mentions.scored": "One record for each (mention, brand): what it is about and how it sounds; and what must be forgotten. "
    "Within a partition, records of one origin partition come in the order of their origins; between origin partitions "
    "there is no order, and observed_at is in none.",
    "rules": "The rules that judge mentions: every version that was ever published, and which one is in force for what comes. "
    "`groundswell rules publish` writes it; a version is never taken away, because a replay may need it. Compacted.",
    "dead-letters": "Records of `mentions.raw` that could not be read, bytes unchanged. Headers say why and where from. A "
    "tombstone takes one away whose author or mention is gone.",
    "spikes": "What detectors say: steps of an episode in which a brand's series is unusual; and what must be forgotten. For "
    "incidents as people see them read `alerts`.",
    "brand-stats": "The latest figures of each brand, about once a minute of event time. Compacted: read it from the start and "
    "you know every brand.",
    "alerts": "Incidents, each step of their lives, and every open one again each minute: pages, which want somebody now, and "
    "tickets, which do not; a ticket may become a page. Compacted: read it from the start, "
    "keep the highest step of each id, and you know all that is open or was resolved in the last 30 days; then a "
    "tombstone takes it away. The partition is the brand's, not the key's. What a removal takes from an open alert is "
    "absent from its next step, which comes at once; a resolved alert shows no samples. A sample that was edited reads as "
    "before until a step brings new evidence. Samples are what strangers wrote: escape them before you show them.",
    "sources": "How each source does, and where it goes on after a restart. Compacted.",
}

OF_MESSAGES: Final = {
    "Mention": "One post, message, call or review.",
    "ScoredMention": "A mention of a brand. Groundswell counts those with op `create` whose author_role is `public`: an edit is no "
    "new mention. Of these, one that is `late` moves no window.",
    "Removal": "Forget a mention, or all that an author said. Doing it twice does no harm.",
    "Mark": "How far time has come; skip it unless you close windows. Each partition has its own: never drop one as a repetition "
    "of another partition's.",
    "RulesChanged": "Another version of the rules judges from here on; `rules` holds it. Skip it unless you act by the rules.",
    "Ruleset": "A version of the rules. Another text has another version.",
    "InForce": "Replaces what was in force before.",
    "Finding": "A step of an episode.",
    "BrandStats": "Replaces what was said of the brand before.",
    "Alert": "A step of an incident. A re-send, and a re-publication of an open alert, carry the step and the ce_id that are known.",
    "SourceState": "Replaces what was said of the source before.",
    "DeadLetter": "The original bytes.",
    "Tombstone": "Whatever had this key is gone.",
}

OF_IDS: Final = {
    "ScoredMention": "Of the mention, its op, its revision (without one: epoch and offset) and the brand.",
    "Removal": "Of its origin and brand; `*` where it has none. The same on `mentions.scored` and on `spikes`.",
    "Mark": "Of its origin and time.",
    "RulesChanged": "Of its origin, number and version.",
    "Finding": "Of brand, detector, series, episode and step.",
    "BrandStats": "Of brand and time.",
    "Alert": "Of the alert and the step.",
    "SourceState": "Of the source and the time.",
}

OF_TRACES: Final = (
    "The W3C trace that the mention belongs to. Only where whoever wrote it to `mentions.raw` said so: it is handed on to "
    "`mentions.scored`, and ends there."
)

OF_LETTERS: Final = {
    "dlq.reason": "Why, a word of a closed set.",
    "dlq.detail": "Where and what was expected; at most 1,000 characters.",
    "dlq.original-key": "The key of the record; absent where it had none.",
    "dlq.original-partition": "Where in mentions.raw it stands.",
    "dlq.original-offset": "Where in mentions.raw it stands.",
    "dlq.original-epoch": "Counts the logs that mentions.raw has had.",
    "dlq.original-timestamp": "When Kafka took it.",
    "dlq.original-size": "Bytes; only where the value was too large to be kept whole.",
    "dlq.attempts": "How often it was sent back; absent: never.",
}
OPTIONAL_OF_LETTERS: Final = ("dlq.original-key", "dlq.original-size", "dlq.attempts")
