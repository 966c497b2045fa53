"""Where data are: on which storage, under which path, and with their bytes or without."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from nearfield.availability import availability_of, with_availability
from nearfield.config import Config, Storage, parse_config
from nearfield.datasets import DataFile, Dataset
from nearfield.mapping import mapped, placed
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

SITE = parse_config(
    """
    storages:
      raw:
        prefix: /gpfs/raw
        also:
          - /asap3/petra3/gpfs
          - detector01:/export/raw
          - https://door.site.test:2880/pnfs/site/raw
          - root://xroot.site.test/pnfs/site/raw
          - file://daq.site.test/data
      proposals: {prefix: /gpfs/raw/proposals, also: [/props/]}
    """,
    "test.yaml",
)


@pytest.mark.parametrize(
    ("said", "storage", "path"),
    [
        ("/gpfs/raw/2024/a.h5", "raw", "/gpfs/raw/2024/a.h5"),
        ("/gpfs/raw", "raw", "/gpfs/raw"),
        ("/gpfs/raw/proposals/7/a.h5", "proposals", "/gpfs/raw/proposals/7/a.h5"),
        ("/asap3/petra3/gpfs/p08/a.h5", "raw", "/gpfs/raw/p08/a.h5"),
        ("/props//7/a.h5", "proposals", "/gpfs/raw/proposals/7/a.h5"),
        ("DETECTOR01:/export/raw/a.h5", "raw", "/gpfs/raw/a.h5"),
        ("https://door.site.test:2880/pnfs/site/raw/a%20b/%C3%A9.h5", "raw", "/gpfs/raw/a b/é.h5"),
        ("davs://DOOR.site.test:2880/pnfs/site/raw/a.h5?x=y#z", "raw", "/gpfs/raw/a.h5"),
        ("root://xroot.site.test//pnfs/site/raw/a.h5", "raw", "/gpfs/raw/a.h5"),
        ("file:///gpfs/raw/a.h5", "raw", "/gpfs/raw/a.h5"),
        ("file://daq.site.test/data/a.h5", "raw", "/gpfs/raw/a.h5"),
    ],
)
def test_on_a_storage(said: str, storage: str, path: str) -> None:
    found = mapped(SITE, said)
    assert found is not None
    assert (found.storage, found.path) == (storage, path)


@pytest.mark.parametrize(
    "said",
    [
        *("", "gpfs/raw/a", "/gpfs/rawer/a", "/asap3/petra3", "/gpfs/raw/../etc/passwd"),
        *("/asap3/petra3/gpfs/../../etc", "/gpfs/raw/a\0b", "other:/export/raw/a"),
        "https://door.site.test:2880/pnfs/site/raw/%2e%2e/secret",
        "https://door.site.test:2880/pnfs/site/raw/a%2Fb",
        "https://door.site.test/pnfs/site/raw/a",
        "http://door.site.test:2880/pnfs/site/raw/a",
        "https://door.site.test.evil.test:2880/pnfs/site/raw/a",
        "https://[/pnfs",
        "file://elsewhere/gpfs/raw/a",
    ],
)
def test_on_none(said: str) -> None:
    assert mapped(SITE, said) is None


@pytest.mark.parametrize("wrong", ["relative/path", "ftp:", "https://", "a b:/x", ""])
def test_what_is_no_place_is_refused_in_the_configuration(wrong: str) -> None:
    with pytest.raises(ValidationError):
        Storage.model_validate({"prefix": "/x", "also": [wrong]})


def test_a_foreign_record_gets_the_sites_paths() -> None:
    door = "https://door.site.test:2880/pnfs/site/raw/p08/b.h5"
    dataset = synthetic_dataset(
        1,
        source_folder="/asap3/petra3/gpfs/p08",
        storage="maxwell",
        files=(
            DataFile(path="/asap3/petra3/gpfs/p08/a.h5", size=1, mtime=DAY_ONE),
            DataFile(path="b.h5", size=1, mtime=DAY_ONE, role="linked", url=door),
            DataFile(path="/elsewhere/c.h5", size=1, mtime=DAY_ONE, role="linked"),
        ),
    )
    found = placed(SITE, dataset)
    assert (found.storage, found.source_folder) == ("raw", "/gpfs/raw/p08")
    assert [f.path for f in found.files] == [
        *("/gpfs/raw/p08/a.h5", "/gpfs/raw/p08/b.h5", "/elsewhere/c.h5"),
    ]
    assert found.files[1].url == door
    assert placed(SITE, found) == found


def test_a_storage_of_another_site_is_none_of_this_one() -> None:
    dataset = synthetic_dataset(1, storage="maxwell")
    assert placed(SITE, dataset).storage is None
    assert placed(Config(), dataset) is dataset


class TestAvailability:
    @pytest.fixture
    def site(self, tmp_path: Path) -> Config:
        return Config(storages={"here": Storage(prefix=tmp_path)})

    def of(self, *paths: Path | str, **fields: object) -> Dataset:
        files = tuple(
            DataFile(path=str(path), size=1, mtime=DAY_ONE, role="linked" if n else "root")
            for n, path in enumerate(paths)
        )
        return synthetic_dataset(1, **{"files": files, **fields})

    def test_online(self, site: Config, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"x")
        assert availability_of(site, self.of(tmp_path / "a")) == "online"
        # Something said by the source is older than what is seen here.
        dataset = self.of(tmp_path / "a", availability="remote")
        assert with_availability(site, dataset).availability == "online"

    def test_tape(self, site: Config, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"x")
        with (tmp_path / "b").open("wb") as file:
            file.truncate(1_000_000)  # a size and no blocks, as a stub has it
        assert availability_of(site, self.of(tmp_path / "a", tmp_path / "b")) == "tape"

    def test_nothing_is_opened(
        self, site: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        os.mkfifo(tmp_path / "a")

        def refuse(*_: object, **__: object) -> int:
            raise AssertionError

        monkeypatch.setattr("os.open", refuse)
        monkeypatch.setattr("builtins.open", refuse)
        assert availability_of(site, self.of(tmp_path / "a")) == "online"

    def test_remote_and_unknown(self, site: Config, tmp_path: Path) -> None:
        gone = self.of(tmp_path / "gone")
        assert availability_of(site, gone) == "unknown"
        url = gone.files[0].model_copy(update={"url": "https://x.test/a"})
        assert availability_of(site, gone.model_copy(update={"files": (url,)})) == "remote"
        said = gone.model_copy(update={"availability": "tape"})
        assert availability_of(site, said) == "tape"
        assert availability_of(site, self.of()) == "unknown"

    def test_a_path_on_no_storage_says_nothing(self, site: Config) -> None:
        assert availability_of(site, self.of("/etc/passwd")) == "unknown"

    def test_looks_are_bounded_and_from_all_over(
        self, site: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked: list[str] = []
        real = os.stat

        def counted(path: object, **more: object) -> os.stat_result:
            asked.append(str(path))
            return real(tmp_path)

        monkeypatch.setattr("nearfield.availability.os.stat", counted)
        dataset = self.of(*(tmp_path / f"{n:04}" for n in range(1000)))
        assert availability_of(site, dataset) == "online"
        assert len(asked) == 20
        assert (asked[0], asked[-1]) == (str(tmp_path / "0000"), str(tmp_path / "0950"))

    def test_a_dead_file_server_holds_nobody(
        self, site: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        dead = threading.Event()

        def hang(*_: object) -> str:
            dead.wait()
            return "online"

        monkeypatch.setattr("nearfield.availability._look", hang)
        assert availability_of(site, self.of(tmp_path / "a"), seconds=0.01) == "unknown"
        dead.set()
