"""Signs a request the way Known's API checks it: HMAC-SHA256 over the request target, by the user's API key.

Source: Known 1.6.2, `Idno/Core/Session.php` (tryAuthUser). The message is the target exactly as it stands on the
request line: leading slash, percent-encoding and query as sent. Host, method, body and time are not signed.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from urllib.parse import quote

__all__ = ["signature", "target"]

_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")


def signature(key: str, target: str) -> str:
    """The value of X-KNOWN-SIGNATURE.

    >>> signature("sk1uq2k9umxfgwfmhdaeuj9zdgr18taj", "/currentUser/?_t=json")
    'pUCtsHuTe7IJSzBdZfVoLVzUZ9gCniri5ThULwQY8pM='
    """
    digest = hmac.new(key.encode("utf-8"), target.encode("ascii"), hashlib.sha256).digest()
    return base64.b64encode(digest).decode("ascii")


def target(path: str) -> str:
    """`path` (with its query) in the one spelling that no HTTP library changes again: escapes in capitals, ASCII only.

    >>> target("/2026/%e9%b3%a5-Ö?_t=json")
    '/2026/%E9%B3%A5-%C3%96?_t=json'
    """
    return _ESCAPE.sub(lambda match: match[0].upper(), quote(path, safe="!#$%&'()*+,/:;=?@[]~"))
