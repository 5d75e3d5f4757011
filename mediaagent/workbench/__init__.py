"""Where untrusted files are opened."""
