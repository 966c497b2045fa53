"""A catalogue's record may hold anything: no path of it leads out of the session's folder, out of
the profile's storages, or into a command."""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from fuzzing import oracle
from nearfield.config import Config
from nearfield.datasets import DatasetFiles, Principal
from nearfield.errors import NearfieldError, UsageError
from nearfield.scheduler import JobSpec, node_program, render
from nearfield.scheduler.jobspec import Chosen, SessionTask
from nearfield.scheduler.node.links import link_files
from nearfield.scheduler.policy import check
from nearfield.scheduler.sessions import link_of, session_spec
from nearfield_spawners.refusal import refusal

CASES = 2500
NAME = "nearfield-00000000000000aa"
PARTS = [
    *("a.h5", "x", "y", "x", "y", ".", "..", "", " ", "\n", "\0", "-rf", "--wrap=id", ".profile"),
    *("$(id)", "`id`", "'", '"', ";", "%n", "a,b:c", "é", "\u202e", "\ud800", "#SBATCH", "data"),
    *("x" * 256, "*", "~", "{session_dir}", "NEARFIELD_NODE_PROGRAM", "\\", "dst=/", "raw"),
]
_tops = st.sampled_from(
    [
        "/raw",
        "/raw",
        "/raw",
        "/raw/x",
        "/raw/x",
        "/closed",
        "/etc",
        "/rawx",
        "raw",
        "//raw",
        "/",
        "",
    ]
)
_paths = st.builds(
    lambda top, parts: "/".join([top, *parts]),
    _tops,
    st.lists(st.sampled_from(PARTS[:5]) | st.sampled_from(PARTS), min_size=1, max_size=4),
)
_records = st.fixed_dictionaries(
    {"pid": st.just("p/1"), "slug": st.just("s"), "paths": st.lists(_paths, max_size=4)}
)
_records_in_a_folder = st.builds(
    lambda folder, names: {
        "pid": "p/1",
        "slug": "s",
        "paths": [f"{folder}/{'/'.join(parts)}" for parts in names],
    },
    st.sampled_from(["/raw", "/raw/x", "/raw/a b", "/raw/$(id)", "/raw/x\ny"]),
    st.lists(st.lists(st.sampled_from(PARTS), min_size=1, max_size=3), min_size=1, max_size=4),
)


def made_of(record: Any, config: Config) -> JobSpec:
    """As the hub makes it. Raises ValidationError where the catalogue's client would."""
    dataset = DatasetFiles.model_validate(record)
    link = link_of(config, config.profiles["open"], dataset)
    return session_spec(
        config,
        name=NAME,
        user="alice",
        profile_name="open",
        datasets=[link],
        chosen=Chosen(hardware="open", near="raw"),
    )


def linked(spec: JobSpec, folder: Path) -> None:
    """On the node: links in their own folder, and nothing anywhere else."""
    assert isinstance(spec.task, SessionTask)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "data").mkdir(parents=True)
    (folder / "beside").touch()
    links = [link.model_dump(mode="json") for link in spec.task.datasets]
    link_files(str(folder / "data"), links)
    assert sorted(path.name for path in folder.iterdir()) == ["beside", "data"]
    assert {path.name for path in (folder / "data").iterdir()} <= {"s"}
    for at, folders, files in os.walk(folder / "data"):
        for name in (*folders, *files):
            path = Path(at) / name
            if path.is_symlink():
                assert str(path.readlink()) in links[0]["files"]
            else:
                assert name in folders


def test_hostile_records(site: Config, alice: Principal, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(_records | _records_in_a_folder)
    def holds(record: dict[str, Any]) -> None:
        try:
            spec = made_of(record, site)
        except ValidationError:
            seen["no record"] += 1
            return
        except UsageError as error:
            seen["refused"] += 1
            told = refusal(error)
            assert 400 <= told.status_code < 500
            assert "\n" not in str(told) and "\0" not in str(told)
            return
        seen["linked"] += 1
        assert isinstance(spec.task, SessionTask)
        (link,) = spec.task.datasets
        assert oracle.may_be_linked("open", link.folder, list(link.files))
        assert set(link.files) <= set(record["paths"])
        session = oracle.Session("open", "open", roots=(link.files[0],))
        folder = tmp_path / NAME
        argv = render.sbatch_argv(spec, site.clusters["lab"].bin, folder)
        assert argv == oracle.sbatch_argv(session, NAME, str(folder))
        script = render.script(spec, folder)
        assert script == oracle.script(str(folder), node_program.text())
        assert check(JobSpec.model_validate(json.loads(spec.wire_json())), site, alice) == spec
        linked(spec, folder)

    holds()
    assert min(seen[word] for word in ("no record", "refused", "linked")) > CASES / 50, seen


@pytest.mark.parametrize(
    "paths",
    [
        [],
        ["/closed/a.h5"],
        ["/etc/passwd"],
        ["/raw"],
        ["/raw/x/a.h5", "/raw/x/d", "/raw/x/d/.profile"],
    ],
)
def test_records_that_are_refused(site: Config, paths: list[str]) -> None:
    with pytest.raises((NearfieldError, ValidationError)):
        made_of({"pid": "p/1", "slug": "s", "paths": paths}, site)


def test_files_in_a_storage_that_is_not_bound_get_no_link() -> None:
    storages = {"raw": {"prefix": "/raw"}, "inner": {"prefix": "/raw/x/inner"}}
    profile = {"environment": "default", "hardware": "local", "storages": ["raw"]}
    config = Config.model_validate({"storages": storages, "profiles": {"p": profile}})
    paths = ["/raw/x/a.h5", "/raw/x/inner/b.h5", "/raw/x/y/c.h5"]
    dataset = DatasetFiles.model_validate({"pid": "p/1", "slug": "s", "paths": paths})
    link = link_of(config, config.profiles["p"], dataset)
    assert link.files == ("/raw/x/a.h5", "/raw/x/y/c.h5")
