"""Where a result goes whose inputs are in several catalogues."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from nearfield.catalogue._asking import Answer, FederatedSource, ask
from nearfield.catalogue._protocol import Catalogue
from nearfield.datasets import Dataset, DerivedDataset
from nearfield.errors import (
    CatalogueError,
    DatasetNotFoundError,
    DatasetNotPermittedError,
)

_ABSENT = (DatasetNotFoundError, DatasetNotPermittedError)


async def derive_in(sources: Sequence[FederatedSource], wanted: DerivedDataset) -> str:
    """Register ``wanted`` where all its inputs are, else in the home, the first of ``sources``.

    The same result goes to the same place whenever it is sent: where that depends on a source
    that does not answer, nothing is registered.

    Raises:
        DatasetNotFoundError, DatasetNotPermittedError: an input is nowhere, or not for you.
        CatalogueUnavailableError, CatalogueError: a source that may hold an input does not answer.
    """
    pids = tuple(dict.fromkeys(wanted.input_datasets))
    home = sources[0]
    found: dict[str, dict[str, Answer[Dataset]]] = {}
    for source in _home_alone_first(sources):
        found.update(await _look(source, pids))
        for one in source:
            answers = found[one.name]
            if not _takes_results(one):
                continue
            if all(answers[pid].kind is None for pid in pids):
                return await _derive(one, wanted)
            _must_know(answers, pids)
    elsewhere = _elsewhere(sources, found, pids)
    if not _takes_results(home):
        raise CatalogueError(
            f"{home.name}: takes no results, and no other catalogue holds all inputs",
            hint="name a catalogue of your own under `catalogue` in nearfield.yaml",
        )
    return await _derive(home, wanted.model_copy(update={"inputs_elsewhere": elsewhere}))


def _home_alone_first(sources: Sequence[FederatedSource]) -> list[Sequence[FederatedSource]]:
    """Most results are of the home's own data: the others need not answer for these."""
    return [part for part in (sources[:1], sources[1:]) if part]


async def _look(
    sources: Sequence[FederatedSource], pids: Sequence[str]
) -> dict[str, dict[str, Answer[Dataset]]]:
    async def inputs_in(source: FederatedSource) -> dict[str, Answer[Dataset]]:
        answers: dict[str, Answer[Dataset]] = {}
        for pid in pids:
            # One after the other: a thousand inputs are no reason to storm a source.
            answers[pid] = await ask(source, _getting(pid))
            if _unknown(answers[pid]):
                # It would cost its time with each of the others, too.
                return dict.fromkeys(pids, answers[pid]) | answers
        return answers

    async with asyncio.TaskGroup() as group:
        tasks = {source.name: group.create_task(inputs_in(source)) for source in sources}
    return {name: task.result() for name, task in tasks.items()}


def _getting(pid: str) -> Callable[[Catalogue], Awaitable[Dataset]]:
    return lambda catalogue: catalogue.get(pid)


def _takes_results(source: FederatedSource) -> bool:
    # A source that cannot be asked may be one that does; whether it matters is seen later.
    return source.catalogue is None or source.catalogue.capabilities.derive


def _unknown(answer: Answer[Dataset]) -> bool:
    """Is it not known whether the source has the dataset?"""
    return answer.kind is not None and not isinstance(answer.error, _ABSENT)


def _must_know(answers: dict[str, Answer[Dataset]], pids: Sequence[str]) -> None:
    """A source that may hold all inputs, and does not say so, is waited for."""
    absent = any(isinstance(answers[pid].error, _ABSENT) for pid in pids)
    silent = [answers[pid] for pid in pids if _unknown(answers[pid])]
    if silent and not absent:
        raise silent[0].failure()


def _elsewhere(
    sources: Sequence[FederatedSource],
    found: dict[str, dict[str, Answer[Dataset]]],
    pids: Sequence[str],
) -> tuple[str, ...]:
    """The inputs that the home does not hold; each is in one of the others."""
    home = sources[0].name
    elsewhere = []
    for pid in pids:
        answers = [found[source.name][pid] for source in sources]
        if all(answer.kind is not None for answer in answers):
            unknown = [answer for answer in answers if _unknown(answer)]
            hidden = [a for a in answers if isinstance(a.error, DatasetNotPermittedError)]
            raise (unknown or hidden or answers)[0].failure()
        if found[home][pid].kind is not None:
            elsewhere.append(pid)
    return tuple(elsewhere)


async def _derive(source: FederatedSource, wanted: DerivedDataset) -> str:
    if source.catalogue is None:
        raise source.problem or CatalogueError(f"{source.name}: cannot be asked")
    # Without the time of a search: a write that was given up may have been made.
    return await source.catalogue.derive(wanted)
