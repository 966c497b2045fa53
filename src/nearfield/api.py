"""The public functions: ``nearfield.dataset``, ``search``, ``reduce``, ``run`` and ``publish``.

They are synchronous and may be called from a notebook cell, where a loop is running already.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from nearfield.reducing import reduce as reduce  # noqa: PLC0414
from nearfield.reducing import reduction as reduction  # noqa: PLC0414
from nearfield.synchronous import target_of, with_catalogue

if TYPE_CHECKING:
    from distributed.deploy.cluster import Cluster

    from nearfield.catalogue import Catalogue, Thumbnail
    from nearfield.config import Config
    from nearfield.datasets import Dataset, DatasetFiles
    from nearfield.provenance.record import Record
    from nearfield.publishing.publication import Publication
    from nearfield.session_data import SessionDataset
    from nearfield.showing import ShownDataset, ShownPage
    from nearfield.templates.execution import OnCell
    from nearfield.templates.runner import Plan

_MOMENT = 5.0
"""Seconds that a card waits for its picture."""


def dataset(
    pid: str, *, source: str | None = None, catalogue: str | Path | None = None
) -> ShownDataset:
    """One dataset: its metadata, files and arrays. A notebook shows it as a card.

    Inside a notebook that ``nearfield run`` executes, the run's own inputs answer, and no
    catalogue is asked.

    Args:
        pid: The dataset's persistent identifier; a DOI with or without ``https://doi.org/``.
        source: The catalogue that holds it, where several are configured.
        catalogue: A catalogue file instead of the configured catalogues.

    Raises:
        DatasetNotFoundError: there is none, or the run was not given it.
        DatasetNotPermittedError: you may not see it.
        UnknownNameError: there is no such source.
    """
    from nearfield.showing import ShownDataset

    if catalogue is None and (inputs := os.environ.get("NEARFIELD_RUN")):
        from nearfield.templates.inputs import dataset_of_run

        return ShownDataset.of(dataset_of_run(Path(inputs), pid))
    from nearfield.availability import with_availability
    from nearfield.catalogue import only
    from nearfield.config import load_config
    from nearfield.templates.inputs import resolve

    async def ask(all_sources: Catalogue) -> Dataset:
        return (await resolve(only(all_sources, source), [pid]))[0]

    config = load_config()
    found = with_availability(config, with_catalogue(config, catalogue, ask))
    return ShownDataset.of(found, lambda: _picture(found, catalogue))


# Where a parameter is called dataset.
_dataset = dataset


def _picture(found: Dataset, catalogue: str | Path | None) -> Thumbnail | None:
    """For the card; one that takes longer than a moment is left out."""
    from nearfield.catalogue import FederatedCatalogue

    async def ask(source: Catalogue) -> Thumbnail | None:
        async with asyncio.timeout(_MOMENT):
            if isinstance(source, FederatedCatalogue):
                return await source.thumbnail(found.pid, source=found.source)
            return await source.thumbnail(found.pid)

    return with_catalogue(None, catalogue, ask)


def search(text: str = "", *, catalogue: str | Path | None = None, **conditions: Any) -> ShownPage:
    """Datasets that match, newest first, from all configured catalogues.

    Args:
        text: The query language: ``technique:saxs year:2024 energy>8keV "silver behenate"``.
        catalogue: A catalogue file instead of the configured catalogues.
        **conditions: Fields of :class:`nearfield.querying.Query`, instead of what the text says
            of them: ``type``, ``technique``, ``instrument``, ``source``, ``since``, ``until``,
            ``order``, ``limit``, ``cursor`` (``next`` of the page before), …

    Raises:
        QuerySyntaxError: the text cannot be understood; it points at the character.
        UsageError: a condition does not exist or does not fit.
        CatalogueUnavailableError: no catalogue answered.
    """
    from pydantic import ValidationError

    from nearfield.catalogue import find
    from nearfield.errors import UnknownNameError, UsageError
    from nearfield.querying import Query
    from nearfield.querying.language import parse
    from nearfield.showing import ShownPage

    for name in conditions:
        if name not in Query.model_fields:
            raise UnknownNameError("condition", name, Query.model_fields)
    try:
        query = Query.model_validate({**dict(parse(text)), **conditions})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return ShownPage.of(with_catalogue(None, catalogue, lambda source: find(source, query)))


def open_file(dataset: Dataset | str, path: str | None = None) -> BinaryIO:
    """A file of a dataset for reading, wherever it is: ``h5py.File(nearfield.open_file(ds))``.

    On a storage of this machine it is opened there; else pieces of it are fetched over HTTPS or
    WebDAV as they are read (the extra ``remote``), with your token of its catalogue.

    Args:
        dataset: The dataset, or its PID.
        path: One of its files; its root file without it.

    Raises:
        DataFileError: it is on tape (and stays there), or nowhere that this machine reaches.
        UsageError: the dataset has no such file.
        BlockedError: a package or a token is missing.
    """
    from nearfield.config import load_config
    from nearfield.fetching import open_data

    found = _dataset(dataset) if isinstance(dataset, str) else dataset
    return open_data(load_config(), found, path)


def cluster(
    jobs: int | None = None,
    *,
    threads: int | None = None,
    minutes: int | None = None,
    dashboard: bool = False,
) -> Cluster:
    """A Dask cluster of this session: for ``result.nearfield.compute(client=…)``, or any Dask code.

    Without ``jobs`` its one worker is threads of this process. With it there are so many Slurm
    jobs of the session's own profile and environment: one process on a node each. They are
    replaced before they reach their time limit, and all end when the cluster is closed or this
    process ends, however it does.

    It is a context manager; ``close()``, ``scale(n)``, ``get_client()`` are those of Dask.

    Args:
        jobs: How many workers beyond this session's own cores.
        threads: Of each worker; as many as it has cores without it.
        minutes: That each job may run at most; as long as the profile says without it.
        dashboard: Show Dask's dashboard, below your own server's address. Whoever has an account
            on this node can look at it too.

    Raises:
        BlockedError: this session may start no jobs; says why and what to do. Or a package is
            missing.
        UsageError: more jobs than the profile allows.
        ClusterError: the first job was refused.
    """
    try:
        from nearfield.workers.starting import start
    except ImportError as error:
        from nearfield.errors import without_package

        raise without_package(error, "clusters", "cluster") from error
    return start(jobs, threads=threads, minutes=minutes, dashboard=dashboard)


def snippet(dataset: Dataset) -> str:
    """Code for a notebook's cell that gives this dataset and opens its signal."""
    from nearfield.showing import snippet as code

    return code(dataset)


