"""Watchers that come along."""
