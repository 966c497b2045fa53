"""A hub that has been taken over sends what it likes: what the launcher submits is still one of
the jobs that the profiles allow, and no other verb touches what is no session."""

from __future__ import annotations

import copy
import json
import pwd
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from fuzzing import hostile, oracle
from fuzzing.site import DATASETS, SITE
from nearfield.config import parse_config
from nearfield.datasets import DatasetFiles
from nearfield.errors import NearfieldError
from nearfield.scheduler import JobSpec, launcher, node_program, render, staging, wire
from nearfield.scheduler.jobspec import Chosen, SessionTask
from nearfield.scheduler.node.image import container_options, server_argv
from nearfield.scheduler.sessions import link_of, session_spec

CASES = 4000
CONFIG = parse_config(yaml.safe_dump(SITE, sort_keys=False))
ALICE = pwd.struct_passwd(("alice", "x", 20001, 20001, "", "/home/alice", "/bin/sh"))
NAME = "nearfield-00000000000000aa"


def _request(profile: str, chosen: Chosen, *pids: str) -> dict[str, Any]:
    config_of = CONFIG.profiles[profile]
    spec = session_spec(
        CONFIG,
        name=NAME,
        user="alice",
        profile_name=profile,
        chosen=chosen,
        datasets=[
            link_of(CONFIG, config_of, DatasetFiles(pid=p, slug=f"d{n}", paths=tuple(DATASETS[p])))
            for n, p in enumerate(pids)
        ],
        environment={"JUPYTERHUB_API_TOKEN": "s3cret", "NEARFIELD_X": "y"},
        callback_url="http://hub:8081/hub/api/nearfield/port",
    )
    text = wire.request("submit", spec.cluster, spec=json.loads(spec.wire_json()))
    made: dict[str, Any] = json.loads(text)
    return made


REQUESTS = [
    _request("open", Chosen(hardware="open")),
    _request(
        "open",
        Chosen(hardware="open", values={"cores": 4, "account": "grp-a", "gpus": 1}, near="raw"),
        "p/1",
        "p/2",
    ),
    _request("open", Chosen(hardware="fixed")),
    _request("mine", Chosen(hardware="away", values={"cores": 4}), "p/closed"),
]
OTHERS = [
    json.loads(wire.request(verb, "lab", **fields))
    for verb, fields in [
        ("cancel", {"number": "17"}),
        ("status", {"numbers": ["17", "18"]}),
        ("find", {"name": NAME}),
        ("withdraw", {"name": NAME}),
        ("log_tail", {"name": NAME, "lines": 30}),
        ("image", {"name": NAME}),
        ("access", {"paths": ["/raw/x"]}),
    ]
]


