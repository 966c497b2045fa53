"""The whole check: a file, its clusters, one report."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from nearfield.checking.asking import Ask, ask_facts, asker
from nearfield.checking.finding import Finding, Report
from nearfield.checking.hardware import check_hardware
from nearfield.checking.homes import check_homes, homes_of
from nearfield.checking.images import START_SECONDS, check_image
from nearfield.checking.signatures import signature_holds
from nearfield.checking.storages import check_storages
from nearfield.checking.trial import check_trials
from nearfield.config import Config, find_config, key_lines, load_site_config
from nearfield.errors import ConfigError, SchedulerUnavailableError, UsageError
from nearfield.scheduler.commands import Result, query_environment, run

TRIAL_SECONDS = 30.0

Progress = Callable[[int, int | None, str], None]


def check_site(
    file: Path | None,
    *,
    cluster: str | None = None,
    user: str | None = None,
    progress: Progress | None = None,
) -> Report:
    """Check the file against its Slurm clusters.

    Args:
        cluster: only this one.
        user: as whom jobs and images are tried; somebody else needs root.

    Raises:
        UsageError: no such cluster or account, or another account without root.
    """
    file = find_config(file)
    try:
        config = load_site_config(file)
    except ConfigError as error:
        return Report(
            file=str(file), findings=tuple(_unreadable(error)), tried_as=user or _own_name()
        )
    if cluster is not None and cluster not in config.clusters:
        known = ", ".join(config.clusters)
        raise UsageError(f"unknown cluster {cluster!r}", hint=f"choose one of: {known}")
    account = _account(user)
    check = _Check(config, account, progress or (lambda _done, _total, _what: None))
    for name in [cluster] if cluster else config.clusters:
        check.cluster(name)
    check.homes()
    check.images(cluster)
    lines: Mapping[tuple[str, ...], int] = key_lines(file) if file else {}
    return Report(
        file=str(file) if file else None,
        findings=tuple(finding.placed(lines) for finding in check.found),
        silent=tuple(check.silent),
        tried=check.tried,
        tried_as=account.pw_name,
    )


class _Check:
    """What has been found so far."""

    def __init__(self, config: Config, account: pwd.struct_passwd, progress: Progress) -> None:
        self.config, self.account, self.progress = config, account, progress
        self.found: list[Finding] = []
        self.silent: list[str] = []
        self.tried = 0

    def cluster(self, name: str) -> None:
        settings = self.config.clusters[name]
        if settings.scheduler != "slurm":
            return
        self.progress(self.tried, None, f"asking {name}")
        try:
            self._ask(name, asker(settings))
        except SchedulerUnavailableError as error:
            self.silent.append(name)
            self.found.append(
                Finding(
                    severity="error",
                    key=f"clusters.{name}",
                    what=f"Slurm does not answer: {error.message}",
                    fix=error.hint or "nothing that this cluster has could be checked",
                )
            )

    def _ask(self, name: str, ask: Ask) -> None:
        facts = ask_facts(ask)
        for hardware, entry in self.config.hardware.items():
            if entry.cluster == name:
                self.found += check_hardware(hardware, entry, facts)
        self.found += check_storages(self.config, name, facts)
        told = {finding.key for finding in self.found if finding.severity == "error"}
        conf = self.config.clusters[name].conf
        trials = check_trials(
            self.config,
            name,
            self.account.pw_name,
            lambda argv: _run_as(self.account, argv, conf, TRIAL_SECONDS, stdin="#!/bin/sh\n"),
            told,
        )
        for outcome in trials:
            self.tried += 1
            self.progress(self.tried, None, f"trying jobs on {name}")
            self.found += [outcome] if outcome else []

    def homes(self) -> None:
        self.found += check_homes(self.config, homes_of(self.config, self.account))

    def images(self, cluster: str | None) -> None:
        names = dict.fromkeys(
            profile.environment
            for profile in self.config.profiles.values()
            if cluster is None or self._is_on(profile.hardware, cluster)
        )
        for name in names:
            self.progress(self.tried, None, f"trying environment {name}")
            self.found += check_image(name, self.config, self._run_image, signature_holds)

    def _is_on(self, hardware: Iterable[str], cluster: str) -> bool:
        return any(self.config.hardware[name].cluster == cluster for name in hardware)

    def _run_image(self, argv: list[str]) -> Result:
        try:
            return _run_as(self.account, argv, None, START_SECONDS)
        except SchedulerUnavailableError as error:
            return Result(1, "", error.message)


def _run_as(
    account: pwd.struct_passwd,
    argv: list[str],
    conf: Path | None,
    seconds: float,
    stdin: str | None = None,
) -> Result:
    env = query_environment(conf)
    if account.pw_uid != os.geteuid():
        env |= {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
        ids = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
        argv = ["/usr/bin/setpriv", *ids, "--", *argv]
    return run(argv, env=env, timeout=seconds, stdin=stdin)


def _account(user: str | None) -> pwd.struct_passwd:
    if user is None:
        return pwd.getpwuid(os.geteuid())
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise UsageError(f"no account {user!r} on this host") from None
    if account.pw_uid != os.geteuid() != 0:
        raise UsageError(
            f"only root can try jobs as {user!r}", hint="leave --user out, or use sudo"
        )
    return account


def _own_name() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def _unreadable(error: ConfigError) -> Iterable[Finding]:
    fix = "a running hub goes on with the last file that was in order; mend this one"
    for problem in error.problems:
        yield Finding(
            severity="error", key=problem.key, what=problem.words, fix=fix, line=problem.line
        )
    if not error.problems:
        yield Finding(severity="error", key="", what=error.message, fix=error.hint or fix)
