"""Names whose values are secret: DB_PASSWORD, api_key, clientSecret, X-Auth-Token, Authorization.

A name is read as words (parted by `_`, `-`, `.` or a capital letter). The word that makes it secret has to be its last,
or to stand before words that only say which one it is: token_prod. So password_field, token_type and PUBLIC_KEY are
names like any other. Any PASSWORD counts unless the words after it say that it is something about one.
"""

from __future__ import annotations

import functools
import re

__all__ = ["HEADERS", "KINDS", "SHORT", "STEMS", "is_capital", "kind_of"]

#: Where to look for a name: one of them is in each.
STEMS = (
    rb"(?i:passw|passph|passcode|pwd|secret|token|credential|authori[sz]ation|signature|cookie|sess(?:ion)?id|"
    rb"(?:api|private|secret|access|account|master|encryption|signing|shared|license|ssh)key)|"
    rb"[_.-](?i:key)|[a-z0-9]Key|[?&;](?i:sig)"
)
#: Such names, too, if nothing but a number follows.
SHORT = rb"(?i:pass|auth)[0-9]*"
#: Those whose value is all that follows on the line.
HEADERS = frozenset({"authorisation header", "cookie"})
KINDS = HEADERS | {"password", "token", "key", "secret", "credential", "signature"}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_WHICH = _words(
    "prod production dev devel development staging stage test testing live ci local new old current previous main "
    "primary secondary backup default base value b64 base64 hex raw plain plaintext cleartext str string text env data"
)
_ABOUT = _words(
    "field fields input label error errors length len min max policy strength reset changed change changes url uri "
    "file files filename path id ids type types expires expiry expired expiration expire count hint prompt required "
    "valid invalid validation validator validators validate py js ts jsx tsx go rs java rb php c h cc cpp html css "
    "xml json yml yaml md txt sh test tests spec specs name names exists enabled disabled ttl age timeout endpoint "
    "header headers algorithm algo method mode manager store service provider generator checker check form view "
    "page screen button box column rule rules history protected less free auth authentication grant flow stdin "
    "command cmd helper source lookup location changer forgotten forgot format encoding hasher hashers line lines "
    "ok passed failed works widget fd"
)
#: What stands before KEY in names of keys that open nothing.
_OPEN = _words(
    "public pub primary foreign cache sort partition index row composite natural unique routing dict map group order "
    "idempotency dedup translation i18n message known event build job feature flag lookup search range compound "
    "left right up down arrow enter escape tab shift ctrl alt function hot any registry object lock sorting cached"
)
#: What stands before "key" in names of keys that do, where small letters make many names of others.
_PRIVATE = _words(
    "api access secret private encryption encrypt decryption signing sign signature account auth authentication "
    "storage master deploy deployment ssh license app application service shared subscription client consumer "
    "session webhook admin root aes rsa hmac crypto crypt cipher jwt jws jwk data server tls ssl host pre preshared "
    "psk wpa wifi wireguard age gpg pgp provider ingest write read team org tenant bot stream integration live "
    "maps sendgrid stripe aws gcp azure google github gitlab slack twilio mailgun openai anthropic "
    "datadog dd sentry algolia site vault unseal recovery activation security connection"
)
#: What stands before "pass" where that is short for a password and not for one of several rounds.
_WHOSE = _words(
    "db database user username ftp sftp smtp imap pop mail email admin root mysql pg postgres postgresql redis mongo "
    "mongodb ssh http https proxy basic auth ldap login my rabbitmq amqp mqtt api app ssl tls key keystore store "
    "truststore cert ca p12 pfx sudo become vault ansible wifi vpn svn git registry docker ci deploy service bind "
    "client server sa dba remote jenkins nexus sonar artifactory account sip voicemail rtsp camera netcam"
)
_SESSIONS = _words("jsessionid phpsessid sessionid")
_SUBJECTS = ("test_", "tests.", "should_", "it_")


def is_capital(name: bytes) -> bool:
    """As names of the environment are written.

    >>> is_capital(b"DB_PASSWORD"), is_capital(b"dbPassword")
    (True, False)
    """
    return name.isupper()


@functools.lru_cache(4096)
def kind_of(name: bytes) -> str:
    """What its value is; "" for a name whose values may be seen. "pwd", "pass" and "auth" are secret only with values
    that look like it.

    >>> [kind_of(name) for name in (b"DB_PASSWORD", b"api_key", b"clientSecret", b"X-Auth-Token", b"set-cookie")]
    ['password', 'key', 'secret', 'token', 'cookie']
    >>> [kind_of(name) for name in (b"key", b"PUBLIC_KEY", b"password_field", b"tokens", b"author", b"test_token")]
    ['', '', '', '', '', '']
    """
    text = name.decode("ascii", "replace")
    if text.islower() and text.startswith(_SUBJECTS):
        return ""
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", text)
    words = [word for word in (part.strip("0123456789") for part in re.split(r"[_.-]+", parted.lower())) if word]
    while len(words) > 1 and words[-1] in _WHICH:
        words.pop()
    return _kind_of_words(words, is_capital(name)) if words else ""


def _kind_of_words(words: list[str], capital: bool) -> str:
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in ("authorization", "authorisation"):
        return "authorisation header"
    if last in ("cookie", "cookies"):
        return "cookie"
    if any(mark in word for word in words for mark in ("password", "passwd", "passphrase", "passwort", "passcode")):
        return "" if last in _ABOUT or last.endswith(("field", "less", "reset", "form")) else "password"
    if last == "pwd":
        return "password" if before and before != "old" else "pwd"
    if last == "pass":
        return "pass" if not before else "password" if capital or before in _WHOSE else ""
    if last.endswith("token"):
        return "token"
    if last.endswith("secret") or words[-2:] in (["secret", "key"], ["secret", "id"]):
        return "secret"
    if last.endswith("key"):
        return _kind_of_key(words, capital)
    if last in ("credential", "credentials"):
        return "credential"
    if last == "auth" and len(words) == 1:
        return "auth"
    if last == "signature" and words[0] == "x":
        return "signature"
    return "cookie" if "".join(words) in _SESSIONS else ""


def _kind_of_key(words: list[str], capital: bool) -> str:
    glued = words[-1].removesuffix("key")
    before = glued or (words[-2] if len(words) > 1 else "")
    if before in _OPEN or not before:
        return ""
    return "key" if (capital and not glued) or before in _PRIVATE else ""
