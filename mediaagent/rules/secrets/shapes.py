"""Secrets that are known by their shape: what their makers put in front, so that they can be found.

Each shape begins with letters that nothing else has there, and asks for as many characters as such a token has at
least. The prefixes are those that the services document, and that secret scanners (GitHub's, GitLab's, gitleaks)
look for.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

from mediaagent.rules.secrets.hits import Hit

__all__ = ["KINDS", "find", "kind_of"]

_SHAPES: tuple[tuple[str, bytes], ...] = (
    ("GitHub token", rb"gh[pousr]_[A-Za-z0-9]{20,}|github_pat_[A-Za-z0-9_]{22,}"),
    (
        "GitLab token",
        rb"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|oas|soat|ffct)-[A-Za-z0-9_.-]{16,}|GR1348941[\w-]{20,}",
    ),
    ("AWS key", rb"(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}|ABSKQmVkcm9ja0FQSUtleS[A-Za-z0-9+/=]{60,}"),
    ("Google key", rb"AIza[A-Za-z0-9_-]{35}|GOCSPX-[A-Za-z0-9_-]{20,}|ya29\.[A-Za-z0-9_-]{20,}|1//0[A-Za-z0-9_-]{40,}"),
    ("Azure secret", rb"[A-Za-z0-9_~.-]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,}"),
    ("npm token", rb"npm_[A-Za-z0-9]{36,}"),
    ("PyPI token", rb"pypi-AgE[A-Za-z0-9_-]{20,}"),
    ("RubyGems token", rb"rubygems_[0-9a-f]{48}"),
    ("NuGet key", rb"oy2[a-z0-9]{43}"),
    ("Docker token", rb"dckr_[op]at_[A-Za-z0-9_-]{20,}"),
    ("Slack token", rb"xox[a-z](?:\.xox[a-z])?-[A-Za-z0-9-]{10,}|xapp-[0-9]-[A-Za-z0-9-]{10,}"),
    ("webhook address", rb"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_-]{20,}"),
    ("webhook address", rb"discord(?:app)?\.com/api/(?:v[0-9]+/)?webhooks/[0-9]+/[A-Za-z0-9_-]{20,}"),
    ("webhook address", rb"webhook\.office\.com/webhookb2/[A-Za-z0-9@/_-]{40,}"),
    ("Telegram token", rb"[0-9]{8,10}:AA[A-Za-z0-9_-]{32,}"),
    ("Stripe key", rb"[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|whsec_[A-Za-z0-9+/=]{24,}"),
    ("Twilio key", rb"SK[0-9a-f]{32}"),
    ("SendGrid key", rb"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{32,}"),
    ("Shopify token", rb"shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    ("Square token", rb"sq0(?:atp|csp|idp)-[A-Za-z0-9_-]{22,}"),
    ("DigitalOcean token", rb"do[opr]_v1_[0-9a-f]{64}"),
    ("Heroku key", rb"HRKU-[A-Za-z0-9_-]{36,}"),
    ("Atlassian token", rb"AT[AC]TT3[A-Za-z0-9_=-]{20,}"),
    ("Hugging Face token", rb"hf_[A-Za-z0-9]{30,}|api_org_[A-Za-z0-9]{30,}"),
    ("OpenAI key", rb"sk-(?:proj|svcacct|admin|None)-[A-Za-z0-9_-]{20,}|sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    ("Anthropic key", rb"sk-ant-[A-Za-z0-9_-]{20,}"),
    ("Vault token", rb"hv[bsr]\.[A-Za-z0-9_-]{20,}"),
    ("Terraform token", rb"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,}"),
    ("Grafana token", rb"gl(?:c_[A-Za-z0-9+/=]{32,}|sa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8})"),
    ("New Relic key", rb"NRAK-[A-Z0-9]{27}"),
    ("Databricks token", rb"dapi[0-9a-f]{32}"),
    ("Sentry token", rb"sntry[su]_[A-Za-z0-9+/=_-]{32,}"),
    ("Postman key", rb"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    ("Linear key", rb"lin_(?:api|oauth)_[A-Za-z0-9]{32,}"),
    ("Notion token", rb"ntn_[A-Za-z0-9]{40,}"),
    ("Figma token", rb"fig[dour]_[A-Za-z0-9_-]{36,}"),
    ("Netlify token", rb"nfp_[A-Za-z0-9]{36,}"),
    ("Supabase key", rb"sb(?:p_[0-9a-f]{40}|_secret_[A-Za-z0-9_-]{20,})"),
    ("PlanetScale token", rb"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,}"),
    ("Pulumi token", rb"pul-[0-9a-f]{40}"),
    ("Buildkite token", rb"bk(?:ua|aj|at|ca|ct|pt)_[0-9a-f]{40}"),
    ("CircleCI token", rb"CCIP(?:AT|RJ)_[A-Za-z0-9]{20,}_[0-9a-f]{40}"),
    ("Tailscale key", rb"tskey-(?:auth|api|client|scim|webhook)-[A-Za-z0-9]+-[A-Za-z0-9]{20,}"),
    ("Fly token", rb"fm[12][ar]?_[A-Za-z0-9+/=_-]{60,}"),
    ("Groq key", rb"gsk_[A-Za-z0-9]{48,}"),
    ("age key", rb"AGE-(?:SECRET-KEY|PLUGIN-[A-Z0-9]+)-1[0-9A-Z]{40,}"),
    ("JSON web token", rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"),
    (
        "JSON web token",
        rb"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}",
    ),
    ("password hash", rb"\$(?:[156y]|2[abxy]|apr1|argon2(?:i|d|id)|scrypt|7)\$[A-Za-z0-9./$=,+-]{20,}"),
)
KINDS = frozenset(kind for kind, _ in _SHAPES)

_REST = re.compile(rb"[A-Za-z0-9_.=-]*+")
_TAIL = re.compile(rb"[A-Za-z0-9_-]*+")
#: The secret key that stands beside an AWS key's id: forty characters of base64 that are no commit.
_AWS_SECRET = re.compile(rb"(?<![A-Za-z0-9/+])(?![0-9a-f]{40})[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+=])")
_BESIDE = 120
_RANK = 2


@functools.cache
def _any() -> Any:
    import re2  # linear in its input, whatever that is; and here, so that only who looks for secrets loads it

    return re2.compile(b"|".join(b"(?:" + shape + b")" for _, shape in _SHAPES))


@functools.cache
def _each() -> tuple[tuple[str, re.Pattern[bytes]], ...]:
    return tuple((kind, re.compile(shape)) for kind, shape in _SHAPES)


def kind_of(text: bytes) -> str:
    """What a value is by its shape; "" for none.

    >>> kind_of(b"Bearer glpat-" + b"a1" * 10)
    'GitLab token'
    """
    found = _any().search(text[:4096])
    return _named(text, found.start()) if found else ""


def find(text: bytes, start: int) -> Iterator[Hit]:
    """Every token from `start` on."""
    for found in _any().finditer(text, start):
        kind = _named(text, found.start())
        yield Hit(found.start(), _TAIL.match(text, found.end()).end(), kind, _REST, _RANK)  # type: ignore[union-attr]
        if kind == "AWS key":
            for secret in _AWS_SECRET.finditer(text, found.end(), min(len(text), found.end() + _BESIDE)):
                yield Hit(secret.start(), secret.end(), kind, _REST, _RANK)


def _named(text: bytes, start: int) -> str:
    return next(kind for kind, shape in _each() if shape.match(text, start))
