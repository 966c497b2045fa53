"""Rights of datasets: a bounded number of questions, and the answers that follow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nearfield.config import parse_config
from nearfield.datasets import DatasetFiles
from nearfield.errors import DatasetNotPermittedError
from nearfield.scheduler import PathAccess
from nearfield.scheduler.jobspec import DatasetLink
from nearfield.scheduler.node.readable import SAMPLES, first_unreadable, samples
from nearfield.testing.fake_scheduler import FakeScheduler
from nearfield_spawners.rights import check_rights, not_bound, rights_of

NO, UNKNOWN = PathAccess.NO, PathAccess.UNKNOWN


def link(pid: str, *files: str) -> DatasetLink:
    return DatasetLink(pid=pid, slug=pid, folder="/raw", files=files)


# ------------------------------------------------------------------ what is asked


@settings(max_examples=500)
@given(
    st.lists(
        st.tuples(st.integers(0, 30), st.integers(0, 50)).map(lambda n: f"/raw/f{n[0]}/{n[1]}"),
        min_size=1,
        max_size=400,
        unique=True,
    ),
    st.integers(1, 40),
)
def test_samples_are_few_and_reach_every_folder_they_can(files: list[str], most: int) -> None:
    chosen = samples(files, most)
    assert chosen[0] == files[0], "the root is always asked"
    assert len(chosen) == len(set(chosen)) <= most
    assert set(chosen) <= set(files)
    folders, asked = {Path(f).parent for f in files}, {Path(f).parent for f in chosen}
    assert len(asked) == min(len(folders), most) or asked == folders
    # There is no reason to ask less than one may.
    assert len(chosen) == min(most, len(files)) or len(chosen) > most // 2


def test_a_hundred_thousand_files_cost_as_much_as_sixteen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "root.h5").touch()
    asked: list[str] = []
    real = os.stat

    def counting(path: str, *args: object, **kwargs: object) -> os.stat_result:
        asked.append(str(path))
        return real(tmp_path / "root.h5")

    files = [f"{tmp_path}/d{n % 1000}/{n}.h5" for n in range(100_000)]
    monkeypatch.setattr(os, "stat", counting)
    monkeypatch.setattr(os, "open", lambda *a, **k: os.dup(0))
    monkeypatch.setattr(os, "access", lambda *a, **k: True)
    assert first_unreadable([f"{tmp_path}/root.h5", *files]) is None
    assert len(asked) == SAMPLES


async def test_however_many_datasets_it_is_one_question_of_bounded_size() -> None:
    class Counting(FakeScheduler):
        paths = 0

        async def access(self, user, paths):  # type: ignore[no-untyped-def]
            self.paths = len(list(paths))
            return await super().access(user, paths)

    scheduler = Counting()
    for count in (1, 50, 200):
        links = [
            link(f"p{n}", *(f"/raw/{n}/{k}/{i}.h5" for k in range(50) for i in range(20)))
            for n in range(count)
        ]
        rights = await rights_of(scheduler, "alice", links)
        assert [r.answer for r in rights] == ["yes"] * count
        assert count <= scheduler.paths <= 1000
    assert scheduler.calls == ["access"] * 3


# ------------------------------------------------------------------ what follows


@pytest.mark.parametrize(
    ("denied", "answer", "path"),
    [
        ({}, "yes", "/raw/a.h5"),
        ({"/raw/a.h5": NO}, "no", "/raw/a.h5"),
        ({"/raw/a.h5": UNKNOWN}, "unknown", "/raw/a.h5"),
        ({"/raw/d/b.h5": NO}, "no", "/raw/d/b.h5"),
        # A hole in the data is no matter of rights.
        ({"/raw/d/b.h5": UNKNOWN}, "yes", "/raw/a.h5"),
        # What is known to be closed is closed, whatever cannot be seen.
        ({"/raw/a.h5": UNKNOWN, "/raw/d/b.h5": NO}, "no", "/raw/d/b.h5"),
    ],
)
async def test_the_three_answers(denied: dict[str, PathAccess], answer: str, path: str) -> None:
    scheduler = FakeScheduler(denied=denied)
    links = [link("p1", "/raw/a.h5", "/raw/d/b.h5")]
    [right] = await rights_of(scheduler, "alice", links)
    assert (right.answer, right.path) == (answer, path)
    if answer == "no":
        with pytest.raises(DatasetNotPermittedError, match=f"dataset p1: .*alice.*{path}"):
            await check_rights(scheduler, "alice", links)
    else:
        undecided = await check_rights(scheduler, "alice", links)
        assert undecided == ((path,) if answer == "unknown" else ())


async def test_linked_files_elsewhere_are_asked_too() -> None:
    scheduler = FakeScheduler(denied={"/other/x.h5": NO})
    files = DatasetFiles(pid="p1", slug="p1", paths=("/raw/a.h5",), elsewhere=("/other/x.h5",))
    [right] = await rights_of(scheduler, "alice", [link("p1", "/raw/a.h5")], [files])
    assert (right.answer, right.path) == ("no", "/other/x.h5")


def test_linked_files_outside_the_storages_are_reported() -> None:
    config = parse_config(
        """
storages: {raw: {prefix: /raw}, other: {prefix: /other}}
environments: {e: {}}
profiles: {p: {environment: e, hardware: h, storages: [raw]}, all: {environment: e, hardware: h}}
hardware: {h: {cluster: local}}
"""
    )
    files = DatasetFiles(
        pid="p1",
        slug="p1",
        paths=("/raw/a.h5",),
        elsewhere=("/raw/calib/b.h5", "/other/c.h5", "/home/bob/d.h5"),
    )
    [told] = not_bound(config, "p", [files])
    assert "dataset p1 links to /other/c.h5 and 1 more" in told
    [told] = not_bound(config, "all", [files])
    assert "/home/bob/d.h5" in told
    assert not_bound(config, "p", [files.model_copy(update={"elsewhere": ()})]) == []


# ------------------------------------------------------------------ on the node


def test_a_missing_root_is_an_answer_a_missing_part_is_not(tmp_path: Path) -> None:
    root, part = tmp_path / "a.h5", tmp_path / "gone/b.h5"
    assert first_unreadable([str(root), str(part)]) == (str(root), "No such file or directory")
    root.touch()
    assert first_unreadable([str(root), str(part)]) is None
