"""What travels: requests as PHP would read them, replies as nginx would send them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass
class Reply:
    """One answer of the site."""

    status: int
    body: bytes = b""
    media_type: str = "text/html; charset=UTF-8"
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, status: int, value: Any, media_type: str = "application/json") -> Reply:
        return cls(status, json.dumps(value, indent=4).encode(), media_type)

    @classmethod
    def page(cls, status: int, title: str) -> Reply:
        html = (
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<title>{title}</title>\n</head>\n<body>{title}</body></html>'
        )
        return cls(status, html.encode(), "text/html;charset=UTF-8")


@dataclass
class Upload:
    """One file part of a form."""

    field: str
    name: str
    media_type: str
    content: bytes


@dataclass
class Request:
    """One request, its body once it was read."""

    method: str
    target: str  # exactly as on the request line
    headers: dict[str, str]  # names in small letters
    fields: dict[str, str] = field(default_factory=dict)
    lists: dict[str, list[str]] = field(default_factory=dict)  # `tags[]`
    files: list[Upload] = field(default_factory=list)
    size: int = 0

    @property
    def path(self) -> str:
        return "/" + unquote(urlsplit("http://x" + self.target).path).strip("/")

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def secure(self) -> bool:
        return self.headers.get("x-forwarded-proto") == "https"

    @property
    def wants_json(self) -> bool:
        template = self.query.get("_t") or self.fields.get("_t")
        if template:
            return template == "json"
        accepted = self.headers.get("accept", "*/*").split(",")
        return accepted[0].split(";")[0].strip() == "application/json"

    def read_form(self, body: bytes) -> None:
        """Fills in fields and files the way PHP does."""
        self.size = len(body)
        media_type = self.headers.get("content-type", "")
        if media_type.startswith("multipart/form-data"):
            self._read_multipart(body, media_type.partition("boundary=")[2].strip('"').encode())
        elif media_type.startswith("application/json"):
            self.fields = {name: str(value) for name, value in json.loads(body or b"{}").items()}
        else:
            for name, value in parse_qsl(body.decode(), keep_blank_values=True, errors="surrogateescape"):
                self._add(name, value)

    def _add(self, name: str, value: str) -> None:
        if name.endswith("[]"):
            self.lists.setdefault(name[:-2], []).append(value)
        else:
            self.fields[name] = value

    def _read_multipart(self, body: bytes, boundary: bytes) -> None:
        for piece in body.split(b"--" + boundary)[1:-1]:
            head, _, content = piece[2:-2].partition(b"\r\n\r\n")
            text = head.decode("utf-8", "surrogateescape")
            name = re.search(r'\bname="((?:\\.|[^"\\])*)"', text)
            file_name = re.search(r'\bfilename="((?:\\.|[^"\\])*)"', text)
            kind = re.search(r"(?im)^content-type:\s*([^\r\n]+)", text)
            if name and file_name:
                plain = re.sub(r"\\(.)", r"\1", file_name[1])
                plain = re.split(r"[/\\]", plain)[-1]
                self.files.append(Upload(name[1], plain, kind[1].strip() if kind else "", content))
            elif name:
                self._add(name[1], content.decode("utf-8", "surrogateescape"))
