"""Slurm's own judgement: every profile put to ``sbatch --test-only``, which queues nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nearfield.checking.ends import variants
from nearfield.checking.finding import Finding
from nearfield.config import Config
from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler.commands import Result
from nearfield.scheduler.jobspec import Chosen
from nearfield.scheduler.render import sbatch_argv
from nearfield.scheduler.sessions import session_spec

TRIALS = 300
"""For one cluster; each is one request to its controller."""

Run = Callable[[list[str]], Result]
"""Runs an argv as the account that the trial is for."""
_NAME = "nearfield-0000000000000000"


def check_trials(
    config: Config, cluster: str, user: str, run: Run, told: set[str]
) -> Iterator[Finding | None]:
    """One finding for each job that Slurm would refuse; ``None`` for each that it would take.

    ``told`` holds the keys of errors found before: what they explain is not said twice.

    Raises:
        SchedulerUnavailableError: Slurm does not answer any more.
    """
    tries = 0
    for name, entry in config.hardware.items():
        # To Slurm one profile is like another: only the hardware reaches it.
        profile = next((p for p, it in config.profiles.items() if name in it.hardware), None)
        if entry.cluster != cluster or profile is None:
            continue
        refused_before: set[str] = set()
        for variant in variants(name, entry):
            if tries == TRIALS:
                yield Finding(
                    severity="note",
                    key=f"hardware.{name}",
                    what=f"not all was put to Slurm: {TRIALS} jobs are the limit of one check",
                )
                return
            tries += 1
            chosen = Chosen(hardware=name, values=variant.values)
            done = run(_trial_argv(config, profile, user, chosen))
            if done.code == 0:
                yield None
                continue
            if done.no_answer:
                raise SchedulerUnavailableError(f"sbatch: {done.words}")
            words = refusal_of(done)
            # Refused for the same reason at its defaults already, or explained by a finding.
            if words in refused_before or _explained(name, variant.values, told):
                continue
            refused_before.add(words)
            yield Finding(
                severity="warning" if variant.extreme else "error",
                key=variant.key,
                what=f"Slurm would refuse it {variant.words}: {words}",
                fix="it can never start so: lower the limits, or ask who runs the cluster",
            )


def refusal_of(done: Result) -> str:
    """Slurm's words, of which the last line says it best."""
    lines = [line.strip() for line in done.err.splitlines() if line.strip()]
    last = lines[-1] if lines else f"exit code {done.code}"
    return re.sub(r"^(sbatch: )?(error: )?(allocation failure: )?", "", last)[:300]


def _explained(name: str, values: object, told: set[str]) -> bool:
    own = f"hardware.{name}"
    keys = [f"{own}.choices.{field}" for field in values] if isinstance(values, dict) else []
    at_defaults = any(
        key == own or (key.startswith(f"{own}.") and ".choices" not in key) for key in told
    )
    return at_defaults or not told.isdisjoint(keys)


def _trial_argv(config: Config, profile: str, user: str, chosen: Chosen) -> list[str]:
    """What a session of this profile would be submitted with."""
    spec = session_spec(config, name=_NAME, user=user, profile_name=profile, chosen=chosen)
    sbatch, *options = sbatch_argv(spec, config.clusters[spec.cluster].bin, Path("/") / _NAME)
    return [sbatch, "--test-only", *options]
