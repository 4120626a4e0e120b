"""Write the contracts: `make contracts`."""

from __future__ import annotations

from streams.contracts import contracts

for path, content in contracts():
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    print(path)
