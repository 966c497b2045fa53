"""``DatasetPicker``: find and choose datasets in a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from nearfield.catalogue import Catalogue, open_catalogue
from nearfield.config import load_config
from nearfield.datasets import Dataset
from nearfield.errors import CatalogueUnavailableError
from nearfield_widgets._answering import Answering
from nearfield_widgets._background import start
from nearfield_widgets._bundles import script, style

PATIENCE = 60.0


class DatasetPicker(anywidget.AnyWidget):
    """Search, filters and cards of the panel *Data*; what is chosen is ``value``.

    ::

        picker = DatasetPicker("technique:saxs year:2024")
        picker            # the last line of a cell: it is shown
        picker.value      # in a later cell: the datasets that were chosen

    Args:
        query: What is searched first, in the query language.
        multiple: May several be chosen?
        selected: PIDs that are chosen already.
        catalogue: A catalogue, or the file of one, instead of the configured catalogue.
    """

    _esm = script("picker")
    _css = style("picker")

    query = traitlets.Unicode("", help="The search, as it is typed.").tag(sync=True)
    selected = traitlets.List(
        traitlets.Unicode(), help="PIDs of the datasets that are chosen, in that order."
    ).tag(sync=True)
    multiple = traitlets.Bool(True, help="May several be chosen?").tag(sync=True)
    limit = traitlets.Int(20, min=1, max=500, help="How many are fetched at a time.").tag(sync=True)

    def __init__(
        self,
        query: str = "",
        *,
        multiple: bool = True,
        selected: Sequence[str] = (),
        catalogue: Catalogue | str | Path | None = None,
        **traits: Any,
    ) -> None:
        self._asked = catalogue
        self._answering = Answering(self._open, self._tell)
        super().__init__(query=query, multiple=multiple, selected=list(selected), **traits)
        self.on_msg(self._hear)

    @property
    def value(self) -> tuple[Dataset, ...] | Dataset | None:
        """The datasets that are chosen; without ``multiple`` the one, or ``None``.

        Raises:
            DatasetNotFoundError: one of ``selected`` is not there (for you).
            CatalogueUnavailableError: the catalogue does not answer.
        """
        asking = start(self._chosen())
        try:
            found = asking.result(PATIENCE)
        except TimeoutError as error:
            asking.cancel()
            raise CatalogueUnavailableError(
                f"the catalogue did not answer within {PATIENCE:g} s",
                hint="the PIDs are in .selected; try again",
            ) from error
        if self.multiple:
            return found
        return found[0] if found else None

    def close(self) -> None:
        """Take the widget away; what it asks is given up."""
        # Python calls this when it ends, too, and can start nothing any more then.
        if self._answering.in_use:
            start(self._answering.aclose())
        super().close()

    def __repr__(self) -> str:
        """What a page shows that has no widgets: a search of this session, and what was chosen."""
        return f"DatasetPicker({self.query!r}, selected={self.selected!r})"

    async def _chosen(self) -> tuple[Dataset, ...]:
        catalogue = await self._answering.catalogue()
        return tuple([await catalogue.get(pid) for pid in list(self.selected)])

    def _open(self) -> Catalogue:
        if self._asked is None or isinstance(self._asked, str | Path):
            file = None if self._asked is None else Path(self._asked)
            return open_catalogue(load_config(), file=file)
        return self._asked

    def _hear(self, _widget: object, content: Any, _buffers: object) -> None:
        start(self._answering.hear(content))

    def _tell(self, said: dict[str, Any], buffers: list[bytes]) -> None:
        self.send(said, buffers)
