"""mediaagent posts what cameras, phone systems and test runs leave behind: once, whole, with a reason for everything."""

__version__ = "0.1.0"
