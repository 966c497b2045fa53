"""The hub's leftovers in its database, in a table of their own.

Not with the servers that they were jobs of: a named server can be removed, and a user deleted,
while the scheduler does not answer. JupyterHub leaves tables that it does not know alone.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Column, MetaData, Table, Text, Unicode, bindparam, delete, insert, select
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import object_session
from sqlalchemy.pool import StaticPool

from nearfield.scheduler import JobId, Scheduler
from nearfield_spawners.leftovers import MOST_SECONDS, Leftovers
from nearfield_spawners.live_config import LiveConfig

TABLE = Table(
    "nearfield_leftovers",
    MetaData(),
    Column("name", Unicode(64), primary_key=True),
    Column("told", Text, nullable=False),
)

PAUSE_SECONDS = 10.0
SAVE_AGAIN_SECONDS = 0.1
"""What could not be saved is saved so much later, and ever later."""

log = logging.getLogger("nearfield.leftovers")

_shared: WeakKeyDictionary[Any, Leftovers] = WeakKeyDictionary()  # one for a hub's database


def leftovers_of(row: Any, config_file: str) -> Leftovers:
    """The leftovers of the hub whose database holds this row of a spawner.

    Without a database, as for a tool that only looks, they are in memory.
    """
    session = object_session(row) if row is not None else None
    if session is None or session.bind is None:
        return _leftovers(config_file, None)
    return leftovers_in(session.bind, config_file)


def leftovers_in(engine: Any, config_file: str) -> Leftovers:
    """The leftovers in this database of a hub.

    The first to ask in a hub process has those of the process before gone on with.
    """
    if engine not in _shared:
        # A database in memory ends with the hub, and its only connection is that of every handler.
        table = None if isinstance(engine.pool, StaticPool) else LeftoverTable(engine)
        _shared[engine] = kept = _leftovers(config_file, table)
        _go_on(kept)
    return _shared[engine]


def _leftovers(config_file: str, table: LeftoverTable | None) -> Leftovers:
    def scheduler(cluster: str) -> Scheduler:
        return LiveConfig.of(config_file).scheduler(cluster)

    async def find(cluster: str, user: str, name: str) -> JobId | None:
        return await LiveConfig.of(config_file).monitor(cluster).find(user, name)

    def save() -> None:
        if table is not None:
            table.save(kept)

    kept = Leftovers(scheduler, save, find=find, pause_seconds=PAUSE_SECONDS)
    if table is not None:
        kept.load(table.read())
    return kept


def _go_on(kept: Leftovers) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return  # no hub around
    kept.go_on()


class LeftoverTable:
    """The table, through connections of its own.

    All of the hub shares one session. To commit or to roll it back would do so to what other
    handlers have not finished.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ours: set[str] = set()
        """Names in the table that this process answers for."""
        self._pause = SAVE_AGAIN_SECONDS
        self._again: asyncio.TimerHandle | None = None

    def read(self) -> list[Any]:
        """What the hub before has left. Nothing if that cannot be read; it stays there then."""
        try:
            with self._engine.begin() as connection:
                TABLE.create(connection, checkfirst=True)
                rows = connection.execute(select(TABLE.c.name, TABLE.c.told)).all()
            found = [json.loads(told) for _, told in rows]
        except (SQLAlchemyError, ValueError) as error:
            log.error("no table for leftovers; those of a hub that ends are lost: %s", error)
            return []
        self._ours = {name for name, _ in rows}
        return found

    def save(self, kept: Leftovers) -> None:
        """Have these in the table instead of those of before; later, if it cannot be done now."""
        if self._again is not None:
            self._again.cancel()
            self._again = None
        rows = {entry["name"]: json.dumps(entry) for entry in kept.dump()}
        try:
            with self._at_once() as connection:
                TABLE.create(connection, checkfirst=True)
                if old := self._ours | rows.keys():
                    remove = delete(TABLE).where(TABLE.c.name == bindparam("old"))
                    connection.execute(remove, [{"old": name} for name in old])
                if rows:
                    told = [{"name": name, "told": text} for name, text in rows.items()]
                    connection.execute(insert(TABLE), told)
        except SQLAlchemyError as error:
            log.error("leftovers cannot be saved now, it is tried again: %s", error)
            loop = asyncio.get_running_loop()
            self._again = loop.call_later(self._pause, self.save, kept)
            self._pause = min(2 * self._pause, MOST_SECONDS)
        else:
            self._ours = set(rows)
            self._pause = SAVE_AGAIN_SECONDS

    @contextmanager
    def _at_once(self) -> Iterator[Connection]:
        """A transaction that does not wait for a lock of SQLite.

        Who holds it is mostly this hub, in a handler that goes on only after us.
        """
        with self._engine.connect() as connection:
            patience = None
            if connection.dialect.name == "sqlite":
                patience = int(connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one())
                connection.exec_driver_sql("PRAGMA busy_timeout = 0")
                connection.commit()
            try:
                with connection.begin():
                    yield connection
            finally:
                if patience is not None:  # the hub gets this connection too
                    connection.exec_driver_sql(f"PRAGMA busy_timeout = {patience}")
