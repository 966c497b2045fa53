"""Facility rules applied: what a file's fields and the record beside it add to a dataset."""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from nearfield.catalogue._tree import IMAGE_SUFFIXES, on_tape
from nearfield.catalogue.metadata.values import number_of, text_of, time_of
from nearfield.config import FileRule, Rules
from nearfield.config.rules import LIST_FIELDS, TIME_FIELDS
from nearfield.datasets import MAX_TITLE, Dataset
from nearfield.techniques import technique_ids

MAX_RECORD = 1_000_000
_PREFIX = "scientific."
_NO_HDF5 = IMAGE_SUFFIXES | {".ort"}


@dataclass
class RuleBook:
    """All rules, asked by path."""

    rules: Rules = field(default_factory=lambda: Rules(rules=()))

    def of(self, path: str) -> list[FileRule]:
        """The rules whose path fits; instrument and format are known only after reading."""
        return [
            rule
            for rule in self.rules.rules
            if any(fnmatch.fnmatchcase(path, glob) for glob in rule.match.path)
        ]

    def wanted(self, path: str) -> tuple[str, ...]:
        """The places of a file that rules ask for."""
        if not self.rules.rules or path[path.rfind(".") :].lower() in _NO_HDF5:
            return ()
        return tuple(
            dict.fromkeys(
                place for rule in self.of(path) for places in rule.file.values() for place in places
            )
        )

    def state(self, path: str) -> list[object]:
        """Changes whenever what rules say of this dataset may have changed."""
        if not self.rules.rules:
            return []
        found = self.of(path)
        records = [_record_path(rule, path) for rule in found if rule.record is not None]
        text = json.dumps([rule.model_dump(mode="json") for rule in found], sort_keys=True)
        return [hashlib.sha256(text.encode()).hexdigest(), *(_mark(one) for one in records)]

    def apply(self, dataset: Dataset, path: str, values: dict[str, Any]) -> Dataset:
        """The dataset with what the rules find; what does not fit becomes a warning."""
        for rule in self.of(path):
            if _fits(rule.match.instrument, dataset.instrument) and _fits(
                rule.match.format, dataset.format
            ):
                dataset = _apply(rule, dataset, path, values)
        return dataset


def _fits(wanted: Iterable[str], said: str | None) -> bool:
    globs = [glob.casefold() for glob in wanted]
    return not globs or any(fnmatch.fnmatchcase((said or "").casefold(), glob) for glob in globs)


def _apply(rule: FileRule, dataset: Dataset, path: str, values: dict[str, Any]) -> Dataset:
    found, warnings = _found(rule, dataset, path, values)
    changes: dict[str, Any] = {}
    scientific = dict(dataset.scientific)
    for name, value in found.items():
        fact = name.startswith(_PREFIX)
        said = _fact(value) if fact else _value_of(name, value)
        if said is None:
            shown = str(value)[:100]
            warnings.append(f"rule {rule.name!r}: {name}: {shown!r} is not what it takes")
        elif fact:
            scientific[name.removeprefix(_PREFIX)] = said
        else:
            changes[name] = said
    if "techniques" in changes:
        changes["technique_ids"] = technique_ids(changes["techniques"])
    changes["scientific"] = scientific
    changes["warnings"] = tuple(dict.fromkeys([*dataset.warnings, *warnings]))
    return dataset.model_copy(update=changes)


def _found(
    rule: FileRule, dataset: Dataset, path: str, values: dict[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """By catalogue field what the file, then the record, then the rule itself says."""
    found: dict[str, Any] = {}
    warnings: list[str] = []
    for name, places in rule.file.items():
        value = next((values[place] for place in places if place in values), None)
        if value is not None:
            found[name] = value
    if rule.record is not None:
        record, problem = _read_record(_record_path(rule, path))
        if problem is not None:
            warnings.append(f"rule {rule.name!r}: {problem}")
        for name, pointers in rule.record.fields.items():
            value = next((v for p in pointers if (v := pointed(record, p)) is not None), None)
            if value is not None:
                found[name] = value
    for name, texts in rule.set.items():
        if name not in found and not getattr(dataset, name):
            found[name] = list(texts) if name in LIST_FIELDS else texts[0]
    return found, warnings


def _value_of(name: str, value: Any) -> Any:
    """``value`` as this field takes it; ``None`` where it does not."""
    if name in LIST_FIELDS:
        items = value if isinstance(value, list) else [value]
        texts = [text for item in items[:100] if (text := _text(item)) is not None]
        return tuple(dict.fromkeys(texts)) if len(texts) == len(items[:100]) and texts else None
    if name in TIME_FIELDS:
        # YAML reads a time by itself.
        return value if isinstance(value, datetime) else time_of(text_of(value))
    text = _text(value)
    return None if text is None else text[: MAX_TITLE if name == "title" else 2000]


def _text(value: Any) -> str | None:
    if isinstance(value, dict) and set(value) == {"value", "unit"}:
        return f"{value['value']} {value['unit']}"
    if isinstance(value, bool) or value is None:
        return None
    return str(value) if isinstance(value, (int, float)) else text_of(value, 10_000)


def _fact(value: Any) -> Any:
    if isinstance(value, dict):
        number, unit = number_of(value.get("value")), text_of(value.get("unit"))
        return {"value": number, "unit": unit} if number is not None and unit else number
    number = number_of(value)
    return number if number is not None and not isinstance(value, str) else _text(value)


def _record_path(rule: FileRule, path: str) -> Path:
    assert rule.record is not None  # noqa: S101  # asked only where there is one
    root = PurePosixPath(path)
    return Path(str(root.parent), rule.record.file.replace("{stem}", root.stem))


def _mark(path: Path) -> list[object]:
    try:
        status = path.lstat()
    except OSError:
        return []
    return [str(path), status.st_size, status.st_mtime_ns, status.st_ino]


class _WithoutAliases(yaml.SafeLoader):
    """With them a record of some lines may stand for more values than any memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "an alias", None)
        return super().compose_node(parent, index)


def _text_of_file(path: Path) -> str | None:
    # Who writes beside the data may not have the scan, which may read more, follow a link.
    before = path.lstat()
    if not stat.S_ISREG(before.st_mode) or on_tape(before):
        return None
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(handle, encoding="utf-8") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_RECORD:
            return None
        return file.read(MAX_RECORD)


def _read_record(path: Path) -> tuple[Any, str | None]:
    """The record beside a dataset, and what is wrong with it; one that is not there is fine."""
    try:
        text = _text_of_file(path)
        if text is None:
            return None, f"{path.name}: not a small file on disk"
        # YAML takes what JSON writes, and is slow: JSON has its own reader.
        if path.suffix == ".json":
            return json.loads(text), None
        return yaml.load(text, _WithoutAliases), None  # noqa: S506 - a SafeLoader
    except FileNotFoundError:
        return None, None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        return None, f"{path.name}{line}: not valid YAML"
    except json.JSONDecodeError as error:
        return None, f"{path.name}, line {error.lineno}: not valid JSON"
    except (OSError, ValueError, RecursionError) as error:
        return None, f"{path.name}: cannot be read: {str(error)[:100]}"


def pointed(record: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) leads to; ``None`` where it leads nowhere."""
    here = record
    for part in pointer.removeprefix("/").split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(here, dict) and name in here:
            here = here[name]
        elif isinstance(here, list) and name.isdecimal() and int(name) < len(here):
            here = here[int(name)]
        else:
            return None
    return here
