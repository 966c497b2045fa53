"""The entities of a fake ICAT: queries with a user's rights, writes that are whole or nothing."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, tzinfo
from typing import Any

from nearfield.testing.fake_icat_jpql import Binding, Parsed, Parser, QueryError, read
from nearfield.testing.fake_icat_schema import BASE, SCHEMA

MAX_STRING = 255
Row = dict[str, Any]
Rule = Callable[[str, str, Row], bool]
"""May this user (as ICAT names them) do it with this entity of that kind?"""
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|[+-]\d\d:\d\d)")


class WriteError(Exception):
    """A write that ICAT refuses: ``IcatExceptionType`` and words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class TooManyError(Exception):
    """More entities than are given at once, those that are included counted too."""


class IcatStore:
    """Tables, rules and the clock's zone. ``may_read`` and ``may_create`` are the site's rules."""

    max_entities = 10_000
    """As icat.server's run.properties has it."""

    def __init__(self, may_read: Rule, may_create: Rule, zone: tzinfo = UTC) -> None:
        self.tables: dict[str, dict[int, Row]] = {kind: {} for kind in SCHEMA}
        self.may_read, self.may_create, self.zone = may_read, may_create, zone
        self._ids = itertools.count(101)

    def add(self, kind: str, user: str = "db/ingest", **fields: Any) -> Row:
        """Put an entity there; relations to one are rows of this store."""
        now = datetime.now(UTC).replace(microsecond=0)
        row: Row = {
            "id": next(self._ids),
            **{"createId": user, "createTime": now, "modId": user, "modTime": now},
            **fields,
        }
        if kind == "Dataset":
            row = {"fileSize": 0, "fileCount": 0, "complete": False, **row}
        self._check(kind, row)
        self.tables[kind][row["id"]] = row
        if kind == "Datafile" and row.get("fileSize"):
            row["dataset"]["fileSize"] += row["fileSize"]
            row["dataset"]["fileCount"] += 1
        return row

    def remove(self, kind: str, number: int) -> None:
        """Delete an entity and what belongs to it."""
        row = self.tables[kind].pop(number)
        for target, back in SCHEMA[kind].many.values():
            for one in [r for r in self.tables[target].values() if r.get(back) is row]:
                if back in SCHEMA[target].required:
                    self.remove(target, one["id"])

    def many(self, kind: str, row: Row, name: str) -> list[Row]:
        target, back = SCHEMA[kind].many[name]
        return [one for one in self.tables[target].values() if one.get(back) is row]

    def search(self, user: str, text: str) -> list[Any]:
        """The answer to a query, as JSON.

        Raises:
            QueryError: ICAT would not understand it.
            TooManyError: it would not give so much.
        """
        query = Parser(text, self.zone, self._subquery).query()
        rows = [row for row in self._rows(query, {}) if self._visible(user, query, row)]
        if query.group is not None:
            return self._grouped(query, rows)
        if any(counted for _, counted in query.items):
            if len(query.items) != 1:
                raise QueryError("COUNT beside something else needs GROUP BY")
            return [len(rows)]
        for path, descending in reversed(query.order):
            rows = _sorted(rows, path, descending)
        if query.limit is not None:
            first, number = query.limit
            rows = rows[first:] if number is None else rows[first : first + number]
        found = [self._item(user, query, row) for row in rows]
        if sum(map(_entities, found)) > self.max_entities:
            raise TooManyError(f"attempt to return more than {self.max_entities} entities")
        return found

    def _rows(self, query: Parsed, outer: Binding) -> Iterator[Binding]:
        kind, alias = query.root
        for row in list(self.tables[kind].values()):
            for binding in self._joined(query, 0, {**outer, alias: row}):
                if query.where is None or query.where(binding):
                    yield binding

    def _joined(self, query: Parsed, at: int, row: Binding) -> Iterator[Binding]:
        if at == len(query.joins):
            yield row
            return
        path, alias = query.joins[at]
        start, _, step = path.partition(".")
        kind = query.aliases[start]
        if step in SCHEMA[kind].one:
            target = row[start].get(step)
            targets = [] if target is None else [target]
        else:
            targets = self.many(kind, row[start], step)
        for one in targets:
            yield from self._joined(query, at + 1, {**row, alias: one})

    def _subquery(self, query: Parsed, outer: Binding) -> list[Any]:
        # Not the rights: icat.server adds its rules to what the outer query selects.
        return [read(row, query.items[0][0]) for row in self._rows(query, outer)]

    def _visible(self, user: str, query: Parsed, row: Binding) -> bool:
        for path, _ in query.items:
            kind, found = query.aliases[path.partition(".")[0]], row[path.partition(".")[0]]
            for step in path.split(".")[1:]:
                if found is None or step not in SCHEMA[kind].one:
                    break
                kind, found = SCHEMA[kind].one[step], found.get(step)
            if found is None or not self._readable(user, kind, found):
                return False
        return True

    def _readable(self, user: str, kind: str, row: Row) -> bool:
        return SCHEMA[kind].public or self.may_read(user, kind, row)

    def _grouped(self, query: Parsed, rows: list[Binding]) -> list[Any]:
        names = [path for path, counted in query.items if not counted]
        if names != [query.group] or len(query.items) != 2:
            raise QueryError("what is selected must be counted or grouped by")
        counts: dict[Any, int] = {}
        for row in rows:
            value = read(row, query.group or "")
            counts[value] = counts.get(value, 0) + 1
        return [[value, number] for value, number in counts.items()]

    def _item(self, user: str, query: Parsed, row: Binding) -> Any:
        values = []
        for path, _ in query.items:
            value = read(row, path)
            if isinstance(value, dict):
                kind = query.aliases[path]
                value = {kind: self._entity(user, kind, value, query, path)}
            values.append(_json(value, self.zone))
        return values[0] if len(values) == 1 else values

    def _entity(self, user: str, kind: str, row: Row, query: Parsed, place: str) -> Row:
        known = SCHEMA[kind]
        found = {
            name: _json(row[name], self.zone)
            for name in (*BASE, *known.attributes)
            if row.get(name) is not None
        }
        places = {place} | {alias for alias, step in query.include if step == f"={place}"}
        for start, step in query.include:
            if start not in places or step.startswith("="):
                continue
            below = f"{start}.{step}"
            if step in known.one:
                target = row.get(step)
                if target is not None and self._readable(user, known.one[step], target):
                    found[step] = self._entity(user, known.one[step], target, query, below)
            else:
                kind_there = known.many[step][0]
                found[step] = [
                    self._entity(user, kind_there, one, query, below)
                    for one in self.many(kind, row, step)
                    if self._readable(user, kind_there, one)
                ]
        return found

    def write(self, user: str, said: Any) -> list[int]:
        """Create entities; all of them or none.

        Raises:
            WriteError: refused.
        """
        before = {kind: dict(rows) for kind, rows in self.tables.items()}
        counts = {n: (r["fileSize"], r["fileCount"]) for n, r in self.tables["Dataset"].items()}
        try:
            return [self._create(user, entity) for entity in said]
        except WriteError:
            self.tables = before
            for number, (size, files) in counts.items():
                self.tables["Dataset"][number].update(fileSize=size, fileCount=files)
            raise

    def _create(self, user: str, entity: Any) -> int:
        if not isinstance(entity, dict) or len(entity) != 1:
            raise WriteError("BAD_PARAMETER", "entity must have one keyword followed by its values")
        ((kind, said),) = entity.items()
        if kind not in SCHEMA or not isinstance(said, dict) or "id" in said:
            raise WriteError("BAD_PARAMETER", f"{kind} cannot be created")
        return int(self._made(user, kind, said, {})["id"])

    def _made(self, user: str, kind: str, said: Row, given: Row) -> Row:
        known = SCHEMA[kind]
        fields: Row = dict(given)
        children: list[tuple[str, str, Row]] = []
        for name, value in said.items():
            if name in known.attributes:
                fields[name] = self._read(kind, name, value)
            elif name in known.one:
                fields[name] = self._referred(known.one[name], value)
            elif name in known.many:
                target, back = known.many[name]
                children += [(target, back, one) for one in value]
            else:
                raise WriteError("BAD_PARAMETER", f"Field {name} not found in {kind}")
        self._check(kind, fields)
        row = self.add(kind, user, **fields)
        if not self.may_create(user, kind, row):
            raise WriteError(
                "INSUFFICIENT_PRIVILEGES", f"CREATE access to this {kind} is not allowed."
            )
        for target, back, child in children:
            self._made(user, target, child, {back: row})
        return row

    def _referred(self, kind: str, value: Any) -> Row:
        if not isinstance(value, dict) or list(value) != ["id"]:
            raise WriteError("BAD_PARAMETER", f"One to many related objects need an id: {value}")
        found = self.tables[kind].get(value["id"])
        if found is None:
            raise WriteError("NO_SUCH_OBJECT_FOUND", f"{kind}[id:{value['id']}] not found.")
        return found

    def _read(self, kind: str, name: str, value: Any) -> Any:
        wanted = SCHEMA[kind].attributes[name]
        if wanted == "Date":
            if not isinstance(value, str) or not _DATE.fullmatch(value):
                raise WriteError("BAD_PARAMETER", f"Badly formatted date {value}")
            return datetime.fromisoformat(value)
        fits = {
            "String": isinstance(value, str),
            "Long": isinstance(value, int) and not isinstance(value, bool),
            "Double": isinstance(value, int | float) and not isinstance(value, bool),
            "boolean": isinstance(value, bool),
            "ParameterValueType": value in ("NUMERIC", "STRING", "DATE_AND_TIME"),
        }
        if value is not None and not fits[wanted]:
            raise WriteError("BAD_PARAMETER", f"Field {name} of {kind} is not a {wanted}")
        return value

    def _check(self, kind: str, row: Row) -> None:
        known = SCHEMA[kind]
        for name in known.required:
            if row.get(name) is None:
                raise WriteError("VALIDATION", f"{kind}: {name} cannot be null.")
        for name, of in known.attributes.items():
            most = known.lengths.get(name, MAX_STRING)
            if of == "String" and len(row.get(name) or "") > most:
                raise WriteError("VALIDATION", f"{kind}: {name} cannot have length > {most}")
        if kind == "DatasetParameter" and not row["type"].get("applicableToDataset"):
            raise WriteError("VALIDATION", "ParameterType is not applicable to a Dataset")
        if known.key and any(
            all(_same(one.get(name), row.get(name)) for name in known.key)
            for one in self.tables[kind].values()
        ):
            raise WriteError("OBJECT_ALREADY_EXISTS", f"{kind} exists with {', '.join(known.key)}")


def _same(one: Any, other: Any) -> bool:
    return one is other if isinstance(one, dict) else bool(one == other)


def _sorted(rows: list[Binding], path: str, descending: bool) -> list[Binding]:
    """As MariaDB has it: nothing comes before everything."""

    def key(row: Binding) -> tuple[bool, Any]:
        value = read(row, path)
        return value is not None, 0 if value is None else value

    return sorted(rows, key=key, reverse=descending)


def _json(value: Any, zone: tzinfo) -> Any:
    if not isinstance(value, datetime):
        return value
    local = value.astimezone(zone).isoformat(timespec="milliseconds")
    return local.replace("+00:00", "Z")


def _entities(said: Any) -> int:
    """Entities in a row's JSON: each has an id."""
    if isinstance(said, dict):
        return ("id" in said) + sum(map(_entities, said.values()))
    return sum(map(_entities, said)) if isinstance(said, list) else 0
