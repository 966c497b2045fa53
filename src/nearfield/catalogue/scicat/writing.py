"""Derived datasets in SciCat: checked first, made once, completed by a second attempt.

SciCat takes any inputs, those that do not exist too, so they are looked up before. The PID is made
from the run id where the backend lets its users name PIDs: then of two writers one gets a refusal
and finds the other's. Elsewhere a lease keeps the writers of one account apart, and a search by
run id finds what an attempt whose answer got lost has made.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from nearfield.catalogue._derive import check_same_request, derived_dataset, request_digest
from nearfield.catalogue._lease import lease
from nearfield.catalogue.scicat.backend import Backend
from nearfield.catalogue.scicat.bodies import blocks_of, dataset_body
from nearfield.catalogue.scicat.identity import Account
from nearfield.catalogue.scicat.mapping import Record, files_of, job_parameters_of, text_of
from nearfield.catalogue.scicat.pids import inside, outside
from nearfield.catalogue.sqlite import not_found
from nearfield.config.catalogue import user_data_dir
from nearfield.config.sources import SciCatSource
from nearfield.datasets import DataFile, Dataset, DerivedDataset, derived_pid
from nearfield.errors import (
    CatalogueError,
    DatasetNotPermittedError,
    SourceLoginError,
    SourceStatusError,
)

Resolve = Callable[[Record, list[Any]], Awaitable[Dataset]]
_AT_ONCE = 8
_PATIENCE = (0.2, 0.5, 1.0)
_CONFLICT = frozenset({409})
_REFUSED = frozenset({400, 403, 422})


class Writer:
    """Makes derived datasets as one user."""

    def __init__(self, backend: Backend, settings: SciCatSource, resolve: Resolve) -> None:
        self._backend, self._settings, self._resolve = backend, settings, resolve
        self.client_pids = settings.client_pids
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def derive(self, wanted: DerivedDataset) -> str:
        """As :meth:`Catalogue.derive`."""
        digest = request_digest(wanted)
        if self._backend.anonymous:
            raise SourceLoginError(
                f"{self._backend.name}: results are taken with a log-in only",
                hint="give it a token: see 'token' in its settings",
            )
        account = await self._backend.account()
        if (known := await self._known(wanted.run_id)) is not None:
            return await self._completed(wanted, digest, known, account)
        inputs = await self._inputs(wanted.input_datasets)
        body = await self._body(wanted, digest, inputs, account)
        if self.client_pids:
            try:
                return await self._make_named(wanted, digest, body, account)
            except SourceStatusError as error:
                if error.status not in _REFUSED:
                    raise
                # Users may not name PIDs there, or something else: the other way will say.
        folder = user_data_dir() / "leases"
        async with lease(self._backend.name, wanted.run_id, folder, sleep=self.sleep):
            pid = await self._make_unnamed(wanted, digest, body, account)
        self.client_pids = False
        return pid

    def pid_of(self, run_id: str) -> str:
        """The PID for a run, the same whatever this machine calls the source."""
        name = derived_pid(self._settings.url.rstrip("/"), run_id)
        prefix = self._settings.pid_prefix
        return f"{prefix.rstrip('/')}/{name}" if prefix else name

    async def _make_named(
        self, wanted: DerivedDataset, digest: str, body: dict[str, Any], account: Account
    ) -> str:
        pid = self.pid_of(wanted.run_id)
        try:
            record = await self._backend.create({**body, "pid": pid}, again=True)
        except SourceStatusError as error:
            if error.status not in _CONFLICT:
                raise
            # Another writer was faster, or an answer of our own got lost.
            found = await self._backend.record(pid)
            if found is None:
                check_same_request(wanted.run_id, digest, None, owner=None, user="")
            return await self._completed(wanted, digest, found or {}, account, patiently=True)
        await self._list_files(wanted, record or {"pid": pid}, body)
        return outside(text_of(record, "pid") or pid)

    async def _make_unnamed(
        self, wanted: DerivedDataset, digest: str, body: dict[str, Any], account: Account
    ) -> str:
        if (known := await self._known(wanted.run_id)) is not None:
            return await self._completed(wanted, digest, known, account)
        try:
            record = await self._backend.create(body, again=False)
        except SourceStatusError as error:
            if error.status != 403:
                raise
            raise DatasetNotPermittedError(
                f"{self._backend.name}: {account.principal.name} may not create datasets of the "
                f"group {body['ownerGroup']!r}",
                hint="a result belongs to a group that may see all its inputs: publish from inputs "
                "of one group of yours, or ask the catalogue's administrators for the right",
            ) from error
        # A writer elsewhere may have done the same: the older one is the result.
        first = await self._known(wanted.run_id)
        if first is not None and first.get("pid") != record.get("pid"):
            await self._take_back(str(record.get("pid")))
            return await self._completed(wanted, digest, first, account)
        pid = text_of(record, "pid")
        if pid is None:
            raise CatalogueError(f"{self._backend.name}: made a dataset and did not say its PID")
        await self._list_files(wanted, record, body)
        return outside(pid)

    async def _known(self, run_id: str) -> Record | None:
        """What this user can see of the run; the oldest, where there are several."""
        ways = [{"jobParameters.nearfield.run_id": run_id}, {"pid": self.pid_of(run_id)}]
        found = await self._backend.page({"$and": [{"$or": ways}]}, limit=10)
        records = [one for one in found if isinstance(one, dict) and text_of(one, "pid")]
        if not records:
            return None
        # A list is lean: the whole record is asked for by itself.
        oldest = min(records, key=lambda r: (str(r.get("creationTime")), str(r["pid"])))
        return await self._backend.record(str(oldest["pid"]))

    async def _completed(
        self,
        wanted: DerivedDataset,
        digest: str,
        record: Record,
        account: Account,
        *,
        patiently: bool = False,
    ) -> str:
        """The dataset that is there already, with the files that an attempt left out.

        ``patiently``: another writer may be listing them right now.
        """
        ours, _ = job_parameters_of(record)
        user = account.principal.name
        check_same_request(
            wanted.run_id, digest, ours.get("request"), owner=ours.get("by"), user=user
        )
        body = {
            "ownerGroup": record.get("ownerGroup"),
            "accessGroups": record.get("accessGroups") or [],
        }
        for pause in _PATIENCE if patiently else ():
            if not await self._missing(wanted, str(record["pid"])):
                break
            await self.sleep(pause)
        await self._list_files(wanted, record, body)
        return outside(str(record["pid"]))

    async def _list_files(
        self, wanted: DerivedDataset, record: Record, body: dict[str, Any]
    ) -> None:
        """List the files that are not listed yet."""
        pid = str(record["pid"])
        for block in blocks_of(
            await self._missing(wanted, pid),
            wanted.source_folder,
            group=body["ownerGroup"],
            groups=body["accessGroups"],
            version=self._backend.version,
        ):
            await self._backend.add_block(pid, block)

    async def _missing(self, wanted: DerivedDataset, pid: str) -> list[DataFile]:
        folder = {"sourceFolder": wanted.source_folder}
        listed = {file.path for file in files_of(folder, await self._backend.blocks(pid))}
        return [file for file in wanted.files if file.path not in listed]

    async def _inputs(self, pids: Sequence[str]) -> list[Dataset]:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(pid: str) -> Dataset:
            async with gate:
                own = inside(pid)
                record = None if own is None else await self._backend.record(own)
            if record is None or record.get("pid") != own:
                raise not_found(pid)
            return await self._resolve(record, [])

        return list(await asyncio.gather(*map(one, dict.fromkeys(pids))))

    async def _body(
        self, wanted: DerivedDataset, digest: str, inputs: Sequence[Dataset], account: Account
    ) -> dict[str, Any]:
        made = derived_dataset(
            self.pid_of(wanted.run_id), wanted, inputs, account.principal, datetime.now(UTC)
        )
        return dataset_body(
            made,
            pid=None,
            digest=digest,
            group=self._owner_group(made, account),
            email=account.email,
            instruments=await self._backend.instruments(),
            version=self._backend.version,
        )

    def _owner_group(self, made: Dataset, account: Account) -> str:
        """SciCat knows no owner but a group: one that may see every input, and is the user's."""
        mine, access = account.principal.groups, made.access
        own = account.principal.name
        allowed = [g for g in (access.owner_group, *access.access_groups) if g]
        if access.public:
            allowed = [g for g in (self._settings.owner_group, own, *allowed, *sorted(mine)) if g]
        elif not allowed:
            # Nobody but the user may see it; many facilities have a group for each account.
            allowed = [own]
        # Of no group of the user's: administrators may, and others are told by the backend.
        return next((g for g in allowed if g in mine), allowed[0])

    async def _take_back(self, pid: str) -> None:
        """Our own second copy; where the account may not delete it stays, without files."""
        try:
            await self._backend.delete(pid)
        except SourceStatusError:
            return
