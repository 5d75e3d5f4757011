"""A keyring in a file, for machines without a desktop: the real library, with this in a desktop's place."""

from __future__ import annotations

import json
from pathlib import Path

from keyring.backend import KeyringBackend
from keyring.errors import PasswordDeleteError

__all__ = ["FileKeyring"]


class FileKeyring(KeyringBackend):
    """Keeps its words in ~/keyring.json."""

    priority = 1

    @property
    def _path(self) -> Path:
        return Path("~/keyring.json").expanduser()

    def _words(self) -> dict[str, str]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._words().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path.write_text(json.dumps({**self._words(), f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        words = self._words()
        if words.pop(f"{service}/{username}", None) is None:
            raise PasswordDeleteError("there is no such password")
        self._path.write_text(json.dumps(words))
