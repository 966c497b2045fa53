"""``catalogues:``: further sources of datasets, one driver each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, StringConstraints, field_validator, model_validator

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
    doors: tuple[Url, ...] = ()
    """Addresses below which its files are fetched with the same token, besides ``url``'s host."""
    audience: str | None = None
    """``hub``: what the identity provider is asked to make the token for (RFC 8693)."""
    token_kind: Literal["access", "id"] = "access"  # noqa: S105
    """``hub``: which token the source wants. A SciCat with a log-in of its own takes ID tokens."""
    login_token: bool = False
    """``hub``: the source may be given the token of the user's login itself, where the
    provider makes none for ``audience`` or none is set. Whoever runs the source can use such a
    token wherever else it is taken."""


class SciCatSource(_Source):
    """A SciCat backend: ``url`` is what comes before ``/api/v4``."""

    driver: Literal["scicat"]
    api: Literal["auto", "v3", "v4"] = "auto"
    frontend: Url | None = None
    """What comes before ``/datasets/PID`` in the pages for people."""
    account: Path | None = None
    """A functional account for services and batches, instead of ``token``: a file of mode 0600
    with ``username`` and ``password``."""
    client_pids: bool = True
    """May its users name the PIDs of their datasets? A refusal is taken for ``false``."""
    pid_prefix: Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$")] | None = None
    """What the PIDs that Nearfield names begin with: ``20.500.12345``."""
    owner_group: str | None = None
    """The group that owns results of public data; without one a group of the user's own."""

    @model_validator(mode="after")
    def _one_log_in(self) -> Self:
        if self.account is not None and self.token != "none":  # noqa: S105
            raise ValueError("account and token: give one of them")
        return self


class PanoscSource(_Source):
    """A PaNOSC search API: ``url`` is what comes before ``/Datasets``."""

    driver: Literal["panosc"]


class IcatSource(_Source):
    """An icat.server: ``url`` is what comes before ``/icat/session``."""

    driver: Literal["icat"]
    facility: str
    """The name of the facility in ICAT whose types results are registered with."""
    authenticator: str = "anon"
    """The mnemonic of the plugin that sessions are asked from. With ``token`` it gets that as
    ``token`` (authn.oidc), or as the password of ``username``."""
    username: str | None = None
    result_type: str = "processed"
    """The dataset type that results are registered as."""
    timezone: str = "UTC"
    """The zone of the server's clock: ICAT compares times in it."""
    write: bool = False
    """May results be registered there? Rights are the server's; this says that they are wanted."""
    page: Annotated[str, StringConstraints(pattern=r"^https?://[^\s{}]+\{id\}[^\s{}]*$")] | None = (
        None
    )
    """The address of a dataset's page for people, with ``{id}`` in it."""
    ids: Url | None = None
    """ICAT's data service, what comes before ``/ids/getStatus``: asked whether a dataset is on
    tape, which recalls nothing."""

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"no time zone {name!r}: name one as 'Europe/Berlin'") from error
        return name


class InvenioSource(_Source):
    """InvenioRDM, or Zenodo's legacy API: ``url`` is what comes before ``/api``."""

    driver: Literal["invenio"]
    api: Literal["rdm", "legacy"] = "rdm"
    community: str | None = None
    """Only records of this community (its short name, as in its URL)."""
    publish: Literal["no", "draft", "published"] = "no"
    """What becomes of a result: nothing, it goes elsewhere; a draft that its owner looks at and
    publishes; or published at once, which nobody can take back."""
    max_file: int = Field(default=50 * 2**30, gt=0)
    max_dataset: int = Field(default=100 * 2**30, gt=0)
    """Bytes of a file and of all of a dataset's; RODARE's limits."""
    max_files: int = Field(default=100, gt=1)
    creator: str | None = None
    """Who is named as the creator of results: ``Family, Given``, or an organisation."""
    publisher: str | None = None
    """The repository's name, without which DataCite registers no DOI; its host if unsaid."""
    license: str | None = None
    """Its identifier at the repository: ``cc-by-4.0``."""


class ServiceSource(_Source):
    """Another hub's ``nearfield catalogue serve``."""

    driver: Literal["service"]


DRIVERS = frozenset({"scicat", "panosc", "icat", "invenio", "service"})

Source = Annotated[
    SciCatSource | PanoscSource | IcatSource | InvenioSource | ServiceSource,
    Field(discriminator="driver"),
]
