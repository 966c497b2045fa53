"""What ``nearfield.dataset`` and ``nearfield.search`` give back: the models, and how they look."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pydantic import PrivateAttr

from nearfield.datasets import Dataset
from nearfield.querying import Page
from nearfield.showing.cards import card, listing
from nearfield.showing.facts import facts, page_of, size_of, when

if TYPE_CHECKING:
    from nearfield.catalogue import Thumbnail


class ShownDataset(Dataset):
    """A dataset that shows itself: a text in a terminal, a card in a notebook."""

    _look: Callable[[], Thumbnail | None] | None = PrivateAttr(default=None)
    _picture: Thumbnail | None = PrivateAttr(default=None)

    @classmethod
    def of(
        cls, dataset: Dataset, look: Callable[[], Thumbnail | None] | None = None
    ) -> ShownDataset:
        """``dataset``; ``look`` gets its picture when a card is shown for the first time."""
        shown = cls.model_construct(dataset.model_fields_set, **dict(dataset))
        shown._look = look if dataset.thumbnail else None
        return shown

    def __eq__(self, other: object) -> bool:
        """The same record is the same dataset, however it looks."""
        if isinstance(other, Dataset):
            return dict(self) == dict(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as Dataset: it holds dicts

    def __repr__(self) -> str:
        lines = [f"Dataset {self.pid}", f"  {_one_line(self.name)}"]
        lines += [f"  {label:<11}{_one_line(value)}" for label, value in facts(self)]
        if page := page_of(self):
            lines.append(f"  {'page':<11}{_one_line(page)}")
        lines += [f"  warning    {_one_line(text)}" for text in self.warnings[:5]]
        return "\n".join(lines)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        if self._look is not None:
            look, self._look = self._look, None
            try:
                self._picture = look()
            except Exception:  # a card without its picture is a card
                self._picture = None
        return card(self, self._picture)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))


class ShownPage(Page):
    """A page of results that shows itself, and can be walked through."""

    @classmethod
    def of(cls, page: Page) -> ShownPage:
        """The same page."""
        fields = dict(page)
        fields["datasets"] = tuple(ShownDataset.of(dataset) for dataset in page.datasets)
        return cls.model_construct(page.model_fields_set, **fields)

    def __len__(self) -> int:
        return len(self.datasets)

    def __iter__(self) -> Iterator[Dataset]:  # type: ignore[override]
        return iter(self.datasets)

    def __getitem__(self, number: int) -> Dataset:
        return self.datasets[number]

    def __repr__(self) -> str:
        rows = [
            (
                dataset.pid,
                when(dataset) or "-",
                size_of(dataset.size) if dataset.size else "-",
                _one_line(dataset.source or "-"),
                _one_line(dataset.name)[:80],
            )
            for dataset in self.datasets
        ]
        widths = [max((len(row[n]) for row in rows), default=0) for n in range(4)]
        lines = ["  ".join([*(row[n].ljust(widths[n]) for n in range(4)), row[4]]) for row in rows]
        return "\n".join([*lines, self._words(), *self._problems()])

    __str__ = __repr__

    def _repr_html_(self) -> str:
        return listing(self.datasets, self._words(), self.sources)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def _words(self) -> str:
        total = f"{self.total}" if self.total_exact else f"{self.total} or more"
        near = "".join(f"; {_one_line(one.words)}" for one in self.near)
        return f"{len(self.datasets)} of {total} datasets{near}"

    def _problems(self) -> list[str]:
        return [
            f"{state.source}: {_one_line(state.message or state.state)}"
            for state in self.sources
            if state.state != "answered"
        ]


def _one_line(text: str) -> str:
    """Without what a terminal would obey, and not longer than a few lines."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    return plain if len(plain) <= 300 else plain[:300] + "…"
