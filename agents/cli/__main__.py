"""`python -m agents.cli`: the `groundswell` command without its installed script."""

from agents.cli import main

main(prog_name="groundswell")