def run(
    template: str,
    datasets: str | Sequence[str],
    *,
    out: str | Path,
    parameters: Mapping[str, Any] | None = None,
    catalogue: str | Path | None = None,
    config: Config | None = None,
    on_cell: OnCell | None = None,
) -> Record:
    """Run a template notebook over datasets and record what it did.

    Args:
        template: A template's name, or the path of its folder.
        datasets: The PID of a dataset, or several.
        out: A new or empty folder for the executed notebook and its results.
        parameters: Values for the template's parameters.
        catalogue: A catalogue file instead of the configured catalogue.
        config: A configuration instead of the one that is found.
        on_cell: Told how far the notebook is.

    Returns:
        The record of a completed run.

    Raises:
        UsageError: something is wrong with the request; nothing was started.
        RunError: a cell failed, or the run was stopped; the record and the notebook are kept.
    """
    from nearfield.errors import RunError
    from nearfield.templates.runner import carry_out

    plan = plan_run(
        template, datasets, out=out, parameters=parameters, catalogue=catalogue, config=config
    )
    record = carry_out(plan, on_cell or (lambda done, total, what: None))
    if record.status == "aborted":
        raise RunError(f"run {record.run_id} was stopped; its folder is {record.folder}")
    if record.failure is not None:
        at = f"cell {record.failure.cell}: " if record.failure.cell else ""
        raise RunError(
            f"{record.template.name}: {at}{record.failure.message}",
            hint=f"the notebook as far as it came: {Path(record.folder) / record.notebook}",
        )
    return record


def publish(
    folder: str | Path,
    *,
    title: str | None = None,
    catalogue: str | Path | None = None,
) -> str:
    """Publish a completed run as a derived dataset; doing so again gives the same PID.

    Args:
        folder: The run's folder.
        title: Title of the derived dataset; made from template and input where None.
        catalogue: A catalogue file instead of the configured catalogue.

    Returns:
        The PID of the derived dataset.

    Raises:
        PublishError: the run is not complete, or a file is not as the run left it.
    """
    return publication(folder, title=title, catalogue=catalogue).pid


def plan_run(
    template: str,
    datasets: str | Sequence[str],
    *,
    out: str | Path,
    parameters: Mapping[str, Any] | None = None,
    catalogue: str | Path | None = None,
    config: Config | None = None,
) -> Plan:
    """Everything that can go wrong before a run starts goes wrong here; nothing is made."""
    from nearfield.config import load_config
    from nearfield.templates.inputs import resolve
    from nearfield.templates.runner import check_request, make_plan

    config = config or load_config()
    pids = [datasets] if isinstance(datasets, str) else list(datasets)
    request = check_request(config, template, pids, parameters or {}, Path(out))
    found = with_catalogue(config, catalogue, lambda source: resolve(source, pids))
    return make_plan(request, found)


def publication(
    folder: str | Path,
    *,
    title: str | None = None,
    catalogue: str | Path | None = None,
    config: Config | None = None,
) -> Publication:
    """As :func:`publish`, and tells whether it had been published already."""
    from nearfield.config import load_config
    from nearfield.publishing.publication import publish_run

    config = config or load_config()
    target = target_of(config, catalogue)

    async def send(source: Catalogue) -> Publication:
        return await publish_run(Path(folder), source, target=target, title=title)

    return with_catalogue(config, catalogue, send)


def session_datasets() -> list[SessionDataset]:
    """The datasets of the session that this process runs in. Raises BlockedError outside one."""
    from nearfield.session_data import Session, show

    return show(Session.current())


def session_add(datasets: str | Sequence[str]) -> list[SessionDataset]:
    """Add datasets to the session that this process runs in; they appear in ``$NEARFIELD_DATA``.

    Raises:
        DatasetNotFoundError, DatasetNotPermittedError: for one of them; nothing is added.
        BlockedError: no session, or one that does not have the dataset's storage.
    """
    from nearfield.session_data import Session, add, check_request

    session = Session.current()
    pids = check_request([datasets] if isinstance(datasets, str) else datasets)
    return add(session, with_catalogue(None, None, lambda source: files_of(source, pids)))


async def files_of(source: Catalogue, pids: Sequence[str]) -> list[DatasetFiles]:
    """What of these datasets is linked. Raises as the catalogue's ``get``."""
    from nearfield.datasets import links_of

    return [links_of(await source.get(pid)) for pid in pids]
