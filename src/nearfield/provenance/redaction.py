"""Keeping secrets out of notebooks, records and kernels."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

# What lets its holder act as the user on the hub or on Nearfield's own services. A batch kernel
# has no use for it, and whatever a kernel knows, a cell can print.
_HUB = re.compile(
    r"^(?:JUPYTERHUB|JPY|JUPYTER|CONFIGPROXY|NEARFIELD)_(?:.*_)?"
    r"(?:TOKENS?|SECRETS?|PASSWORD|COOKIE_SECRET|CRYPT_KEY|AUTH)$"
)
_SECRET = re.compile(
    r"(?:TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|CREDENTIAL|API_?KEY|ACCESS_KEY|PRIVATE_KEY"
    r"|CRYPT_KEY)",
    re.IGNORECASE,
)
# Shorter values ("1", "none", "disabled") are settings, and would be found everywhere.
_SHORTEST = 12


def kernel_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for a kernel: this process's without hub and Nearfield tokens."""
    return {name: value for name, value in environ.items() if not _HUB.match(name)}


class Redactor:
    """Replaces the values of secret-looking environment variables wherever they appear."""

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        secrets = {
            value: name
            for name, value in environ.items()
            if (_SECRET.search(name) or _HUB.match(name))
            and len(value) >= _SHORTEST
            and "/" not in value[:1]  # the path of a secret is none
        }
        self._names = secrets
        # Longest first: one secret may contain another.
        parts = sorted((re.escape(value) for value in secrets), key=len, reverse=True)
        self._pattern = re.compile("|".join(parts)) if parts else None

    def text(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: f"[redacted: {self._names[found[0]]}]", text)

    def clean(self, data: Any) -> Any:
        """A copy of JSON-like ``data`` without secrets; keys are cleaned too."""
        if isinstance(data, str):
            return self.text(data)
        if isinstance(data, Mapping):
            return {self.clean(key): self.clean(value) for key, value in data.items()}
        if isinstance(data, (list, tuple)):
            return type(data)(self.clean(item) for item in data)
        return data
