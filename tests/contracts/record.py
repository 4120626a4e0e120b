"""Record the examples of the AsyncAPI document anew, from a real run: `python -m tests.contracts.record`."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path
from typing import Any

from agents.cli.localkafka import LocalKafka
from streams.contracts import EXAMPLES
from tests.contracts.run import Run, happen

Wanted = tuple[str, str, str, str, dict[str, Any]]
SHOWN: tuple[Wanted, ...] = (
    ("Mention", "post", "A post.", "mentions.raw", {"source": "unrest"}),
    ("Mention", "edit", "The same mention reads otherwise now.", "mentions.raw", {"op": "update"}),
    ("Mention", "deletion", "A mention is gone.", "mentions.raw", {"op": "delete"}),
    ("Mention", "account", "All that an author said is gone.", "mentions.raw", {"op": "account_removed"}),
    ("ScoredMention", "mention", "A mention of a brand.", "mentions.scored", {"kind": "mention", "source": "unrest"}),
    ("ScoredMention", "edit", "An edit, which counts nothing.", "mentions.scored", {"kind": "mention", "op": "update"}),
    ("Removal", "deleted", "A mention is gone.", "mentions.scored", {"kind": "removal", "why": "deleted"}),
    ("Removal", "left", "It is no longer about this brand.", "mentions.scored", {"why": "no_longer_matched"}),
    ("Removal", "account", "All by this author is gone.", "mentions.scored", {"why": "account_removed"}),
    ("Mark", "mark", "All of the origin's partition up to this time is told.", "mentions.scored", {"kind": "mark"}),
    (
        "RulesChanged",
        "rules",
        "Mentions of the origin's partition are judged by these.",
        "mentions.scored",
        {"number": 1},
    ),
    ("Ruleset", "version", "A version of the rules.", "rules", {"kind": "ruleset"}),
    ("InForce", "current", "It judges what comes.", "rules", {"kind": "in_force"}),
    ("Finding", "open", "An episode begins.", "spikes", {"kind": "finding", "state": "open"}),
    ("Finding", "over", "It is over.", "spikes", {"kind": "finding", "state": "over"}),
    ("BrandStats", "figures", "A brand's figures.", "brand-stats", {}),
    ("Alert", "fired", "An incident begins.", "alerts", {"change": "fired"}),
    ("Alert", "updated", "There is more to it, or something was removed.", "alerts", {"change": "updated"}),
    ("Alert", "refreshed", "It is still open.", "alerts", {"change": "refreshed"}),
    ("Alert", "resolved", "It is over.", "alerts", {"change": "resolved"}),
    ("SourceState", "source", "A source, and how it does.", "sources", {}),
    ("DeadLetter", "letter", "A record without a readable id.", "dead-letters", {}),
)


def examples(run: Run) -> list[dict[str, Any]]:
    """One record of each kind, the last that there is."""
    shown = []
    for message, name, summary, topic, said in SHOWN:
        record = [one for one in run.of(topic, **said) if one.value is not None][-1]
        headers = {header: value.decode() for header, value in record.headers}
        payload = record.value.decode() if message == "DeadLetter" else json.loads(record.value)
        key = f"Key: `{record.key.decode()}`." if record.key else "No key."
        one = {"message": message, "name": name, "summary": f"{summary} {key}", "headers": headers, "payload": payload}
        shown.append({part: value for part, value in one.items() if value})
    return shown


async def main() -> None:
    """Run, and write down."""
    with tempfile.TemporaryDirectory() as folder:
        broker = LocalKafka(Path(folder) / "kafka")
        broker.start()
        try:
            await broker.wait_ready()
            run = await happen(broker, "", Path(folder), hostile="")
        finally:
            broker.stop()
    EXAMPLES.write_text(json.dumps(examples(run), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(main())
