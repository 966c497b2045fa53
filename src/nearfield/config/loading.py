"""Reading ``nearfield.yaml``: found, parsed, checked; errors name file, line and key."""

from __future__ import annotations

import os
import shlex
import sys
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

from nearfield.config.shared import of_this_session
from nearfield.config.site import Config
from nearfield.config.sources import DRIVERS
from nearfield.config.wording import in_words
from nearfield.errors import ConfigError, ConfigProblem

M = TypeVar("M", bound=BaseModel)
DEMO_MARK = "# Written by `nearfield demo`. Delete this file to forget the demo.\n"


def written_by_demo(path: Path | None) -> bool:
    """Is it the configuration of a demo, or the copy that it left for the command line?"""
    try:
        return path is not None and path.read_text(encoding="utf-8").startswith(DEMO_MARK)
    except (OSError, UnicodeDecodeError):
        return False


def candidates() -> list[Path]:
    """Where a configuration is looked for when none is named, first found wins."""
    found = [
        Path(sys.prefix) / "etc/nearfield/nearfield.yaml",
        Path("/etc/nearfield/nearfield.yaml"),
    ]
    if named := os.environ.get("NEARFIELD_CONFIG"):
        found.insert(0, Path(named))
    return found


def find_config(path: Path | None = None) -> Path | None:
    """The file to use: the one named, else the first that there is; None for the defaults."""
    if path is None:
        named = os.environ.get("NEARFIELD_CONFIG")
        path = Path(named) if named else next((p for p in candidates() if p.is_file()), None)
    return path


def load_config(path: Path | None = None) -> Config:
    """Read and check the configuration; in a session without a file, what the session was told.

    Raises:
        ConfigError: the named file is missing or unreadable, is not YAML, repeats a key, or
            has a key or value that does not fit; the message names file, line and key.
    """
    path = find_config(path)
    if path is None:
        return of_this_session(os.environ) or Config()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}",
            hint="--config and NEARFIELD_CONFIG name another file",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    try:
        return parse_config(text, str(path))
    except ConfigError as error:
        if text.startswith(DEMO_MARK):
            error.hint = (
                "`nearfield demo` of another version wrote this file: run the demo again, "
                f"or forget it: rm {shlex.quote(str(path))}"
            )
        raise


def parse_config(text: str, source: str = "nearfield.yaml") -> Config:
    """Check the text of a configuration; ``source`` is what errors call it."""
    return parse_yaml(Config, text, source)


def parse_yaml(model: type[M], text: str, source: str) -> M:
    """Check the text of a YAML file against a model.

    Raises:
        ConfigError: it is not YAML, repeats a key, or has a key or value that does not fit; the
            message names file, line and key.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        hint = (
            "lines that belong together begin in the same column, after spaces: a tab is an error"
        )
        raise ConfigError(
            f"{source}{line}: not valid YAML: {problem}", hint=hint if mark else None
        ) from error
    if root is None:
        raise ConfigError(f"{source}: is empty", hint="a file with nothing to say is left out")
    lines: dict[tuple[str, ...], int] = {}
    _collect_lines(root, (), lines, source)
    data = yaml.safe_load(text)
    if not isinstance(data, dict):
        raise ConfigError(f"{source}, line 1: must be a mapping, found {type(data).__name__}")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = _explain(error, lines, model)
        raise ConfigError(
            "\n".join(problem.said_of(source) for problem in problems), problems=problems
        ) from error


def key_lines(path: Path) -> dict[tuple[str, ...], int]:
    """The line of each key of a file; empty if it cannot be read."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        lines: dict[tuple[str, ...], int] = {}
        if root is not None:
            _collect_lines(root, (), lines, str(path))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ConfigError):
        return {}
    return lines


def _collect_lines(
    node: yaml.Node, at: tuple[str, ...], lines: dict[tuple[str, ...], int], source: str
) -> None:
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise ConfigError(
                    f"{source}, line {key.start_mark.line + 1}: key {name!r} is there twice"
                )
            seen.add(name)
            lines[(*at, name)] = key.start_mark.line + 1
            _collect_lines(value, (*at, name), lines, source)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*at, str(index)), lines, source)


def load_site_config(path: Path | None = None) -> Config:
    """The configuration of a hub or launcher, which must say what jobs may be.

    The defaults are for one person on one machine. A file that was cut short must not turn a
    site into that.

    Raises:
        ConfigError: as :func:`load_config`, or the file lacks clusters, hardware or profiles.
    """
    config = load_config(path)
    if path is not None:
        for key in ("clusters", "hardware", "profiles"):
            if key not in config.model_fields_set:
                raise ConfigError(f"{path}: has no {key!r}", hint="a hub needs them said in full")
    return config


def _known_keys(model: type[BaseModel], at: tuple[str, ...]) -> set[str]:
    """The keys that may be where ``at`` is."""
    annotations: list[Any] = [model]
    for part in at:
        annotations = [inner for one in annotations for inner in _below(one, part)]
    return {key for one in annotations for found in _models_in(one) for key in found.model_fields}


def _below(annotation: Any, part: str) -> list[Any]:
    """What a key or a place in a list leads to; unions lead where any of theirs does."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        field = annotation.model_fields.get(part)
        return [field.annotation] if field else []
    inner = list(get_args(annotation))
    if get_origin(annotation) in (dict, list, tuple):
        return inner[-1:] if get_origin(annotation) is dict else inner[:1]
    return [found for one in inner for found in _below(one, part)]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (dict, list, tuple):
        return []
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _explain(
    error: ValidationError, lines: dict[tuple[str, ...], int], model: type[BaseModel]
) -> list[ConfigProblem]:
    found = []
    for problem in error.errors():
        at = tuple(str(part) for part in problem["loc"] if part != "[key]")
        if at[:1] == ("catalogues",) and at[2:3] and at[2] in DRIVERS:
            at = at[:2] + at[3:]  # pydantic's name for the kind of source: no key of the file
        known: Any = next((at[:n] for n in range(len(at), -1, -1) if at[:n] in lines), ())
        message = in_words(problem)
        if problem["type"] == "extra_forbidden":
            near = get_close_matches(at[-1], sorted(_known_keys(model, at[:-1])), n=1)
            message += f"; did you mean {near[0]!r}?" if near else ""
        # A broken reference is found at the root: point at the key that it names.
        if not at:
            named = tuple(message.split(":", 1)[0].split("."))
            known = named if named in lines else known
        found.append(ConfigProblem(".".join(at), lines.get(known, 1), message))
    return found
