"""What the node looks at before the server starts, and the links to the datasets."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path

import pytest

from nearfield.scheduler.node import checks
from nearfield.scheduler.node.session import NotStarted


def test_a_dataset_that_is_not_there(tmp_path: Path) -> None:
    link = {"pid": "p/1", "slug": "s", "folder": str(tmp_path), "files": [str(tmp_path / "x.h5")]}
    with pytest.raises(
        NotStarted, match=r"dataset p/1: .*x\.h5 cannot be read.*No such file"
    ) as caught:
        checks.check_datasets([link])
    assert caught.value.record["reason"] == "dataset-not-readable"


def test_a_dead_file_system_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CHECK_SECONDS", 0.05)
    back = threading.Event()
    monkeypatch.setattr(checks, "first_unreadable", lambda _: back.wait() and None)
    link = {"pid": "p/1", "slug": "s", "folder": "/x", "files": ["/x/y"]}
    with pytest.raises(NotStarted, match="no answer from the file system"):
        checks.check_datasets([link])
    back.set()


def test_a_dataset_whose_storage_is_not_on_this_node(capsys: pytest.CaptureFixture[str]) -> None:
    """Chosen with another that is here, it does not keep the session from starting."""
    a, b, inner = ({"source": source} for source in ("/data/a", "/data/b", "/data/b/inner"))

    def link(folder: str) -> dict[str, object]:
        return {"pid": f"p:{folder}", "folder": folder, "files": [f"{folder}/x.h5"]}

    links = [link("/data/a/1"), link("/data/b/2"), link("/data/b/inner/3"), link("/data/bb")]
    task = {"mounts": [a, b, inner], "datasets": links}
    here = checks.on_this_node(task, [a, inner])
    assert [one["folder"] for one in here] == ["/data/a/1", "/data/b/inner/3", "/data/bb"]
    assert (
        "dataset p:/data/b/2 is in /data/b/2, which is not on this node" in capsys.readouterr().out
    )
    assert checks.on_this_node({"mounts": [a], "datasets": []}, []) == []
    with pytest.raises(NotStarted, match="dataset p:/data/b/2: /data/b/2 is not on ") as caught:
        checks.on_this_node(task | {"datasets": [link("/data/b/2")]}, [a, inner])
    assert caught.value.record["path"] == "/data/b/2/x.h5"


def test_a_mount_that_is_missing(tmp_path: Path) -> None:
    there = {"source": str(tmp_path), "target": "/a", "required": True}
    missing = {"source": str(tmp_path / "no"), "target": "/b", "required": False}
    task = {"image": None, "runtime": {"venv": None}, "mounts": [there, missing]}
    assert checks.check_parts(task) == [there]
    with pytest.raises(NotStarted, match="is needed"):
        checks.check_parts(task | {"mounts": [missing | {"required": True}]})


def test_links_keep_the_structure_and_stay_inside(tmp_path: Path) -> None:
    raw = tmp_path / "raw"
    (raw / "sub").mkdir(parents=True)
    (raw / "a.h5").write_text("a")
    (raw / "sub/b c.h5").write_text("b")
    session = tmp_path / "nf-1"
    (session / "data").mkdir(parents=True)
    files = [str(raw / "a.h5"), str(raw / "sub/b c.h5"), "/etc/passwd", str(raw)]
    link = {"pid": "p", "slug": "s", "folder": str(raw), "files": files}
    checks.make_links(str(session), [link])
    checks.make_links(str(session), [link])
    made = sorted(p.relative_to(session).as_posix() for p in session.rglob("*") if p.is_symlink())
    assert made == ["data/s/a.h5", "data/s/sub/b c.h5"]
    assert (session / "data/s/sub/b c.h5").read_text() == "b"
    assert (session / "data/s/a.h5").readlink() == raw / "a.h5"


def test_no_link_is_made_through_a_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A record of a user names his link to a colleague's home, and a file "below" it."""
    home, raw, session = tmp_path / "victim", tmp_path / "raw", tmp_path / "nf-1"
    for folder in (home, raw, session / "data"):
        folder.mkdir(parents=True)
    (raw / "root.h5").write_text("")
    (raw / "evil").symlink_to(home)
    (raw / ".bash_profile").write_text("id")
    bad = ["evil/.bash_profile", "evil/new/folder/x", "root.h5/x", "./y", "a/../../../z", "x" * 300]
    files = [f"{raw}/{name}" for name in ("root.h5", "evil", *bad, "last.h5")]
    link = {"pid": "p/1", "slug": "s", "folder": str(raw), "files": files}
    checks.make_links(str(session), [link])
    assert list(home.iterdir()) == []
    assert sorted(p.name for p in (session / "data/s").iterdir()) == ["evil", "last.h5", "root.h5"]
    assert sorted(p.name for p in session.iterdir()) == ["data"]
    said = capsys.readouterr().out
    assert "evil/.bash_profile' of dataset p/1 is not linked: Not a directory" in said
    assert said.count("is not linked") == 4


@pytest.mark.parametrize("at", ["data", "data/s"])
def test_the_folders_of_the_links_are_no_links(tmp_path: Path, at: str) -> None:
    session, home = tmp_path / "nf-1", tmp_path / "victim"
    home.mkdir()
    (session / at).parent.mkdir(parents=True)
    (session / at).symlink_to(home)
    with suppress(OSError):
        checks.make_links(
            str(session), [{"pid": "p", "slug": "s", "folder": "/raw", "files": ["/raw/a.h5"]}]
        )
    assert list(home.iterdir()) == []


def test_what_is_there_already_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "data/s").mkdir(parents=True)
    (tmp_path / "data/s/a.h5").write_text("mine")
    link = {"pid": "p", "slug": "s", "folder": "/raw", "files": ["/raw/a.h5"]}
    checks.make_links(str(tmp_path), [link])
    assert (tmp_path / "data/s/a.h5").read_text() == "mine"
    assert "'/raw/a.h5' of dataset p is not linked: File exists" in capsys.readouterr().out
