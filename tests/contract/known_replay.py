"""Sends recorded requests to the double, and compares what it answers with what a real site was recorded to answer."""

from __future__ import annotations

import gzip
import http.client
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from mediaagent.builtin.uploaders.known.signing import signature
from tests.doubles.known import BIRDCAM_KEY, PBX_KEY, STOCK, KnownDouble
from tests.doubles.known_site import Limits

DATA = Path(__file__).parents[1] / "data" / "known"
HOST = "http://127.0.0.1:8090"  # where the recordings were made
KEYS = {"birdcam": BIRDCAM_KEY, "pbx": PBX_KEY, "birdcam@example.org": BIRDCAM_KEY}
#: Shown otherwise by every site: its plug-ins, its forms.
OPAQUE = {"formFields"}
#: Texts that count as they are.
EXACT = {"message", "message_type", "filename", "objectType", "mime-type", "count", "tags", "displayName"}
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{32}\b")
_BOUNDARY = "----recorded"
SOUNDS = {"t.wav": 176_478, "t.ul": 176_478, "t.m4a": 18_779, "t.ogg": 6_965, "t.mp4": 6_227, "t.opus": 18_046}
SOUNDS |= {"t.flac": 32_487, "x.log": 9}
#: What the site's owner did between the recordings.
MEDIA_SWITCHED_ON = 105
UNWRITABLE = range(526, 530)
WEBHOOK_ADDED = 495


def recordings() -> list[dict[str, Any]]:
    with gzip.open(DATA / "recordings.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


@dataclass
class Replay:
    """Plays recordings in their order, and learns which of the double's ids stands for which recorded one."""

    double: KnownDouble
    ids: dict[str, str] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)  # recorded permalink's path -> the double's

    def play(self, recorded: dict[str, Any]) -> list[str]:
        """What the double answers otherwise than the real site did, in words."""
        site = self.double.site
        site.limits = Limits() if recorded["site"].startswith("large") else STOCK
        if recorded["n"] >= MEDIA_SWITCHED_ON:
            site.plugins.add("media")
        if recorded["n"] >= WEBHOOK_ADDED:
            site.services = {"webhooks": [("http://127.0.0.1:8099/hook", "local")]}
        site.writable = recorded["n"] not in UNWRITABLE
        status, headers, text = self._send(recorded)
        problems = (
            [] if status == recorded["status"] else [f"status {status}, recorded {recorded['status']}: {text[:300]}"]
        )
        problems += _compare_headers(recorded["response_headers"], headers)
        if recorded["path"].startswith("/file/") and recorded["method"] != "POST":
            problems += self._compare_download(recorded, headers)
        if recorded["body"] and not problems:
            theirs, ours = json.loads(recorded["body"]), json.loads(text)
            problems += _differences("", theirs, ours)
            self._learn(theirs, ours)
        return problems

    def _compare_download(self, recorded: dict[str, Any], headers: dict[str, str]) -> Iterator[str]:
        theirs, ours = recorded["response_headers"].get("content-length"), headers["content-length"]
        if recorded["status"] < 300 and theirs != ours and "image/jpeg" not in headers["content-type"]:
            yield f"{ours} bytes, recorded {theirs}"  # two encoders of JPEG need not agree

    def _send(self, recorded: dict[str, Any]) -> tuple[int, dict[str, str], str]:
        target, headers = self._target(recorded["path"]), dict(recorded["headers"])
        headers.pop("Transfer-Encoding", None)
        name, given = headers.get("X-KNOWN-USERNAME", ""), headers.get("X-KNOWN-SIGNATURE")
        key = KEYS.get(name.lower())
        if given and key and given == signature(key, recorded["path"]):
            headers["X-KNOWN-SIGNATURE"] = signature(key, target)  # ids in the path are the double's own
        body = self._body(recorded, headers)
        connection = http.client.HTTPConnection(urlsplit(self.double.address).netloc, timeout=10)
        try:
            connection.request(recorded["method"], target, body, headers)
            response = connection.getresponse()
            found = {header.lower(): value for header, value in response.getheaders()}
            return response.status, found, response.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def _target(self, path: str) -> str:
        parts = urlsplit("http://x" + path)
        place = self.places.get(parts.path)
        if place:
            return place + (f"?{parts.query}" if parts.query else "")
        return self._own(path)

    def _own(self, text: str) -> str:
        return _ID.sub(lambda match: self.ids.get(match[0], match[0]), text.replace(HOST, self.double.address))

    def _body(self, recorded: dict[str, Any], headers: dict[str, str]) -> bytes | None:
        if "form" in recorded:
            headers["Content-Type"] = f"multipart/form-data; boundary={_BOUNDARY}"
            return b"".join(_part(self._own(entry)) for entry in recorded["form"]) + f"--{_BOUNDARY}--\r\n".encode()
        if "data" in recorded:
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
            # as curl's --data-urlencode sent it, save for escapes that stand in the recording
            pairs = [pair.partition("=") for pair in re.split(r"&(?=[\w\[\]]+=)", self._own(recorded["data"]))]
            if headers["Content-Type"] == "application/json":
                return self._own(recorded["data"]).encode()
            return "&".join(f"{name}={quote(value, safe='%')}" for name, _, value in pairs).encode()
        return None

    def _learn(self, theirs: Any, ours: Any) -> None:
        if isinstance(theirs, dict) and isinstance(ours, dict):
            for key in theirs.keys() & ours.keys():
                self._learn(theirs[key], ours[key])
        elif isinstance(theirs, list) and isinstance(ours, list):
            for one, other in zip(theirs, ours, strict=False):
                self._learn(one, other)
        elif isinstance(theirs, str) and isinstance(ours, str):
            self.ids |= dict(zip(_ID.findall(theirs), _ID.findall(ours), strict=False))
            if theirs.startswith(HOST) and re.match(r"/\d{4}/", urlsplit(theirs).path):
                self.places[urlsplit(theirs).path] = urlsplit(ours).path


