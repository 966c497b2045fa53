"""A token of the user's for the catalogue service, made by the hub and kept in its memory.

A request for the page comes with a cookie, and the service wants a token of the user. The one
made here opens this one service and nothing else, lives ten minutes, and never leaves the hub's
process but in the request to the service (docs/explanation/decisions/0006).
"""

from __future__ import annotations

import re
import time
from typing import Any

from jupyterhub import orm
from sqlalchemy.orm import object_session

from nearfield.config import Config

LIFE = 600
RENEW = 240
"""A token with less life than this left is not used any more."""
NOTE = "Nearfield's spawn page"

_kept: dict[int, tuple[float, str]] = {}


def service_name(config: Config) -> str:
    """What the hub calls the catalogue service: ``…/services/NAME`` of ``catalogue.url``."""
    found = re.search(r"/services/([^/]+)/?$", config.catalogue.url or "")
    return found[1] if found else "catalogue"


def service_scope(config: Config) -> str:
    """The scope that opens the catalogue service."""
    return f"access:services!service={service_name(config)}"


def catalogue_token(user: Any, config: Config) -> str:
    """The user's token for the catalogue service.

    Raises:
        ValueError: the user may not use the service.
    """
    now = time.monotonic()
    ends, token = _kept.get(user.id, (0.0, ""))
    # Somebody may have revoked it on the token page.
    if ends - now < RENEW or orm.APIToken.find(object_session(user.orm_user), token) is None:
        token = user.new_api_token(note=NOTE, expires_in=LIFE, scopes=[service_scope(config)])
        _kept[user.id] = (now + LIFE, token)
        for key in [key for key, (until, _) in _kept.items() if until < now]:
            del _kept[key]
    return token
