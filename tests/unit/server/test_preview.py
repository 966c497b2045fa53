"""A look at the data: bounded, of the record's files alone, and of nobody else's."""

from __future__ import annotations

import io
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from PIL import Image

from nearfield.datasets import Access, ArrayInfo, DataFile, Dataset, Principal
from nearfield_server.preview import Pictures

Server = Any
TIME = datetime(2026, 1, 1, tzinfo=UTC)


def record(*paths: Path, pid: str = "d", access: Access | None = None, **said: Any) -> Dataset:
    files = tuple(
        DataFile(path=str(p), size=1, mtime=TIME, role="linked" if n else "root")
        for n, p in enumerate(paths)
    )
    return Dataset(pid=pid, files=files, access=access or Access(owner="alice"), **said)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A scan with an image stack, a curve, and attributes of all kinds."""
    folder = tmp_path / "data"
    folder.mkdir()
    with h5py.File(folder / "scan.h5", "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry.attrs["odd"] = [1.5, float("nan")]
        entry.attrs["long"] = np.zeros(5000, np.uint8)
        frames = np.arange(4 * 6 * 8, dtype=np.uint32).reshape(4, 6, 8)
        frames[2, 0, 0] = 2**32 - 1
        entry["frames"] = frames
        entry["frames"].attrs["units"] = "counts"
        entry["curve"] = np.sin(np.arange(1000.0))
        entry["curve"][3] = float("nan")
        entry["wide"] = np.zeros((2000, 2000), np.uint8)
        entry["names"] = ["é", "<b>x</b>"]
        entry["table"] = np.zeros(3, [("a", int), ("b", float)])
        entry["wave"] = np.array([1 + 2j])
        entry["alias"] = h5py.SoftLink("/entry/frames")
        entry["lost"] = h5py.SoftLink("/entry/nowhere")
        entry["round"] = h5py.SoftLink("/entry/round")
        for number in range(300):
            file.create_dataset(f"many/{number:03}", data=number)
    return folder


async def test_the_tree_so_deep_and_so_many(server: Server, data: Path) -> None:
    server.store.register([record(data / "scan.h5")])
    top = (await server.get("datasets/d/tree")).json()
    assert top["file"] == str(data / "scan.h5")
    assert [one["name"] for one in top["node"]["children"]] == ["entry", "many"]
    assert top["node"]["children"][0]["children"] is None, "not looked at"
    asked = {"path": "/entry", "depth": 1}
    entry = (await server.get("datasets/d/tree", params=asked)).json()["node"]
    assert entry["attributes"] == {
        "NX_class": "NXentry",
        "odd": [1.5, None],
        "long": "(5000 bytes)",
    }
    children = {one["name"]: one for one in entry["children"]}
    frames = children["frames"]
    assert (frames["kind"], frames["shape"], frames["dtype"]) == ("dataset", [4, 6, 8], "uint32")
    assert frames["attributes"] == {"units": "counts"}
    assert (children["alias"]["kind"], children["alias"]["target"]) == ("dataset", "/entry/frames")
    for name in ("lost", "round"):
        assert children[name]["kind"] == "link" and children[name]["problem"]
    many = (await server.get("datasets/d/tree", params={"path": "/many"})).json()["node"]
    assert (len(many["children"]), many["more"]) == (200, 100)
    answer = await server.get("datasets/d/tree", params={"path": "/entry/no"})
    assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")
    assert [event["part"] for event in server.told] == ["tree"] * 3


async def test_values_so_many_and_no_more(server: Server, data: Path) -> None:
    server.store.register([record(data / "scan.h5")])

    async def part(path: str, text: str = "") -> Any:
        return await server.get("datasets/d/slice", params={"path": path, "slice": text})

    said = (await part("/entry/frames", "0,:,2:4")).json()
    assert (said["slice"], said["shape"]) == ("0,0:6,2:4", [4, 6, 8])
    assert said["data"] == [[row * 8 + 2, row * 8 + 3] for row in range(6)]
    assert (await part("/entry/alias", "-1,-1,-1")).json()["data"] == 4 * 6 * 8 - 1
    assert (await part("/entry/curve", "2:5")).json()["data"][1] is None
    assert (await part("/entry/names")).json()["data"] == ["é", "<b>x</b>"]
    assert (await part("/entry/wave")).json()["data"] == [[1.0, 2.0]]
    assert (await part("/entry/curve", "5:5")).json()["data"] == []
    assert (await part("/entry/curve", "0:100:50")).json()["slice"] == "0:100:50"
    for path, text in (
        ("/entry/wide", ""),
        ("/entry/table", ""),
        ("/entry", ""),
        ("/entry/frames", "4"),
        ("/entry/frames", "0,0,0,0"),
        ("/entry/frames", "a"),
        ("/entry/frames", "::0"),
        ("/entry/frames", "__import__('os')"),
    ):
        answer = await part(path, text)
        assert (answer.status_code, answer.json()["reason"]) == (400, "usage"), (path, text)


async def test_only_files_of_the_record_and_links_in_their_storage(
    server: Server, data: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for folder in (data, outside):
        with h5py.File(folder / "other.h5", "w") as file:
            file["x"] = [1, 2, 3]
    (data / "sneaky.h5").symlink_to(outside / "other.h5")
    with h5py.File(data / "links.h5", "w") as file:
        file["near"] = h5py.ExternalLink("other.h5", "/x")
        file["far"] = h5py.ExternalLink(str(outside / "other.h5"), "/x")
        file["up"] = h5py.ExternalLink("../outside/other.h5", "/x")
        file["sneaky"] = h5py.ExternalLink("sneaky.h5", "/x")
        layout = h5py.VirtualLayout((3,), int)
        layout[:] = h5py.VirtualSource(str(outside / "other.h5"), "x", (3,))
        file.create_virtual_dataset("virtual", layout)
        layout = h5py.VirtualLayout((3,), int)
        layout[:] = h5py.VirtualSource("other.h5", "x", (3,))
        file.create_virtual_dataset("good", layout)
    server.store.register([record(data / "links.h5")])
    for path in ("near", "good"):
        answer = await server.get("datasets/d/slice", params={"path": path})
        assert answer.json()["data"] == [1, 2, 3], answer.text
    for path in ("far", "up", "sneaky", "virtual"):
        answer = await server.get("datasets/d/slice", params={"path": path})
        assert (answer.status_code, answer.json()["reason"]) == (409, "unavailable"), path
        assert "outside of the dataset's storage" in answer.json()["message"]
    children = (await server.get("datasets/d/tree")).json()["node"]["children"]
    found = {one["name"]: one.get("problem") for one in children}
    assert found["near"] is None
    assert all("outside" in (found[name] or "") for name in ("far", "up", "sneaky"))
    # A file that the record does not name is not opened, wherever it is.
    for file in (outside / "other.h5", data / "other.h5", Path("/etc/passwd")):
        answer = await server.get("datasets/d/tree", params={"file": str(file)})
        assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")


@pytest.mark.parametrize("grows", [False, True])
async def test_nor_where_hdf5_itself_would_look_for_a_source(
    server: Server, data: Path, tmp_path: Path, grows: bool
) -> None:
    """Below ``/``, where the process works, and the last part of a path beside the file."""
    outside = tmp_path / "outside"
    outside.mkdir()
    with h5py.File(outside / "other.h5", "w") as file:
        file.create_dataset("x", data=[1, 2, 3], maxshape=(None,))
    (data / "sneaky.h5").symlink_to(outside / "other.h5")
    with h5py.File(data / "links.h5", "w") as file:
        file["fine"] = [1]
        for name, said in (
            ("working", str(outside / "other.h5").lstrip("/")),
            ("last", "/no/such/folder/sneaky.h5"),
        ):
            layout = h5py.VirtualLayout((3,), int, maxshape=(None,))
            source = h5py.VirtualSource(said, "x", (3,), maxshape=(None,))
            if grows:
                layout[0 : h5py.h5s.UNLIMITED] = source[0 : h5py.h5s.UNLIMITED]
            else:
                layout[:3] = source[:3]
            file.create_virtual_dataset(name, layout)
    server.store.register([record(data / "links.h5")])
    for path in ("working", "last"):
        answer = await server.get("datasets/d/slice", params={"path": path})
        assert (answer.status_code, answer.json()["reason"]) == (409, "unavailable"), path
        assert "outside of the dataset's storage" in answer.json()["message"]
    children = (await server.get("datasets/d/tree")).json()["node"]["children"]
    found = {one["name"]: one for one in children}
    assert found["fine"]["shape"] == [1]
    # To tell the shape of what grows its sources would be opened.
    assert [found[name].get("shape") for name in ("working", "last")] == 2 * [
        None if grows else [3]
    ]


async def test_what_grows_with_files_of_its_storage_is_shown(server: Server, data: Path) -> None:
    with h5py.File(data / "frames.h5", "w") as file:
        file.create_dataset("x", data=[1, 2, 3], maxshape=(None,))
    with h5py.File(data / "links.h5", "w") as file:
        layout = h5py.VirtualLayout((1,), int, maxshape=(None,))
        source = h5py.VirtualSource("frames.h5", "x", (1,), maxshape=(None,))
        layout[0 : h5py.h5s.UNLIMITED] = source[0 : h5py.h5s.UNLIMITED]
        file.create_virtual_dataset("growing", layout)
    server.store.register([record(data / "links.h5")])
    answer = await server.get("datasets/d/slice", params={"path": "growing"})
    assert answer.json()["data"] == [1, 2, 3]


async def test_with_storages_links_lead_into_the_files_own(
    server: Server, data: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    with h5py.File(other / "x.h5", "w") as file:
        file["x"] = [1]
    with h5py.File(data / "links.h5", "w") as file:
        file["x"] = h5py.ExternalLink(str(other / "x.h5"), "/x")
    server.store.register([record(data / "links.h5")])
    for prefix, status in ((tmp_path, 200), (data, 409), (other, 409)):
        server.use(server.catalogue(), f"storages: {{s: {{prefix: {prefix}}}}}")
        answer = await server.get("datasets/d/slice", params={"path": "x"})
        assert answer.status_code == status, prefix


async def test_nothing_on_tape_is_opened(server: Server, data: Path) -> None:
    stub = data / "stub.h5"
    with stub.open("wb") as file:
        file.truncate(10**7)
    assert stub.stat().st_blocks == 0, "this file system has no holes"
    read = stub.stat().st_atime_ns
    with h5py.File(data / "links.h5", "w") as file:
        file["linked"] = h5py.ExternalLink("stub.h5", "/x")
        layout = h5py.VirtualLayout((6,), int)
        layout[:3] = h5py.VirtualSource("scan.h5", "/entry/curve", (1000,))[:3]
        layout[3:] = h5py.VirtualSource("stub.h5", "x", (3,))
        file.create_virtual_dataset("half", layout)
    arrays = (ArrayInfo(path="/entry/frames", shape=(4, 6, 8), dtype="u4", signal=True),)
    server.store.register(
        [record(stub, pid="stub", arrays=arrays), record(data / "links.h5", pid="links")]
    )
    for path, params in (
        ("datasets/stub/tree", {}),
        ("datasets/stub/slice", {"path": "x"}),
        ("datasets/stub/thumbnail", {}),
        ("datasets/links/slice", {"path": "linked"}),
        ("datasets/links/slice", {"path": "half"}),
        ("datasets/links/slice", {"path": "half", "slice": "2:4"}),
    ):
        answer = await server.get(path, params=params)
        assert (answer.status_code, answer.json()["reason"]) == (409, "unavailable"), path
        assert "tape" in answer.json()["message"]
    assert stub.stat().st_atime_ns == read
    # The part that is on disk is read: one stub keeps nobody from the rest.
    answer = await server.get("datasets/links/slice", params={"path": "half", "slice": "0:2"})
    assert answer.json()["data"] == [0, 0]


async def test_what_is_no_file_of_data(server: Server, data: Path) -> None:
    (data / "text.h5").write_text("no HDF5 at all, but longer than a signature")
    os.mkfifo(data / "pipe.h5")
    (data / "folder.h5").mkdir()
    broken = data / "broken.h5"
    broken.write_bytes((data / "scan.h5").read_bytes()[:3000])
    for number, (path, word) in enumerate(
        (
            (data / "text.h5", "no HDF5 file"),
            (data / "pipe.h5", "no plain file"),
            (data / "folder.h5", "no plain file"),
            (broken, "broken.h5"),
            (data / "gone.h5", "No such file"),
        )
    ):
        server.store.register([record(path, pid=f"p{number}")])
        answer = await server.get(f"datasets/p{number}/tree")
        assert (answer.status_code, answer.json()["reason"]) == (409, "unavailable"), path
        assert word in answer.json()["message"]


def arrays(path: str, shape: tuple[int, ...]) -> tuple[ArrayInfo, ...]:
    return (ArrayInfo(path=path, shape=shape, dtype="x", signal=True),)


@pytest.mark.parametrize(
    ("path", "shape"), [("/entry/frames", (4, 6, 8)), ("/entry/curve", (1000,))]
)
async def test_a_picture_of_the_signal_made_once(
    server: Server, data: Path, path: str, shape: tuple[int, ...]
) -> None:
    server.store.register([record(data / "scan.h5", arrays=arrays(path, shape))])
    answer = await server.get("datasets/d/thumbnail")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/png")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    image = Image.open(io.BytesIO(answer.content))
    assert max(image.size) == 256
    assert len(image.convert("RGB").getcolors(10**6) or ()) > 1, "a picture of one colour"
    looker = server.settings["nearfield_looker"]
    await looker.aclose()
    assert (await server.get("datasets/d/thumbnail")).content == answer.content
    assert looker._process is None, "nobody looked again"


async def test_no_signal_no_picture(server: Server, data: Path) -> None:
    server.store.register(
        [
            record(data / "scan.h5", pid="none"),
            record(data / "scan.h5", pid="text", arrays=arrays("/entry/names", (2,))),
            record(data / "scan.h5", pid="gone", arrays=arrays("/entry/nowhere", (2, 2))),
        ]
    )
    for pid in ("none", "text", "gone"):
        answer = await server.get(f"datasets/{pid}/thumbnail")
        assert (answer.status_code, answer.json()["reason"]) == (404, "not-found"), pid


RIGHTS = {
    "owner": Access(owner="alice"),
    "group": Access(owner="bob", access_groups=("beam7",)),
    "public": Access(owner="bob", public=True),
    "embargoed": Access(owner="bob", public=True, embargo_until=datetime(2999, 1, 1, tzinfo=UTC)),
    "lifted": Access(owner="bob", public=True, embargo_until=datetime(2000, 1, 1, tzinfo=UTC)),
    "theirs": Access(owner="bob"),
}


@pytest.mark.parametrize(
    ("user", "sees"),
    [
        (Principal(name="alice"), {"owner", "public", "lifted"}),
        (Principal(name="carol", groups=frozenset({"beam7"})), {"group", "public", "lifted"}),
        (Principal(name="mallory"), {"public", "lifted"}),
    ],
)
async def test_who_may_not_see_the_record_gets_nothing_of_its_files(
    server: Server, data: Path, user: Principal, sees: set[str]
) -> None:
    shown = arrays("/entry/frames", (4, 6, 8))
    server.store.register(
        record(data / "scan.h5", pid=pid, access=access, arrays=shown)
        for pid, access in RIGHTS.items()
    )
    server.user = user
    server.use(server.catalogue())
    for part, params in (
        ("thumbnail", {}),
        ("tree", {}),
        ("slice", {"path": "/entry/frames", "slice": "0,0,0"}),
    ):
        found = set()
        for pid in RIGHTS:
            answer = await server.get(f"datasets/{pid}/{part}", params=params)
            assert answer.status_code in {200, 403, 404}
            if answer.status_code == 200:
                found.add(pid)
            else:
                assert str(data) not in answer.text
        assert found == sees, part


def test_pictures_are_kept_so_many_bytes() -> None:
    from nearfield.catalogue import Thumbnail

    kept = Pictures(most=3000)
    for number in range(10):
        kept.put(number, Thumbnail("image/png", b"x" * 800))
    assert [kept.get(number)[0] for number in range(10)] == [False] * 7 + [True] * 3
    kept.put(9, None)
    assert kept.get(9) == (True, None)
    assert kept._size == 2000
