"""`python -m mediaagent` is `mediaagent`."""

from mediaagent.cli import main

if __name__ == "__main__":
    main()
