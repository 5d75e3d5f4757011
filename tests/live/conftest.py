"""Tests against a real Known site: collected only when KNOWN_URL, KNOWN_USER and KNOWN_KEY name one.

They post there, as that user, and delete what they posted::

    KNOWN_URL=https://known.example.org KNOWN_USER=test KNOWN_KEY=… pytest tests/live
"""

from __future__ import annotations

import os

if not all(os.environ.get(name) for name in ("KNOWN_URL", "KNOWN_USER", "KNOWN_KEY")):
    collect_ignore_glob = ["test_*.py"]
