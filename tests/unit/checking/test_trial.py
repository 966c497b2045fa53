"""Jobs put to Slurm: with the very options of a session, each reason told once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nearfield.checking.finding import Finding
from nearfield.checking.trial import TRIALS, check_trials, refusal_of
from nearfield.config import Config
from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler.commands import Result

SAID = (Path(__file__).parent / "samples/test-only-22.05.txt").read_text()
CONFIG = Config.model_validate(
    {
        "clusters": {"lab": {"bin": "/opt/slurm/bin"}, "other": {}},
        "environments": {"e": {}},
        "hardware": {
            "h": {
                "cluster": "lab",
                "partition": "short",
                "choices": {"cores": {"least": 1, "most": 8}, "minutes": [60, 240]},
            },
            "unused": {"cluster": "lab"},
            "far": {"cluster": "other"},
        },
        "profiles": {
            "p": {"environment": "e", "hardware": ["h", "far"]},
            "q": {"environment": "e", "hardware": "h"},
        },
    }
)


class Slurm:
    """Refuses what matches, in the recorded words for ``like``."""

    def __init__(self, pattern: str = "-", like: str = "--cpus-per-task=4000") -> None:
        self.pattern, self.asked = pattern, list[list[str]]()
        self.words = SAID.split(f"# {like} -> 1\n")[1].split("\n#")[0]

    def __call__(self, argv: list[str]) -> Result:
        self.asked.append(argv)
        refused = re.search(self.pattern, " ".join(argv))
        return Result(1, "", self.words) if refused else Result(0, "", "sbatch: Job 1 to start at")


def check(slurm: Slurm, *told: str) -> list[Finding]:
    return [f for f in check_trials(CONFIG, "lab", "alice", slurm, set(told)) if f]


def test_each_hardware_is_tried_once_with_a_sessions_options() -> None:
    slurm = Slurm("nothing")
    assert check(slurm) == []
    assert len(slurm.asked) == 6  # defaults, two ends of two choices, everything at its most
    first = slurm.asked[0]
    assert first[:2] == ["/opt/slurm/bin/sbatch", "--test-only"]
    assert {"--partition=short", "--cpus-per-task=1", "--time=60", "--no-requeue"} <= set(first)
    assert {"--cpus-per-task=8", "--time=240"} <= set(slurm.asked[-1])


def test_refused_at_an_end() -> None:
    (found,) = check(Slurm("task=8"))
    assert (found.severity, found.key) == ("error", "hardware.h.choices.cores")
    assert found.what == (
        "Slurm would refuse it with cores 8: More processors requested than permitted"
    )


def test_refused_only_with_everything_at_its_most_is_a_warning() -> None:
    (found,) = check(Slurm("task=8.*time=240"))
    assert (found.severity, found.key) == ("warning", "hardware.h.choices")


def test_one_reason_is_told_once() -> None:
    (found,) = check(Slurm("sbatch"))
    assert (found.severity, found.key) == ("error", "hardware.h")


def test_what_was_explained_is_not_told_again() -> None:
    assert check(Slurm("sbatch"), "hardware.h.partition") == []
    assert check(Slurm("task=8"), "hardware.h.choices.cores") == []
    assert len(check(Slurm("task=8"), "hardware.h.choices.minutes", "hardware.other")) == 1


def test_no_answer_is_not_a_refusal() -> None:
    def silent(_argv: list[str]) -> Result:
        return Result(1, "", "sbatch: error: Batch job submission failed: Socket timed out")

    with pytest.raises(SchedulerUnavailableError, match="Socket timed out"):
        list(check_trials(CONFIG, "lab", "alice", silent, set()))


def test_not_without_end() -> None:
    many = {
        f"h{n}": {"cluster": "lab", "choices": {"cores": {"least": 1, "most": 8}}}
        for n in range(TRIALS)
    }
    profile = {"environment": "e", "hardware": list(many)}
    config = Config.model_validate(
        {
            "clusters": {"lab": {}},
            "environments": {"e": {}},
            "hardware": many,
            "profiles": {"p": profile},
        }
    )
    slurm = Slurm("nothing")
    found = [f for f in check_trials(config, "lab", "alice", slurm, set()) if f]
    assert len(slurm.asked) == TRIALS
    assert [f.severity for f in found] == ["note"]


def test_recorded_words() -> None:
    shown = {
        refusal_of(Result(1, "", words))
        for options, code, words in re.findall(
            r"# ([^\n]*) -> (\d)\n(.*?)(?=\n# |\Z)", SAID, flags=re.DOTALL
        )
        if code == "1"
    }
    assert shown == {
        "Invalid partition name specified",
        "Requested time limit is invalid (missing or exceeds some limit)",
        "Invalid feature specification",
        "Requested node configuration is not available",
        "Invalid qos specification",
        "Invalid account or account/partition combination specified",
        "Requested reservation is invalid",
        "More processors requested than permitted",
    }
    assert refusal_of(Result(7, "", "")) == "exit code 7"
