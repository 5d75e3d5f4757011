"""Hints and truth about watched folders."""
