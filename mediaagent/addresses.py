"""What the address of a site and the name of its user may be. Imports little: `post --queue` asks, too.

>>> site_complaint("htp://example.org")
'"htp://example.org" is no web address; write "https://example.org"'
>>> clear_text("http://example.org"), clear_text("http://localhost:8080")
(True, False)
"""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

__all__ = ["clear_text", "of_this_machine", "site_complaint", "user_complaint"]

#: Bytes of one word of a host's name, at the most.
_LONGEST_WORD = 63


def site_complaint(site: str) -> str | None:
    """What is wrong with the address of a site's home page."""
    if "@" in site.partition("://")[2].partition("/")[0]:  # looked at first: it is not repeated
        return "the address has a user name or a password in it; write them as `user` and `key`"
    try:
        parts = urlsplit(site)
        parts.port  # noqa: B018  (raises when it is no number)
    except ValueError as error:
        return f"{_quoted(site)} is no web address: {error}"
    if parts.scheme not in ("http", "https") or not _is_host(parts) or not site.isprintable() or " " in site:
        return f'{_quoted(site)} is no web address; write "https://example.org"'
    if parts.query or parts.fragment:
        return (
            f'{_quoted(site)} goes on after the path; write the address of the home page alone: "https://example.org"'
        )
    return None


def _quoted(site: str) -> str:
    """Fit for any terminal."""
    return '"' + "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in site) + '"'


def _is_host(parts: SplitResult) -> bool:
    """Whether the resolver would take it for a name; it raises strange errors for what it does not."""
    name = parts.hostname or ""
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return False
    return all(0 < len(word) <= _LONGEST_WORD for word in name.removesuffix(".").split("."))


def user_complaint(user: str) -> str | None:
    """What is wrong with a user's name: it travels in a header."""
    return None if user.isascii() and user.isprintable() and user.strip() == user != "" else f"{user!r} is no user name"


def clear_text(site: str) -> bool:
    """Whether others on the way could read what is sent there."""
    return urlsplit(site).scheme == "http" and not of_this_machine(site)


def of_this_machine(site: str) -> bool:
    """Whether it is served by this machine itself."""
    host = urlsplit(site).hostname or ""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    import ipaddress

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
