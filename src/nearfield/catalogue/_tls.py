"""The certificates that answers are checked against."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def tls_context() -> ssl.SSLContext:
    """One for all clients: loading the certificates takes longer than most requests.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` name a site's own authorities.
    """
    return httpx.create_ssl_context(trust_env=True)
