"""Memory that survives."""
