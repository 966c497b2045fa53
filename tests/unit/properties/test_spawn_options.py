"""Whatever a user sends: it is refused with a reason, or it is a session that the site allows.

Held against an oracle that shares no code with Nearfield: accepted exactly where the oracle
accepts, and then the command, the script and the server's command on the node are, letter by
letter, those that the oracle writes.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from fuzzing import hostile, oracle
from nearfield.datasets import Principal
from nearfield.scheduler import JobSpec, node_program, render, staging
from nearfield.scheduler.jobspec import SessionTask
from nearfield.scheduler.node.batch import hardware_options
from nearfield.scheduler.node.image import container_options, server_argv
from nearfield.scheduler.policy import check
from nearfield_spawners.form_fields import from_form
from nearfield_spawners.refusal import NotStartedError

CASES = 7000
many = settings(
    max_examples=CASES,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


class Judge:
    """Compares what came out with the oracle, and counts."""

    def __init__(self, ask: Any, config: Any, alice: Principal) -> None:
        self.ask, self.config, self.alice = ask, config, alice
        self.seen: Counter[str] = Counter()
        self.fixed: dict[tuple[str, str], str] = {}

    def __call__(self, options: Any, allowed: oracle.Session | None) -> None:
        told = self.ask(options)
        if isinstance(told, NotStartedError):
            assert allowed is None, (options, str(told))
            self.refused(told)
            return
        assert allowed is not None, (options, told)
        self.seen["started"] += 1
        self.started(told, allowed)

    def refused(self, refusal: NotStartedError) -> None:
        self.seen[refusal.reason] += 1
        assert 400 <= refusal.status_code < 500
        words = str(refusal)
        assert words.strip() and len(words) < 4000
        words.encode()  # it can be sent
        assert "Traceback" not in words

    def started(self, spec: JobSpec, allowed: oracle.Session) -> None:
        assert re.fullmatch(r"nearfield-[0-9a-f]{16}", spec.name)
        assert (spec.user, spec.profile, spec.comment) == ("alice", allowed.profile, "")
        folder = Path("/home/alice/sessions") / spec.name
        binaries = self.config.clusters[spec.cluster].bin
        expected = oracle.sbatch_argv(allowed, spec.name, str(folder))
        assert render.sbatch_argv(spec, binaries, folder) == expected
        program = node_program.text()
        assert render.script(spec, folder) == oracle.script(str(folder), program)
        self.on_the_node(spec, allowed, str(folder))
        # The launcher reads the same from the wire, and makes the very same of it.
        sent = JobSpec.model_validate(json.loads(spec.wire_json()))
        assert check(sent, self.config, self.alice) == spec

    def on_the_node(self, spec: JobSpec, allowed: oracle.Session, folder: str) -> None:
        assert isinstance(spec.task, SessionTask)
        session, _ = staging._contents(spec, None)
        task = session["task"]
        options: list[str] = []
        if task["image"]:
            options = container_options(folder, session, task["mounts"], "/scratch")
        argv = server_argv(task, options, "/home/alice", task["image"]) if options else None
        argv = argv or list(task["command"])
        assert argv == oracle.server_argv(allowed, folder, "/scratch", "/home/alice")
        links = task.pop("datasets")
        assert [link["files"][0] for link in links] == [oracle.ROOTS[p] for p in allowed.pids]
        assert [mount["source"] for mount in task.pop("mounts")] == oracle.mounted(allowed)
        # Worker jobs of the session are asked for as it was itself.
        assert hardware_options(session.pop("hardware")) == oracle.sbatch_options(allowed)
        # Of everything else that the node reads nothing depends on what was sent.
        session.pop("name")
        session.pop("gpus")
        assert session.pop("minutes") == allowed.values.get("minutes", 60)
        text = json.dumps(session, sort_keys=True)
        assert self.fixed.setdefault((allowed.profile, allowed.hardware), text) == text


@pytest.fixture(scope="module")
def judge(ask: Any, site: Any, alice: Principal) -> Judge:
    return Judge(ask, site, alice)


def test_rest(judge: Judge) -> None:
    @many
    @given(hostile.bodies)
    def holds(body: Any) -> None:
        judge(body, oracle.of_rest(body))

    judge.seen.clear()
    holds()
    enough(judge.seen)


def test_form(judge: Judge) -> None:
    @many
    @given(hostile.forms)
    def holds(fields: dict[str, list[str]]) -> None:
        judge(from_form(fields), oracle.of_form(fields))

    judge.seen.clear()
    holds()
    enough(judge.seen)


def enough(seen: Counter[str]) -> None:
    """Both ways were gone often: a test that only ever saw refusals would show nothing."""
    assert seen["started"] > CASES / 20, seen
    assert seen["options"] > CASES / 20, seen
    assert seen["dataset-unknown"] > 0, seen


@pytest.mark.parametrize(
    "options",
    [
        {"profile": "open"},
        {"profile": "open", "hardware": "fixed", "datasets": ["p/1"]},
        {"profile": "mine", "cores": 4, "datasets": ["p/closed", "p/1"]},
        {"profile": "open", "gpus": 2, "gpu_type": "t4", "account": "grp-a", "reservation": "b1"},
    ],
)
def test_the_oracle_allows_what_is_meant(judge: Judge, options: dict[str, Any]) -> None:
    allowed = oracle.of_rest(options)
    assert allowed is not None
    judge(options, allowed)


@pytest.mark.parametrize("options", [[], "profile", 7, None, [["profile", "open"]]])
def test_what_is_no_object_is_refused(ask: Any, options: Any) -> None:
    assert isinstance(ask(options), NotStartedError)
