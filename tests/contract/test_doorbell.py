"""The plug-in of docs/plugins.md keeps the watchers' contract."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from mediaagent.api import Watcher
from mediaagent.testing import WatcherContract

MODULE = Path(__file__).parent.parent / "data" / "doorbell_plugin" / "mediaagent_doorbell.py"


class TestDoorbell(WatcherContract):
    watched = ("front-0041.jpg", "front-0042.jpg", "back-0007.jpg")
    ignored = ("notes.txt", "front-41.jpg", "old/front-0041.jpg")

    def watcher(self, root: Path) -> Watcher:
        spec = importlib.util.spec_from_file_location("mediaagent_doorbell", MODULE)
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.Doorbell(path=root)  # type: ignore[no-any-return]
