"""Where a run took place."""

from __future__ import annotations

import json
import platform
import sys

from nearfield.provenance import surroundings


def test_only_what_is_set_is_recorded() -> None:
    environ = {
        "SLURM_JOB_ID": "17", "SLURM_JOB_PARTITION": "short", "SLURM_CLUSTER_NAME": "",
        "LOADEDMODULES": "gcc/13:hdf5", "NEARFIELD_IMAGE_DIGEST": "sha256:ab", "HOME": "/h",
    }  # fmt: skip
    assert surroundings.job(environ) == {"SLURM_JOB_ID": "17", "SLURM_JOB_PARTITION": "short"}
    assert surroundings.environment(environ) == {
        "LOADEDMODULES": "gcc/13:hdf5", "NEARFIELD_IMAGE_DIGEST": "sha256:ab",
    }  # fmt: skip


def test_the_question_is_one_expression_whose_answer_is_understood() -> None:
    answer = repr(eval(surroundings.KERNEL_QUESTION))  # noqa: S307 - as a kernel evaluates it
    found = surroundings.kernel_used("python3", {"name": "python", "version": "3"}, answer)
    assert found.version == platform.python_version()
    assert found.executable == sys.executable
    assert found.packages["pydantic"]
    assert list(found.packages) == sorted(found.packages, key=str.lower)


def test_a_kernel_that_cannot_be_asked_is_still_named() -> None:
    info = {"name": "julia", "version": "1.11"}
    for answer in (None, "0", "'not json'", json.dumps("x")):
        found = surroundings.kernel_used("julia-1.11", info, answer)
        assert (found.language, found.version, found.packages) == ("julia", "1.11", {})
