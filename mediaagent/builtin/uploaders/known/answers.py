"""Reads Known's answers, and sorts those that are no success into what the core understands.

Known says things in the body more than in the status: a success is status 200 *and* a JSON `location` that is a post;
the same 200 with HTML is a login page. Over plain http each answer carries a warning that looks like an error.
"""

from __future__ import annotations

import html
import json
import re
from datetime import UTC, datetime, timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import msgspec

from mediaagent.api import Deferred, Rejected, TooLarge

__all__ = ["Answer", "made", "plainly_uploaded", "reasons", "refusal_of", "refused_by_database", "uploaded"]

#: Added to every message of a site that is reached by plain http; says nothing of the request.
_CLEARTEXT = ("non-secured connection", "disable_cleartext_warning")
#: What the API says when the site's own disk or PHP failed, not the post.
_SITE_TROUBLE = ("saving your file", "failed to write file", "temporary folder", "partially uploaded", "php extension")
_LONGEST_WAIT = timedelta(days=1)
#: A body over post_max_size arrives without its fields; the site then crashes with exactly one of these. PHP's own
#: default is 8 MB and nobody's limit is under 256 kB, so a smaller body that meets one has another trouble.
_POST_MAX_SIZE = {"TypeError": "array_filter()", "Error": "Object of class Idno\\Core\\Language"}
#: The Media plug-in says this then, and the micropub endpoint nothing at all when upload_max_filesize was met.
_UNEXPLAINED = "for an unknown reason"
_SMALLEST_LIMIT = 256_000


class Answer(msgspec.Struct, frozen=True, dict=True):
    """What the site answered to one request."""

    status: int
    headers: Message  # names in any case
    body: bytes

    @cached_property
    def json(self) -> Any:
        """The body's JSON value; None when it is none."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def get(self, name: str) -> Any:
        """A member of the body's JSON object; None when there is none."""
        value = self.json
        return value.get(name) if isinstance(value, dict) else None


def reasons(answer: Answer) -> str:
    """The site's own messages in plain words; "" when it gave none."""
    messages = answer.get("messages")
    texts = (
        [entry.get("message") for entry in messages if isinstance(entry, dict)] if isinstance(messages, list) else []
    )
    plain = [_plain(text) for text in texts if isinstance(text, str)]
    return "; ".join(text for text in plain if text and not any(mark in text for mark in _CLEARTEXT))


