"""Enrichers that come along."""
