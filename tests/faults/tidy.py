"""`groundswell`, but what was replaced is let go of each second instead of each hour."""

from __future__ import annotations

from agents.cli import main
from streams import ledger

if __name__ == "__main__":
    ledger.TIDY_EVERY_S = ledger.SETTLING_S = 1.0
    main()
