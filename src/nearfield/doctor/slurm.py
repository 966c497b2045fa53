"""Do Slurm's commands, its controller, its database and munge answer?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import SchedulerError

_MUNGE = re.compile(r"munge|[Aa]uthentication|credential", re.ASCII)


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """Each Slurm cluster by itself: one being down leaves the others working."""
    if not site.slurm_clusters:
        yield report.ok("no Slurm cluster in this configuration")
    for name in site.slurm_clusters:
        yield from _one(site, report, name)


def _one(site: Site, report: Reporter, name: str) -> Iterator[Finding]:
    try:
        version = site.slurm(name, "sinfo", "--version")
    except SchedulerError as error:
        yield report.problem(f"{name}: {error.message}", error.hint or "")
        return
    yield report.ok(f"{name}: {version.out.strip() or version.words}")
    try:
        conf = site.slurm_config(name)
    except SchedulerError as error:
        yield _silent(report, name, error.message)
        return
    auth = conf.get("AuthType", "?")
    yield report.ok(f"{name}: slurmctld answers, {auth} lets {site.me} in")
    yield _accounting(site, report, name, conf)


def _silent(report: Reporter, name: str, words: str) -> Finding:
    if _MUNGE.search(words):
        return report.problem(
            f"{name}: authentication fails: {words}",
            "is munged up here, with the cluster's key and the same time? systemctl status munge;"
            " munge -n | unmunge",
        )
    return report.problem(
        f"{name}: slurmctld does not answer: {words}",
        "systemctl status slurmctld on the controller; scontrol ping here",
    )


def _accounting(site: Site, report: Reporter, name: str, conf: dict[str, str]) -> Finding:
    if conf.get("AccountingStorageType", "").endswith("none"):
        return report.warning(
            f"{name}: no accounting: how a job ended is known for MinJobAge"
            f" ({conf.get('MinJobAge', '?')}) only",
            "run slurmdbd where ended sessions should be explained later too",
        )
    try:
        told = site.slurm(name, "sacct", "-nPX", "-j", "1", "-o", "JobIDRaw")
        words = told.words if told.code != 0 else ""
    except SchedulerError as error:
        words = error.message
    if words:
        return report.problem(
            f"{name}: slurmdbd does not answer: {words}",
            "sessions go on, but ended ones cannot be explained: systemctl status slurmdbd",
        )
    return report.ok(f"{name}: slurmdbd answers")