def _plain(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", text)).split())


def refused_by_database(answer: Answer) -> bool:
    """A 400 that gives no reason: the database did not take the row, and nothing was made."""
    return answer.status == 400 and reasons(answer) in ("", "Something went wrong.")


def made(answer: Answer, site: str, what: str, size: int) -> str:
    """The permalink of the post that a POST made, or raises what the core is to do.

    `site` is the address asked, `what` the request in words, `size` the bytes sent.
    The permalink's host may be another than ours: a site answers with its configured address, whatever address it was
    reached by. The read-back, always at our own address, proves the post.
    """
    if answer.status == 200:
        location = answer.get("location")
        if isinstance(location, str) and _is_post(location, site):
            return _without_template(location)
        raise Deferred(f"{what}: {_no_success(answer)}", in_doubt=True)
    raise refusal_of(answer, what, size)


def uploaded(answer: Answer, what: str, size: int) -> str:
    """The address of the file that the micropub endpoint took in, or raises what the core is to do."""
    if answer.status == 201:
        url = answer.headers.get("location") or answer.get("url")
        if isinstance(url, str) and _is_file(url):
            return url
    if answer.status == 400 and answer.get("error") == "cannot_save_media" and not reasons(answer):
        if size > _SMALLEST_LIMIT:
            raise TooLarge(f"{what}: the site does not keep {size} bytes; its upload_max_filesize may be smaller")
        raise Deferred(f"{what}: the site could not keep the file, and gave no reason (400)")
    raise refusal_of(answer, what, size)


def plainly_uploaded(answer: Answer, what: str, size: int) -> str:
    """The same for /file/upload, which says nothing but 200 when it took nothing."""
    if answer.status == 200 and isinstance(answer.json, str) and _is_file(answer.json):
        return answer.json
    if answer.status == 200 and not answer.body.strip():
        if size > _SMALLEST_LIMIT:
            raise TooLarge(f"{what}: the site took nothing of {size} bytes; its upload_max_filesize may be smaller")
        raise Deferred(f"{what}: the site took nothing, and gave no reason: is its disk full?")
    raise refusal_of(answer, what, size)


def _is_file(url: str) -> bool:
    parts = urlsplit(url)
    found = re.search(r"/file/[A-Za-z0-9]+$", parts.path)
    return parts.scheme in ("http", "https") and bool(parts.netloc) and found is not None


def _is_post(location: str, site: str) -> bool:
    parts = urlsplit(location)
    path = parts.path.rstrip("/")
    return (
        parts.scheme in ("http", "https") and bool(parts.netloc) and path not in ("", urlsplit(site).path.rstrip("/"))
    )


def _without_template(location: str) -> str:
    parts = urlsplit(location)
    query = urlencode([(name, value) for name, value in parse_qsl(parts.query) if name != "_t"])
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def _no_success(answer: Answer) -> str:
    if answer.json is None:
        return "the answer is a web page, not Known's: a login page or another server is in between"
    return f"the answer names no post{_because(answer)}"


def _because(answer: Answer) -> str:
    said = reasons(answer)
    return f': "{said}"' if said else ""


def refusal_of(answer: Answer, what: str, size: int) -> Deferred | Rejected | TooLarge:
    """What to raise for an answer that is no success."""
    status = answer.status
    if status == 400:
        return _refused(answer, what, size)
    if status == 413:
        return TooLarge(f"{what}: the web server takes no {size} bytes (413)")
    if status == 500 and _over_post_max_size(answer) and size > _SMALLEST_LIMIT:
        return TooLarge(f"{what}: {size} bytes are over the site's post_max_size")
    if status == 403 and answer.json is None:  # Known answers us in JSON; a filter in front of it does not
        return Deferred(f"{what}: the web server in front of Known refuses this request (403); see its log")
    words = {
        401: "the web server wants another password than Known's (401)",
        403: "the site does not accept the user name or the key (403); compare both with the site's settings",
        404: "the site does not know this address (404): the plug-in for this kind of post is off, or it is no Known",
        429: "too many requests (429)",
    }.get(status, f"the site answered {status}{_because(answer)}")
    if 300 <= status < 400:
        words = f"the site redirects to {answer.headers.get('location', 'nowhere')} ({status}): it does not take us as"
        words += " signed in, or `site` is not its real address"
    return Deferred(
        f"{what}: {words}",
        retry_after=_retry_after(answer) if status in (429, 503) else None,
        in_doubt=status >= 500 or 200 <= status < 300,
        target_down=status != 500,
    )


def _refused(answer: Answer, what: str, size: int) -> Deferred | Rejected | TooLarge:
    said = reasons(answer)
    if refused_by_database(answer):
        return Deferred(f"{what}: the site's database did not take the post, and gave no reason (400)")
    if "exceeds" in said or (_UNEXPLAINED in said and size > _SMALLEST_LIMIT):
        return TooLarge(f"{what}: {said}")
    if _UNEXPLAINED in said:
        return Deferred(f"{what}: {said}")
    if any(mark in said.lower() for mark in _SITE_TROUBLE):
        return Deferred(f"{what}: {said}", target_down=True)
    return Rejected(f"{what}: {said}")


def _over_post_max_size(answer: Answer) -> bool:
    exception = answer.get("exception")
    if not isinstance(exception, dict):
        return False
    known = _POST_MAX_SIZE.get(str(exception.get("class")))
    return known is not None and str(exception.get("message")).startswith(known)


def _retry_after(answer: Answer) -> timedelta | None:
    value = answer.headers.get("retry-after", "").strip()
    if value.isdecimal():
        return min(timedelta(seconds=int(value[:9])), _LONGEST_WAIT)
    try:
        until = parsedate_to_datetime(value)
        now = parsedate_to_datetime(answer.headers["date"]) if "date" in answer.headers else datetime.now(UTC)
        return max(timedelta(), min(until - now, _LONGEST_WAIT))
    except (TypeError, ValueError):
        return None
