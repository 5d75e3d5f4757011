"""What is measured beside us is run as it is, with libraries of its own; it holds no tests."""

collect_ignore = ["incumbents"]
