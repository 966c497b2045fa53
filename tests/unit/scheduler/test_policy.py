"""What a profile allows, and what is refused by name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from nearfield.config import (
    Cluster,
    Config,
    EnvironmentConfig,
    HardwareConfig,
    Place,
    ProfileConfig,
    Storage,
)
from nearfield.datasets import Principal
from nearfield.errors import SpecRefusedError
from nearfield.scheduler import JobSpec, SessionTask
from nearfield.scheduler.jobspec import Chosen
from nearfield.scheduler.policy import ENVIRONMENT, check
from nearfield.scheduler.sessions import session_spec

ALICE = Principal(name="alice", groups=frozenset({"users"}))
CONFIG = Config(
    storages={
        "raw": Storage(prefix=Path("/raw"), places=(Place(cluster="lab", constraint="near-raw"),)),
        "far": Storage(
            prefix=Path("/far"), places=(Place(cluster="other", constraint="near-far"),)
        ),
        "closed": Storage(prefix=Path("/closed")),
    },
    clusters={"lab": Cluster(), "other": Cluster()},
    environments={"image": EnvironmentConfig(image=Path("/images/a.sif"))},
    hardware={
        "open": HardwareConfig(
            cluster="lab",
            cores=2,
            choices={
                "cores": {"least": 2, "most": 16, "step": 2},
                "reservation": {"pattern": "beam-[0-9]+"},
            },
        ),
        "fixed": HardwareConfig(cluster="lab", constraint="fat"),
    },
    profiles={
        "open": ProfileConfig(environment="image", hardware="open", storages=("raw", "far")),
        "fixed": ProfileConfig(environment="image", hardware="fixed", groups=("users",)),
        "staff": ProfileConfig(environment="image", hardware="open", groups=("staff",)),
    },
)
LINK = {"pid": "p/1", "slug": "s", "folder": "/raw/x", "files": ["/raw/x/a.h5", "/raw/x/y/b.h5"]}


def spec(profile: str = "open", **more: Any) -> JobSpec:
    given = {
        "name": "nearfield-00000000000000aa",
        "user": "alice",
        "environment": {"JUPYTERHUB_API_TOKEN": "s3cret"},
    }
    return session_spec(CONFIG, profile_name=profile, **given | more)


def changed(base: JobSpec, **task: Any) -> JobSpec:
    data = json.loads(base.wire_json())
    data["task"] |= task
    return JobSpec.model_validate(data)


@pytest.mark.parametrize("profile", ["open", "fixed"])
def test_what_the_hub_makes_is_allowed(profile: str) -> None:
    made = spec(profile, callback_url="https://hub:8081/x/hub/api/nearfield/port")
    assert check(made, CONFIG, ALICE) == made


def test_links_into_the_profiles_storages_are_allowed() -> None:
    made = changed(spec(), datasets=[LINK])
    assert check(made, CONFIG, ALICE) == made


def test_a_job_is_placed_next_to_a_storage_of_the_profile() -> None:
    made = spec(chosen=Chosen(near="raw"))
    assert made.hardware.constraint == "near-raw"
    assert check(made, CONFIG, ALICE) == made
    both = spec("fixed", chosen=Chosen(near="raw"))
    assert check(both, CONFIG, ALICE).hardware.constraint == "fat&near-raw"
    # Near nothing of this cluster: nothing is added.
    assert check(spec(chosen=Chosen(near="far")), CONFIG, ALICE).hardware.constraint is None
    for wrong in ("closed", "nosuch"):
        with pytest.raises(SpecRefusedError, match=f"unknown storage '{wrong}'"):
            check(made.model_copy(update={"chosen": Chosen(near=wrong)}), CONFIG, ALICE)
    forged = made.hardware.model_copy(update={"constraint": "fat"})
    with pytest.raises(SpecRefusedError, match=r"hardware\.constraint"):
        check(made.model_copy(update={"hardware": forged}), CONFIG, ALICE)


def test_what_is_open_to_choice_is_allowed_within_its_limits() -> None:
    made = spec(chosen=Chosen(hardware="open", values={"cores": 4, "reservation": "beam-7"}))
    assert (made.hardware.cores, made.hardware.reservation) == (4, "beam-7")
    assert check(made, CONFIG, ALICE) == made
    for values, why in [
        ({"cores": 5}, "cores must be a whole number from 2 to 16 in steps of 2, not '5'"),
        ({"minutes": 600}, "minutes is not open to choice"),
        ({"reservation": "beam-x"}, "reservation must be a word that matches"),
    ]:
        forged = made.model_copy(update={"chosen": Chosen(hardware="open", values=values)})
        with pytest.raises(SpecRefusedError, match=re.escape(why)):
            check(forged, CONFIG, ALICE)
    with pytest.raises(SpecRefusedError, match="unknown hardware 'fixed'"):
        check(made.model_copy(update={"chosen": Chosen(hardware="fixed")}), CONFIG, ALICE)


def test_a_profile_of_other_groups_is_refused() -> None:
    with pytest.raises(SpecRefusedError, match="'staff' is not open to alice"):
        check(spec("staff"), CONFIG, ALICE)
    check(spec("staff"), CONFIG, Principal(name="alice", groups=frozenset({"staff"})))


def test_what_jupyterhub_hands_over_is_allowed() -> None:
    values = dict.fromkeys(ENVIRONMENT, "x") | {
        "JUPYTERHUB_SINGLEUSER_APP": "jupyterlab.labapp.LabApp",
        "NEARFIELD_CATALOGUE_URL": "http://hub",
    }
    check(spec(environment=values), CONFIG, ALICE)


def test_the_list_is_as_long_as_jupyterhubs() -> None:
    """A release of JupyterHub that hands over more than we know of is noticed here."""
    import ast
    import inspect
    import textwrap

    from jupyterhub.spawner import Spawner

    tree = ast.parse(textwrap.dedent(inspect.getsource(Spawner.get_env)))
    names = {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.slice, ast.Constant)
    }
    assert len(names) > 20
    assert names <= ENVIRONMENT


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "PATH", "PYTHONPATH", "HOME", "BASH_ENV", "NEARFIELD_HOME", "APPTAINERENV_X"],
)
def test_other_variables_are_refused(name: str) -> None:
    with pytest.raises(SpecRefusedError, match=rf"task\.environment\.{name}"):
        check(spec(environment={name: "x"}), CONFIG, ALICE)


def test_no_value_of_a_variable_is_in_a_refusal() -> None:
    for value in ("s3cret\0", "s3cret" * 200_000):
        with pytest.raises(SpecRefusedError) as caught:
            check(spec(environment={"JUPYTERHUB_API_TOKEN": value}), CONFIG, ALICE)
        assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hub/hub/api/nearfield/port",
        "http:///hub/api/nearfield/port",
        "http://user:pw@hub/hub/api/nearfield/port",
        "http://hub/hub/api/nearfield/port?x=1",
        "http://hub/hub/api/nearfield/port#x",
        "http://hub/hub/api/nearfield/ports",
        "http://hub/\n/hub/api/nearfield/port",
        "http://[::1/hub/api/nearfield/port",
        "",
    ],
)
def test_other_callbacks_are_refused(url: str) -> None:
    with pytest.raises(SpecRefusedError, match=r"task\.callback_url"):
        check(spec(callback_url=url), CONFIG, ALICE)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        (LINK | {"files": ["/raw/xy/a.h5"]}, "is not in"),
        (LINK | {"files": ["/raw/x"]}, "is not in"),
        (LINK | {"files": ["/raw/x/a.h5", "/raw/x/d", "/raw/x/d/.profile"]}, "lies below"),
        (LINK | {"files": ["/raw/x/d/e/.profile", "/raw/x/d"]}, "lies below"),
        (LINK | {"files": ["/raw/x/./a.h5"]}, "components"),
        (LINK | {"files": ["/raw/x//a.h5"]}, "components"),
        (LINK | {"files": ["/raw/x/"]}, "components"),
        (LINK | {"folder": "/closed", "files": ["/closed/a.h5"]}, "no storage"),
        (LINK | {"folder": "/etc", "files": ["/etc/passwd"]}, "no storage"),
        (LINK | {"pid": "p\n1"}, "PID"),
        (LINK | {"pid": ""}, "PID"),
    ],
)
def test_other_links_are_refused(link: dict[str, Any], words: str) -> None:
    with pytest.raises(SpecRefusedError, match=words):
        check(changed(spec(), datasets=[link]), CONFIG, ALICE)


def test_a_slug_twice_is_refused() -> None:
    with pytest.raises(SpecRefusedError, match="slug twice"):
        check(changed(spec(), datasets=[LINK, LINK]), CONFIG, ALICE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("image", "/tmp/mine.sif"),
        ("apptainer", "/tmp/mine"),
        ("server", "site"),
        ("command", ["/bin/sh"]),
        ("kernel", ["/bin/sh"]),
        ("runtime", {"venv": "/tmp/mine"}),
        ("environment_name", "x"),
        ("title", "x"),
        ("default_url", "/x"),
        ("layer", True),
        ("signature", {"rule": "warn", "keyring": "/tmp/mine"}),
        ("mounts", []),
        ("bind_address", "::"),
        ("workers", 500),
    ],
)
def test_every_other_field_is_the_profiles(field: str, value: Any) -> None:
    with pytest.raises(SpecRefusedError, match=rf"task\.{field} is .*profile 'open' says"):
        check(changed(spec(), **{field: value}), CONFIG, ALICE)


def test_slurms_folder_is_this_hosts_whatever_a_hub_without_slurm_says() -> None:
    task = check(changed(spec(), slurm="/nosuch"), CONFIG, ALICE).task
    assert isinstance(task, SessionTask)
    assert task.slurm == "/usr/bin"


def test_everything_of_the_hardware_is_the_profiles() -> None:
    made = spec()
    other = {"cores": 3, "memory_mb": 1, "minutes": 1, "gpus": 1, "gpu_type": "x", "partition": "x",
             "account": "x", "qos": "x", "reservation": "x", "constraint": "x"}  # fmt: skip
    assert set(other) == set(type(made.hardware).model_fields)
    for name, value in other.items():
        bad = made.model_copy(update={"hardware": made.hardware.model_copy(update={name: value})})
        with pytest.raises(SpecRefusedError, match=rf"hardware\.{name}"):
            check(bad, CONFIG, ALICE)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("user", "bob"),
        ("name", "x-1"),
        ("name", "nf-core"),
        ("name", "nearfield-x"),
        ("name", "nearfield-00000000000000AA"),
        ("name", "nearfield-00000000000000aa\n"),
        ("name", "nearfield-00000000000000aa0"),
        ("cluster", "other"),
        ("comment", "x"),
        ("profile", "nosuch"),
    ],
)
def test_names_are_checked(field: str, value: str) -> None:
    with pytest.raises(SpecRefusedError, match=field):
        check(spec().model_copy(update={field: value}), CONFIG, ALICE)
