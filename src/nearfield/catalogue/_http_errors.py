"""What is said when a source does not answer, or refuses."""

from __future__ import annotations

import re
import ssl
from typing import Any

import httpx

from nearfield.errors import CatalogueError, CatalogueUnavailableError, SourceStatusError

MAX_WORDS = 300
_ACCOUNT = re.compile("//[^/]*@")


def too_slow(name: str, seconds: float) -> CatalogueUnavailableError:
    return CatalogueUnavailableError(
        f"{name}: no answer in {seconds:g} s", hint="try again later, or give it a longer timeout"
    )


def broken(name: str, error: httpx.HTTPError, *, secret: str | None) -> CatalogueError:
    """A connection that was not made, or broke off."""
    if isinstance(error, httpx.ConnectError) and (problem := certificate_problem(error)):
        return CatalogueError(
            f"{name}: its certificate does not hold: {problem}",
            hint="check its url; for an authority of your site set SSL_CERT_FILE. "
            "Nothing was sent to it",
        )
    if isinstance(error, httpx.DecodingError):
        return CatalogueError(f"{name}: an answer that cannot be unpacked", hint="try again later")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError):
        return CatalogueError(f"{name}: cannot be asked: {_clean(str(error), secret)}")
    if isinstance(error, httpx.ConnectError):
        what = "cannot be reached"
    else:
        what = "the connection broke off"
    why = _clean(str(error), secret) or type(error).__name__
    return CatalogueUnavailableError(
        f"{name}: {what}: {why}", hint="is it running, and can this machine reach it? try again"
    )


def certificate_problem(error: BaseException) -> str | None:
    """What is wrong with a certificate; ``None`` where something else is."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLCertVerificationError):
            return seen.verify_message or "not verified"
        seen = seen.__cause__ or seen.__context__
    return "not verified" if "CERTIFICATE_VERIFY_FAILED" in str(error) else None


def refused(
    name: str, status: int, reason: str, said: Any, *, secret: str | None
) -> CatalogueError:
    """An answer that is no success."""
    words = _words(said, secret)
    what = f"{status} {_clean(reason, secret)}".strip() + (f": {words}" if words else "")
    if status >= 500:
        return CatalogueUnavailableError(
            f"{name}: failed with {what}",
            hint="try again later; if it stays so, tell its administrators",
        )
    if status == 429:
        return CatalogueUnavailableError(
            f"{name}: asks to be asked less often", hint="try again in a minute"
        )
    return SourceStatusError(f"{name}: answered {what}", status, said)


def sent_elsewhere(name: str, where: str, *, secret: str | None) -> CatalogueError:
    """A redirect to another host, or of a request that would change something."""
    # Without parameters, fragment and account: a redirect may carry secrets of its own.
    place = _clean(_ACCOUNT.sub("//", re.split("[?#]", where)[0], count=1), secret)
    return CatalogueError(
        f"{name}: redirects to {place}, which is not followed",
        hint="if that is where it is now, name it as its url; if it is a log-in page, log in again",
    )


def _words(said: Any, secret: str | None) -> str:
    """The source's own words, as the usual interfaces write them."""
    for key in ("message", "error_description", "detail", "error"):
        found = said.get(key) if isinstance(said, dict) else None
        if isinstance(found, dict):
            found = found.get("message")
        if isinstance(found, list):
            found = "; ".join(str(part) for part in found[:5])
        if isinstance(found, str) and found.strip():
            return _clean(": ".join([found.rstrip(".: "), *_fields(said)]), secret)
    return ""


def _fields(said: Any) -> list[str]:
    """Which fields are wrong, and why, as Invenio tells it; else only that something is."""
    told = said.get("errors")
    parts = []
    for one in told[:5] if isinstance(told, list) else ():
        name = one.get("field") if isinstance(one, dict) else None
        why = (one.get("messages") or one.get("message")) if isinstance(one, dict) else None
        if isinstance(why, list):
            why = " ".join(str(part) for part in why[:3])
        if isinstance(name, str) and isinstance(why, str):
            parts.append(f"{name}: {why}")
    return ["; ".join(parts)] if parts else []


def _clean(text: str, secret: str | None) -> str:
    """One short line without control signs and without the token."""
    if secret:
        text = text.replace(secret, "…")
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= MAX_WORDS else line[: MAX_WORDS - 1] + "…"
