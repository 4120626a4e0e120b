"""`groundswell`, but it also says what the libraries do by themselves: restart an agent that crashed, join the group."""

from __future__ import annotations

import logging

from agents.cli import logs, main

if __name__ == "__main__":
    logs.LEVELS |= {"faust.agents": logging.INFO, "aiokafka": logging.INFO}
    main(prog_name="groundswell")
