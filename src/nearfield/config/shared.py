"""What of the site's configuration a session is told: the further catalogues, and the storages.

An image has no nearfield.yaml. The launcher writes these parts, of its own file, to the session's
folder; nothing secret is in them, tokens are the hub's to give.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from nearfield.config.site import Config

SESSION_DIR = "NEARFIELD_SESSION_DIR"
log = logging.getLogger("nearfield.config")


def for_sessions(config: Config) -> dict[str, Any]:
    """As plain JSON; empty where there is nothing that a session could not know by itself."""
    if not config.catalogues and not config.storages:
        return {}
    return {
        "catalogue": {"name": config.catalogue.name, "timeout": config.catalogue.timeout},
        "catalogues": {
            name: {**source.model_dump(mode="json", exclude_defaults=True), "driver": source.driver}
            for name, source in config.catalogues.items()
        },
        "storages": {
            name: storage.model_dump(mode="json", exclude_defaults=True, exclude={"places"})
            for name, storage in config.storages.items()
        },
    }


def of_this_session(environment: Mapping[str, str]) -> Config | None:
    """The configuration that the session of this process was told; None outside of one.

    What this release does not understand counts as not told: an image may be older than the hub.
    """
    folder = environment.get(SESSION_DIR)
    if not folder:
        return None
    try:
        said = json.loads(Path(folder, "session.json").read_text(encoding="utf-8"))
        shared = said["task"]["sources"]
        return Config.model_validate(shared) if shared else None
    except (OSError, ValueError, KeyError, TypeError) as error:
        if isinstance(error, ValidationError):
            log.warning("the hub's catalogues are not known here: made for another release")
        return None
