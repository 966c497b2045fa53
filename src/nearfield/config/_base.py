"""What all parts of the configuration share: the model, names, words, paths."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")]

# Each of these becomes one argument of sbatch, and nothing else.
SlurmWord = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:+-]{0,63}$")]
Constraint = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_&|()\[\]*,.-]{0,127}$")
]


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts:
        raise ValueError("must be an absolute path without '..'")
    return path


AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


class ConfigModel(BaseModel):
    """A part of ``nearfield.yaml``: unknown keys are errors, values do not change."""

    model_config = ConfigDict(frozen=True, extra="forbid")
