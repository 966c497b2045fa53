"""Registered datasets whose root file cannot be read any more: they stay, and say so."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

from nearfield.catalogue._ledger import KnownDataset, save_dataset
from nearfield.catalogue._store import CatalogueStore, fetch, put
from nearfield.datasets import Dataset

_STATE = "unreadable:"
# A later scan says anew whether these are still so.
_PASSING = ("missing since ", "not readable since ")


def mark_unreadable(
    store: CatalogueStore, before: dict[str, KnownDataset], reasons: dict[str, str]
) -> None:
    """Warn on the record of each root file in ``reasons``.

    The dataset's remembered state becomes the warning: once the file can be read again, the
    state differs and the record is composed anew, without it.
    """
    news: dict[str, tuple[str, str]] = {}
    for root, reason in reasons.items():
        since, known = _said(before[root].state)
        if since is None or (reason and reason != known):
            news[root] = since or datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), reason
    if not news:
        return
    with store.writing() as connection:
        for root, (since, reason) in news.items():
            dataset = fetch(connection, before[root].pid)
            if dataset is not None:
                why = reason or "its folder cannot be listed"
                put(connection, with_state(dataset, f"not readable since {since}: {why}"))
            state = _STATE + json.dumps([since, reason])
            save_dataset(connection, root, replace(before[root], state=state, problems=()))


def with_state(dataset: Dataset, warning: str) -> Dataset:
    """The dataset with ``warning`` in the place of what earlier scans said of its root file."""
    kept = [said for said in dataset.warnings if not said.startswith(_PASSING)]
    return dataset.model_copy(update={"warnings": (*kept, warning)})


def _said(state: str) -> tuple[str | None, str]:
    if not state.startswith(_STATE):
        return None, ""
    since, reason = json.loads(state.removeprefix(_STATE))
    return str(since), str(reason)
