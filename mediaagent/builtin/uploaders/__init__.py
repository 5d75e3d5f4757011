"""Uploaders that come along."""