def _part(entry: str) -> bytes:
    name, _, value = entry.partition("=")
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"'
    if not value.startswith("@f/"):
        return f"{head}\r\n\r\n{value}\r\n".encode()
    options = dict(option.split("=", 1) for option in value.split(";")[1:])
    source = value[3:].split(";")[0]
    kind = options.get("type", _curls_type(source))
    head += f'; filename="{options.get("filename", source)}"\r\nContent-Type: {kind}\r\n\r\n'
    return head.encode() + _content(source) + b"\r\n"


def _curls_type(source: str) -> str:
    kinds = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "svg": "image/svg+xml"}
    return kinds.get(source.rpartition(".")[2], "application/octet-stream")


def _content(source: str) -> bytes:
    """The uploaded file; those that were only big are made up to their size."""
    pictures = DATA / "files"
    sizes = {"three.jpg": 5_000_000, "big.jpg": 17_000_000, "30m.bin": 30_000_000}
    if source in sizes:
        return (pictures / "b.jpg").read_bytes().ljust(sizes[source], b"\0")
    if source in SOUNDS:
        return bytes(SOUNDS[source])  # the site looks at their names only
    return (pictures / ("o6.jpg" if source == "a.jpg" else source)).read_bytes()


def _compare_headers(recorded: dict[str, str], ours: dict[str, str]) -> Iterator[str]:
    theirs = recorded.get("content-type", "").split(";")[0]
    if theirs and ours.get("content-type", "").split(";")[0] != theirs:
        yield f"content-type {ours.get('content-type')}, recorded {theirs}"
    if ("location" in recorded) != ("location" in ours):
        yield f"location {ours.get('location')}, recorded {recorded.get('location')}"
    elif "location" in recorded and _place(recorded["location"]) != _place(ours["location"]):
        yield f"location {ours['location']}, recorded {recorded['location']}"


def _place(location: str) -> tuple[str, str]:
    parts = urlsplit(location)
    return _ID.sub("an id", parts.path), parts.query


def _differences(where: str, theirs: Any, ours: Any) -> Iterator[str]:
    name = where.rpartition(".")[2]
    if name in OPAQUE:
        return
    if type(theirs) is not type(ours):
        yield f"{where} is {ours!r}, recorded {theirs!r}"
    elif name == "contentTypes":
        return  # an object for a signed-in reader; which ones depends on the plug-ins
    elif isinstance(theirs, dict):
        if theirs.keys() != ours.keys():
            yield f"{where} has {sorted(ours)}, recorded {sorted(theirs)}"
        for key in theirs.keys() & ours.keys():
            yield from _differences(f"{where}.{key}", theirs[key], ours[key])
    elif isinstance(theirs, list):
        if len(theirs) != len(ours) and name != "csrf":
            yield f"{where} has {len(ours)} entries, recorded {len(theirs)}: {ours!r}"[:600]
        for one, other in zip(theirs, ours, strict=False):
            yield from _differences(where, one, other)
    elif name in EXACT and theirs != ours:
        yield f"{where} is {ours!r}, recorded {theirs!r}"
