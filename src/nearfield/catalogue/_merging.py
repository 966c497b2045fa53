"""The answers of several sources as one list: nothing twice, one order, no source passed over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from nearfield.datasets import Dataset
from nearfield.querying import DatasetSummary
from nearfield.querying.pids import doi_of, is_unique
from nearfield.querying.times import instant

# Of the method: how much the first places of a list count more than the next ones.
_RANK_BASE = 60


def keys_of(dataset: Dataset | DatasetSummary) -> tuple[str, ...]:
    """Names that only this dataset has in the whole world; a number of some source is none.

    Two datasets that share one of them are the same.
    """
    doi = doi_of(dataset.doi) if dataset.doi else None
    pid = doi_of(dataset.pid) or (dataset.pid.casefold() if is_unique(dataset.pid) else None)
    return tuple(dict.fromkeys(key for key in (doi, pid) if key))


@dataclass
class Fetched:
    """The next datasets of one source, in its order, after those shown before."""

    source: str
    datasets: Sequence[Dataset]
    more: bool
    """Has the source further ones behind these?"""
    before: int = 0
    """How many of this source were shown before."""


@dataclass
class Merged:
    """One page, and how many of each source it used up."""

    datasets: list[Dataset] = field(default_factory=list)
    used: dict[str, int] = field(default_factory=dict)
    doubles: int = 0
    """Datasets among all that were fetched that are the same as another one."""


def merge(
    lists: Sequence[Fetched], limit: int, *, by_relevance: bool, known: Iterable[str] = ()
) -> Merged:
    """The best ``limit`` of all lists; of each list the first ones, so that it goes on after them.

    By time the newest first, those without one last. By relevance each list's places count:
    a dataset that several sources place high comes first (reciprocal rank fusion). ``known``:
    keys of what was shown on earlier pages.
    """
    groups = _groups(lists)
    scores = _scores(lists, groups) if by_relevance else {}
    page = Merged(used={one.source: 0 for one in lists})
    page.doubles = len(groups) - len({id(group) for group in groups.values()})
    shown = set(known)
    told: set[int] = set()
    while len(page.datasets) < limit:
        heads = []
        for number, one in enumerate(lists):
            place = page.used[one.source]
            if place < len(one.datasets):
                dataset = one.datasets[place]
                score = scores.get(id(groups[number, place]), 0.0)
                heads.append((score, _newest_first(dataset), number, place))
            elif one.more:
                return page  # what comes next there is not known
        if not heads:
            return page
        *_, number, place = min(heads)
        page.used[lists[number].source] += 1
        group = groups[number, place]
        if id(group) not in told and shown.isdisjoint(group.keys):
            told.add(id(group))
            page.datasets.append(group.shown())
    return page


@dataclass
class _Group:
    """The same dataset in one or several sources."""

    keys: set[str] = field(default_factory=set)
    datasets: dict[str, Dataset] = field(default_factory=dict)
    """By source, in the order of the lists."""

    def shown(self) -> Dataset:
        """As the source has it that is named first, wherever the others place it."""
        source, dataset = next(iter(self.datasets.items()))
        return labelled(dataset, source, tuple(name for name in self.datasets if name != source))


_Groups = Mapping[tuple[int, int], _Group]
"""By number of the list and place in it."""


def _groups(lists: Sequence[Fetched]) -> _Groups:
    by_key: dict[str, _Group] = {}
    found: dict[tuple[int, int], _Group] = {}
    for number, one in enumerate(lists):
        for place, dataset in enumerate(one.datasets):
            keys = keys_of(dataset)
            group = next((by_key[key] for key in keys if key in by_key), None) or _Group()
            group.keys.update(keys)
            group.datasets.setdefault(one.source, dataset)
            by_key.update(dict.fromkeys(keys, group))
            found[number, place] = group
    return found


def _scores(lists: Sequence[Fetched], groups: _Groups) -> dict[int, float]:
    """The smaller the better: each list that has a dataset adds to it by its place there."""
    sums: dict[int, float] = defaultdict(float)
    for number, one in enumerate(lists):
        for place in range(len(one.datasets)):
            sums[id(groups[number, place])] -= 1 / (_RANK_BASE + one.before + place + 1)
    return sums


def _newest_first(dataset: Dataset) -> tuple[bool, float, str]:
    time = dataset.start_time or dataset.created
    return (time is None, 0.0 if time is None else -instant(time), dataset.pid)


def labelled(dataset: Dataset, source: str, also_in: tuple[str, ...] = ()) -> Dataset:
    """``dataset`` with the name of the source that gave it, where it does not say so itself."""
    said = {"source": dataset.source or source, "also_in": also_in}
    if said["source"] == dataset.source and not also_in:
        return dataset
    return dataset.model_copy(update=said)


def merged_counts(counts: Iterable[Mapping[str, Mapping[str, int]]]) -> dict[str, dict[str, int]]:
    """Facets of several sources as one: each value's numbers added up, the largest first."""
    sums: dict[str, dict[str, int]] = {}
    for one in counts:
        for name, values in one.items():
            mine = sums.setdefault(name, {})
            for value, number in values.items():
                mine[value] = mine.get(value, 0) + number
    return {
        name: dict(sorted(values.items(), key=lambda item: (-item[1], item[0])))
        for name, values in sums.items()
    }
