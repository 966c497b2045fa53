"""The card of a template: what it does, what it fits, what it takes, what it makes.

Its JSON Schema is docs/reference/template-card.schema.json, written by
``python -m nearfield.templates.card``.
"""

from __future__ import annotations

import json
import keyword
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)

from nearfield.config import in_words
from nearfield.datasets import ArrayInfo, Dataset
from nearfield.errors import ConfigError
from nearfield.provenance.files import PRIVATE_FOLDER

CARD_NAME = "card.yaml"
NOTEBOOK_NAME = "template.ipynb"
README_NAME = "README.md"

GIVEN = ("dataset_pids", "data_files", "output_dir")
"""What every run gives its notebook besides the card's parameters."""

TemplateName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+){1,3}([a-z0-9.+-]*)$")]


def _inside(path: str) -> str:
    parts = path.split("/")
    if "\0" in path or {"", ".", ".."} & set(parts) or parts[0] == PRIVATE_FOLDER:
        raise ValueError("must be a path inside the run folder")
    return path


RelativePath = Annotated[str, AfterValidator(_inside)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArrayNeeded(_Model):
    """An array that a dataset's root file must hold."""

    min_ndim: int = Field(default=1, ge=0)
    max_ndim: int | None = Field(default=None, ge=0)

    def met_by(self, array: ArrayInfo) -> bool:
        ndim = len(array.shape)
        return self.min_ndim <= ndim and (self.max_ndim is None or ndim <= self.max_ndim)

    def __str__(self) -> str:
        if self.max_ndim is None:
            return f"an array of {self.min_ndim} or more dimensions"
        if self.max_ndim == self.min_ndim:
            return f"an array of {self.min_ndim} dimensions"
        return f"an array of {self.min_ndim} to {self.max_ndim} dimensions"


class DatasetsNeeded(_Model):
    """How many datasets a run takes, and what each must hold."""

    min: int = Field(default=1, ge=1)
    max: int | None = Field(default=1, ge=1)
    """None: as many as one likes."""
    array: ArrayNeeded | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.max is not None and self.max < self.min:
            raise ValueError("max is less than min")
        return self


class DeclaredOutput(_Model):
    """A file that a run makes, relative to its folder."""

    path: RelativePath
    title: str = ""
    required: bool = True
    """A run that does not make it has failed."""


class EnvironmentNeeded(_Model):
    """What the notebook's kernel should be and hold."""

    kernel: str = "python3"
    packages: tuple[str, ...] = ()


class Card(_Model):
    """``card.yaml``."""

    name: TemplateName
    version: Version
    title: str = Field(min_length=1)
    description: str = ""
    techniques: tuple[str, ...] = ()
    """Techniques that the template is for, as datasets name them; empty: any."""
    datasets: DatasetsNeeded = DatasetsNeeded()
    parameters: dict[str, Any] = Field(default_factory=lambda: {"type": "object", "properties": {}})
    """A JSON Schema (2020-12) of type object; each property with its default."""
    outputs: tuple[DeclaredOutput, ...] = ()
    summary: RelativePath | None = None
    """The output that holds the result's figures, a JSON object; they go to the catalogue."""
    environment: EnvironmentNeeded = EnvironmentNeeded()

    @field_validator("parameters")
    @classmethod
    def _is_schema(cls, schema: dict[str, Any]) -> dict[str, Any]:
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            at = ".".join(str(part) for part in error.absolute_path)
            raise ValueError(f"not a JSON Schema: {at}: {error.message}") from error
        if schema.get("type") != "object":
            raise ValueError("must be of type: object")
        for name, prop in schema.get("properties", {}).items():
            if not name.isidentifier() or keyword.iskeyword(name):
                raise ValueError(f"{name!r} is not a name that a notebook can use")
            if name in GIVEN:
                raise ValueError(f"{name!r} is given by every run; choose another name")
            if not isinstance(prop, dict) or "default" not in prop:
                continue
            wrong = next(Draft202012Validator(prop).iter_errors(prop["default"]), None)
            if wrong is not None:
                raise ValueError(f"{name}: the default does not fit: {wrong.message}")
        return schema

    @model_validator(mode="after")
    def _summary_is_declared(self) -> Self:
        if self.summary is not None and self.summary not in {out.path for out in self.outputs}:
            raise ValueError(f"summary: {self.summary!r} is not among outputs")
        return self

    @property
    def properties(self) -> dict[str, dict[str, Any]]:
        """The parameters by name; a property that is ``true`` allows anything."""
        found = self.parameters.get("properties", {})
        return {name: prop if isinstance(prop, dict) else {} for name, prop in found.items()}

    def misfits(self, dataset: Dataset) -> list[str]:
        """Why the template cannot work on ``dataset``; empty where it can, as far as is known.

        A record without arrays is not held against the dataset: not every catalogue knows them.
        """
        need = self.datasets.array
        if need is None or not dataset.arrays or any(need.met_by(a) for a in dataset.arrays):
            return []
        largest = max(dataset.arrays, key=lambda array: len(array.shape))
        return [f"it needs {need}; {largest.path} has the most, {len(largest.shape)}"]

    def suits(self, dataset: Dataset) -> bool:
        """Is the template for the dataset's technique? One without technique suits any."""
        mine = {name.casefold() for name in self.techniques}
        theirs = {name.casefold() for name in dataset.techniques}
        return not mine or not theirs or not mine.isdisjoint(theirs)


def load_card(folder: Path) -> Card:
    """The card of a template folder.

    Raises:
        ConfigError: it is missing, is not YAML, or a key does not fit; file and key are named.
    """
    path = folder / CARD_NAME
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path}: cannot be read: {error}",
            hint=f"a template is a folder of {NOTEBOOK_NAME}, {CARD_NAME} and {README_NAME}",
        ) from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigError(f"{path}{line}: not valid YAML: {problem}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: must be a mapping, found {type(data).__name__}")
    try:
        return Card.model_validate(data)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}, {line}" for line in _explain(error))) from error


def _explain(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
        lines.append(f"{key}: {in_words(problem)}")
    return lines


def card_schema() -> dict[str, Any]:
    """The JSON Schema of ``card.yaml``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://nearfield.example/schemas/template-card.json",
        **Card.model_json_schema(),
    }


if __name__ == "__main__":
    print(json.dumps(card_schema(), indent=2))
