"""The command line: one small module a command; `commands` has the group that finds them."""
