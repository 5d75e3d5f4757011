"""`python -m mediaagent`: the command line."""

from __future__ import annotations

from mediaagent.cli import main

if __name__ == "__main__":
    main(prog_name="mediaagent")
