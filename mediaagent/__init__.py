"""mediaagent posts what cameras, phone systems and test runs leave behind: once, whole, each step explained."""

__version__ = "0.1.0"
