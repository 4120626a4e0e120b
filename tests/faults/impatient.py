"""`groundswell`, but a delivery that failed is tried again after tenths of a second instead of hours."""

from __future__ import annotations

from agents.cli import main
from streams.core import deliveries

if __name__ == "__main__":
    deliveries.BACKOFF_S = (0.2,)
    main()
