"""``catalogues:``: further sources of datasets, one driver each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from nearfield.config._base import ConfigModel

Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+(/\S*)?$", max_length=2000)]


class _Source(ConfigModel):
    """What every source has."""

    title: str | None = None
    """What people are shown instead of the key's name."""
    url: Url
    timeout: float = Field(default=3.0, gt=0, le=60)
    """Seconds for one search; a source that takes longer is named and left out."""
    token: Literal["none", "hub", "file"] = "none"  # noqa: S105
    """``none``: public data. ``hub``: the hub hands out an access token of the user's for this
    source. ``file``: the user's own, in ``$NEARFIELD_HOME/tokens/NAME`` with mode 0600."""
    audience: str | None = None
    """``hub``: what the identity provider is asked to make the token for (RFC 8693)."""
    login_token: bool = False
    """``hub``: the source may be given the access token of the user's login itself, where the
    provider makes none for ``audience`` or none is set. Whoever runs the source can use such a
    token wherever else it is taken."""


class SciCatSource(_Source):
    """A SciCat backend: ``url`` is what comes before ``/api/v4``."""

    driver: Literal["scicat"]
    api: Literal["auto", "v3", "v4"] = "auto"


class PanoscSource(_Source):
    """A PaNOSC search API: ``url`` is what comes before ``/Datasets``."""

    driver: Literal["panosc"]


class IcatSource(_Source):
    """An icat.server: ``url`` is what comes before ``/icat/session``."""

    driver: Literal["icat"]
    facility: str


class InvenioSource(_Source):
    """InvenioRDM, or Zenodo's legacy API: ``url`` is what comes before ``/api``."""

    driver: Literal["invenio"]
    api: Literal["rdm", "legacy"] = "rdm"
    community: str | None = None


class ServiceSource(_Source):
    """Another hub's ``nearfield catalogue serve``."""

    driver: Literal["service"]


Source = Annotated[
    SciCatSource | PanoscSource | IcatSource | InvenioSource | ServiceSource,
    Field(discriminator="driver"),
]