def _paths(data: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if at:
        yield at
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield from _paths(data[key], (*at, key))


_WAYS = [(request, path) for request in REQUESTS for path in _paths(request)]
_PLAUSIBLE = [
    *("open", "mine", "staff", "fixed", "away", "lab", "other", "raw", "closed", "near-raw"),
    *("root", "bob", "/etc", "/etc/passwd", "/closed/a.h5", "/images/b.sif", "/raw/x/../../etc"),
    *(
        "grp-b",
        "physics",
        "low",
        "high",
        "site",
        "LD_PRELOAD",
        "http://evil/hub/api/nearfield/port",
    ),
    *(1, 4, 6, 16, 17, 2000, 240),
]
_values = st.sampled_from(_PLAUSIBLE) | hostile.junk
_tails = st.sampled_from(hostile.TEXTS[:-1])


def _found(data: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        data = data[key]
    return data


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """A request of a hub, changed in one or two places."""
    base, path = draw(st.sampled_from(_WAYS))
    request = copy.deepcopy(base)
    for at in [path, *draw(st.lists(st.sampled_from(list(_paths(base))), max_size=1))]:
        try:
            parent, old = _found(request, at[:-1]), _found(request, at)
        except (LookupError, TypeError):
            continue  # the first change has taken it away
        if not isinstance(parent, dict | list):
            continue  # or has made a text of it
        how = draw(st.sampled_from(["same", "set", "set", "tail", "drop", "add"]))
        if how == "set":
            parent[at[-1]] = draw(_values)
        elif how == "tail" and isinstance(old, str):
            parent[at[-1]] = old + draw(_tails)
        elif how == "drop":
            del parent[at[-1]]
        elif how == "add" and isinstance(old, dict):
            old[draw(st.sampled_from([*hostile.VALID, *hostile.KEYS]))] = draw(_values)
        elif how == "add" and isinstance(old, list):
            old.append(draw(_values))
    return json.dumps(request).encode()


class Slurm:
    """What the launcher would have done."""

    submitted: JobSpec | None = None
    touched: tuple[str, Any] | None = None

    def __init__(self, _cluster: Any) -> None:
        pass

    def submit(self, spec: JobSpec) -> str:
        Slurm.submitted = spec
        return "1"

    def name_of(self, _number: str) -> str:
        return NAME

    def names_of(self, _numbers: Any) -> dict[str, str]:
        return {}

    def __getattr__(self, verb: str) -> Any:
        def touch(*given: Any) -> Any:
            Slurm.touched = (verb, given)
            return {}

        return touch


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch) -> type[Slurm]:
    monkeypatch.setattr(launcher, "SlurmAccount", Slurm)
    monkeypatch.setattr(launcher, "groups_of", lambda _account: frozenset({"users"}))
    return Slurm


def handled(slurm: type[Slurm], raw: bytes) -> str:
    """What became of it: the verb, or "refused"."""
    slurm.submitted = slurm.touched = None
    told = {"verb": "?"}
    try:
        launcher._handle(raw, CONFIG, ALICE, told)
    except NearfieldError as error:
        assert str(error) and "s3cret" not in str(error)
        assert slurm.submitted is None and slurm.touched is None
        return "refused"
    return told["verb"]


def allowed_session(spec: JobSpec) -> oracle.Session:
    """What was chosen, if it may be chosen."""
    assert spec.profile in oracle.HARDWARE_OF
    hardware, task = spec.chosen.hardware, spec.task
    assert hardware in oracle.HARDWARE_OF[spec.profile]
    assert all(oracle.may_choose(hardware, n, v) for n, v in spec.chosen.values.items())
    assert spec.chosen.near in {None, "raw", *(["closed"] if spec.profile == "mine" else [])}
    assert isinstance(task, SessionTask)
    for link in task.datasets:
        assert oracle.may_be_linked(spec.profile, link.folder, list(link.files))
        assert re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", link.slug)
    assert all(map(oracle.may_be_handed_over, task.environment))
    return oracle.Session(
        profile=spec.profile,
        hardware=hardware,
        values=dict(spec.chosen.values),
        roots=tuple(link.files[0] for link in task.datasets),
        near_raw=spec.chosen.near == "raw",
    )


def judge(spec: JobSpec) -> None:
    assert re.fullmatch(r"nearfield-[0-9a-f]{16}", spec.name)
    assert (spec.user, spec.comment) == ("alice", "")
    session = allowed_session(spec)
    folder = Path("/home/alice/sessions") / spec.name
    argv = render.sbatch_argv(spec, CONFIG.clusters[spec.cluster].bin, folder)
    assert argv == oracle.sbatch_argv(session, spec.name, str(folder))
    program = node_program.text()
    assert render.script(spec, folder) == oracle.script(str(folder), program)
    read, _ = staging._contents(spec, None)
    task = read["task"]
    assert [mount["source"] for mount in task["mounts"]] == oracle.mounted(session)
    assert task["callback_url"] is None or re.fullmatch(
        r"https?://[!-~]+/hub/api/nearfield/port", task["callback_url"]
    )
    runs = list(task["command"])
    if task["image"]:
        options = container_options(str(folder), read, task["mounts"], "/scratch")
        runs = server_argv(task, options, "/home/alice", task["image"])
    assert runs == oracle.server_argv(session, str(folder), "/scratch", "/home/alice")


def test_what_is_submitted_is_allowed(slurm: type[Slurm]) -> None:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=CASES,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(requests())
    def holds(raw: bytes) -> None:
        verb = handled(slurm, raw)
        seen[verb] += 1
        if slurm.submitted is not None:
            judge(slurm.submitted)

    holds()
    assert seen["submit"] > CASES / 20, seen
    assert seen["refused"] > CASES / 4, seen


def test_unchanged_they_are_submitted(slurm: type[Slurm]) -> None:
    for request in REQUESTS:
        assert handled(slurm, json.dumps(request).encode()) == "submit"
        assert slurm.submitted is not None
        judge(slurm.submitted)


def test_the_other_verbs_touch_sessions_only(slurm: type[Slurm]) -> None:
    seen: Counter[str] = Counter()
    fields = [
        (request, field)
        for request in OTHERS
        for field in ("number", "numbers", "name", "paths")
        if field in request
    ]

    @settings(max_examples=500, deadline=None, database=None)
    @given(st.sampled_from(fields), _values)
    def holds(at: tuple[dict[str, Any], str], value: Any) -> None:
        request, field = at
        seen[handled(slurm, json.dumps(request | {field: value}).encode())] += 1
        if slurm.touched is None:
            return
        verb, given_to = slurm.touched
        if verb in {"find", "withdraw", "log_tail", "image"}:
            assert re.fullmatch(r"nearfield-[0-9a-f]{16}", given_to[0])
        elif verb == "cancel":
            assert re.fullmatch(r"[0-9]+", given_to[0])
        elif verb == "status":
            assert all(re.fullmatch(r"[0-9]+", number) for number in given_to[0])
        else:
            assert verb == "access"
            assert all(re.match(r"/(raw|processed)(/|$)", path) for path in given_to[0])
            assert not any("\0" in path or ".." in path.split("/") for path in given_to[0])

    for request in OTHERS:  # as they are, none is refused: what follows is not about nothing
        seen[handled(slurm, json.dumps(request).encode())] += 1
    assert set(seen) == {request["verb"] for request in OTHERS}
    holds()
    assert seen["refused"] > 100, seen


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"null",
        b"\xff",
        b"{" * 10_000,
        b"[" * 100_000,
        b'{"verb": ["submit"]}',
        b'{"verb": "submit", "version": 1, "cluster": {}, "spec": 1}',
        b'{"verb": "submit", "version": 1, "cluster": "lab", "spec": ' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_request(slurm: type[Slurm], raw: bytes) -> None:
    assert handled(slurm, raw) == "refused"
