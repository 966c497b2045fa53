"""``catalogue.serve:``: what the catalogue's service answers besides its own interface."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from nearfield.config._base import ConfigModel

_Url = Annotated[
    str, StringConstraints(pattern=r"^https?://[^\s/?#]+(/[^\s?#]*)?$", max_length=500)
]
_Email = Annotated[str, StringConstraints(pattern=r"^[^\s@<>&]+@[^\s@<>&]+$", max_length=200)]
_Group = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class ServeConfig(ConfigModel):
    """What the service opens to everybody, and who may write."""

    public: tuple[Literal["panosc", "oai"], ...] = ()
    """Interfaces that answer without a token, with public records alone. None unless named."""
    url: _Url | None = None
    """Where others reach the service, as they write it; harvesters are told this address."""
    title: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """``oai``: the repository's name; without one the catalogue's."""
    admin_email: _Email | None = None
    """``oai``: OAI-PMH wants an address of who runs the repository."""
    writers: Annotated[tuple[_Group, ...], Field(max_length=100)] = ()
    """Groups whose members may register, replace and delete raw records of anybody."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if "oai" in self.public:
            missing = [name for name in ("url", "admin_email") if getattr(self, name) is None]
            if missing:
                raise ValueError(f"public: 'oai' needs {' and '.join(missing)}")
        return self
