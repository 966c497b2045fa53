"""``GET datasets/PID/thumbnail|tree|slice``: a look at the data without opening a notebook.

Whoever may not see the record in the catalogue gets nothing of its files, and the files are opened
as the session's own account. Only files of the record are, and what they link to in their storage.
"""

from __future__ import annotations

import base64
from collections import OrderedDict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from nearfield.config import Config
from nearfield.datasets import Dataset, path_problem
from nearfield.errors import DataFileError, UnknownNameError
from nearfield_server.datasets import OfOneHandler
from nearfield_server.inside.looker import Looker
from nearfield_server.models import Node, OneAsked, SliceAnswer, SliceAsked, TreeAnswer, TreeAsked

if TYPE_CHECKING:
    from nearfield.catalogue import Catalogue, Thumbnail

# What only a request needs is imported by it: a session starts sooner for it.
MAX_KEPT = 16 * 1024 * 1024
_HDF5 = frozenset((".h5", ".hdf5", ".hdf", ".he5", ".nx", ".nx5", ".nxs", ".cxi"))


class Pictures:
    """Pictures that were made here, the last ones used, so many bytes of them."""

    def __init__(self, most: int = MAX_KEPT) -> None:
        self._most, self._size = most, 0
        self._kept: OrderedDict[object, Thumbnail | None] = OrderedDict()

    def get(self, key: object) -> tuple[bool, Thumbnail | None]:
        """Is it known, and what."""
        if key not in self._kept:
            return False, None
        self._kept.move_to_end(key)
        return True, self._kept[key]

    def put(self, key: object, picture: Thumbnail | None) -> None:
        self._size -= _size(self._kept.pop(key, None))
        self._kept[key] = picture
        self._size += _size(picture)
        while self._size > self._most:
            _, oldest = self._kept.popitem(last=False)
            self._size -= _size(oldest)


def _size(picture: Thumbnail | None) -> int:
    return 0 if picture is None else len(picture.content) + 200


class _LookHandler(OfOneHandler):
    @property
    def looker(self) -> Looker:
        looker: Looker = self.settings["nearfield_looker"]
        return looker

    async def look(
        self, pid: str, asked: TreeAsked | SliceAsked, do: str, **more: object
    ) -> tuple[str, dict[str, Any]]:
        """Which file was opened, and what was found in it at the place that is asked for."""
        from nearfield.catalogue import only

        name = self.pid(pid)
        async with self.access.catalogue() as catalogue:
            dataset = await whole(only(catalogue, asked.source), name)
        config = await self.access.config()
        file = file_of(config, dataset, asked.file)
        said = await self.looker.ask(
            {**allowed(dataset, config, file), "do": do, "path": asked.path, **more}
        )
        self.tell_opened(dataset, do)
        return file, said


async def whole(catalogue: Catalogue, pid: str) -> Dataset:
    """A record with all its files."""
    dataset = await catalogue.get(pid)
    return dataset.model_copy(update={"files": await catalogue.files(pid)})


def allowed(dataset: Dataset, config: Config, file: str) -> dict[str, object]:
    """Which files may be opened: those of the record, and others in the storage of ``file``."""
    here = PurePosixPath(file)
    prefixes = [str(one.prefix) for one in config.storages.values()]
    folders = [prefix for prefix in prefixes if here.is_relative_to(prefix)]
    if not prefixes:
        folders = [str(here.parent)]
    return {"files": [one.path for one in dataset.files], "folders": folders, "file": file}


def file_of(config: Config, dataset: Dataset, name: str | None) -> str:
    """The file that is meant: the root file, or the one named.

    Where the site names its storages, only what lies on them: in another catalogue's record a
    path may be anything, and a path of that name something else here.

    Raises:
        UnknownNameError: it is none of the record's.
        DataFileError: there is none, or it is not on a mounted storage.
    """
    from nearfield.mapping import mapped

    files = [one.path for one in dataset.files]
    if name is not None and name not in files:
        raise UnknownNameError("file of this dataset", name, files[:20])
    root = dataset.root_file
    file = name or (root.path if root else None)
    if file is None:
        raise DataFileError(dataset.pid, "has no files in the catalogue")
    here = path_problem(file) is None
    if not here or (config.storages and mapped(config, file) is None):
        raise DataFileError(file, "is on no storage of this site", hint="see its landing page")
    if dataset.availability == "tape":
        raise DataFileError(file, "is on tape", hint="ask for its recall first, then look again")
    return file


class TreeHandler(_LookHandler):
    """``GET datasets/PID/tree``."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
        asked = self.asked(TreeAsked)
        file, said = await self.look(pid, asked, "tree", depth=asked.depth)
        self.answer(TreeAnswer(file=file, path=asked.path, node=Node.model_validate(said)))


class SliceHandler(_LookHandler):
    """``GET datasets/PID/slice``."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
        asked = self.asked(SliceAsked)
        file, said = await self.look(pid, asked, "slice", slice=asked.slice)
        self.answer(SliceAnswer(file=file, path=asked.path, **said))


class ThumbnailHandler(_LookHandler):
    """``GET datasets/PID/thumbnail``: the catalogue's picture, else one made of the signal."""

    @web.authenticated
    @authorized
    async def get(self, pid: str) -> None:
        from nearfield.catalogue import only

        pid, asked = self.pid(pid), self.asked(OneAsked)
        async with self.access.catalogue() as catalogue:
            source = only(catalogue, asked.source)
            picture = await source.thumbnail(pid)
            dataset = None if picture is not None else await whole(source, pid)
        if dataset is not None:
            picture = await self._made(dataset)
        if picture is None:
            raise UnknownNameError("picture of dataset", pid, ())
        # Shown in lists again and again; for this person's browser alone, and not for long.
        self.set_header("Cache-Control", "private, max-age=300")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.finish(picture.content, set_content_type=picture.media_type)

    async def _made(self, dataset: Dataset) -> Thumbnail | None:
        root, names = dataset.root_file, arrays_shown(dataset)
        if root is None or not names or PurePosixPath(root.path).suffix.lower() not in _HDF5:
            return None
        pictures: Pictures = self.settings["nearfield_pictures"]
        key = (dataset.source, dataset.pid, root.path, root.size, root.mtime)
        known, picture = pictures.get(key)
        if known:
            return picture
        config = await self.access.config()
        file = file_of(config, dataset, None)
        asked = {**allowed(dataset, config, file), "do": "picture", "names": names}
        said = await self.looker.ask(asked)
        if said["png"] is not None:
            from nearfield.catalogue import Thumbnail

            picture = Thumbnail("image/png", base64.b64decode(said["png"]))
        pictures.put(key, picture)
        return picture


def arrays_shown(dataset: Dataset) -> list[str]:
    """The arrays to make a picture of, the best first."""
    shown = [one for one in dataset.arrays if len(one.shape) >= 1]
    shown.sort(key=lambda one: (not one.signal, len(one.shape) < 2))
    return [one.path for one in shown[:10]]
