"""All checks, one after the other, each bounded in time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

from nearfield.doctor import (
    apptainer,
    association,
    catalogue,
    clocks,
    configuration,
    hidden_jobs,
    home,
    images,
    launcher_code,
    launcher_rights,
    node_ports,
    profiles,
    reducing,
    sessions,
    slurm,
    sources,
    storages,
    unix_account,
)
from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.errors import NearfieldError

Check = Callable[[Site, Reporter], Iterable[Finding]]

SECONDS = 45.0
"""For one check: several commands of 10 s each, on a cluster that does not answer."""

CHECKS: dict[str, Check] = {
    "configuration": configuration.check,
    "slurm": slurm.check,
    "hidden jobs": hidden_jobs.check,
    "clocks": clocks.check,
    "launcher": launcher_code.check,
    "sudo": launcher_rights.check,
    "catalogue": catalogue.check,
    "sources": sources.check,
    "ports": node_ports.check,
    "apptainer": apptainer.check,
    "account": unix_account.check,
    "association": association.check,
    "profiles": profiles.check,
    "home": home.check,
    "storages": storages.check,
    "images": images.check,
    "reductions": reducing.check,
    "sessions": sessions.check,
}


def examine_site(site: Site, checks: dict[str, Check] | None = None) -> Iterator[Finding]:
    """The findings of every check, as they come."""
    for name, check in (CHECKS if checks is None else checks).items():
        yield from _bounded(name, check, site)


def _bounded(name: str, check: Check, site: Site) -> list[Finding]:
    """A check that hangs, in a dead file system say, is left behind and said so."""
    reporter = Reporter(name)
    findings: list[Finding] = []
    done = threading.Event()

    def work() -> None:
        try:
            for finding in check(site, reporter):
                findings.append(finding)
        except NearfieldError as error:
            findings.append(reporter.error(error))
        except Exception as error:  # one check must not cost the others
            words = f"the check itself failed: {type(error).__name__}: {error}"
            findings.append(reporter.not_checked(words))
        finally:
            done.set()

    threading.Thread(target=work, daemon=True).start()
    if not done.wait(SECONDS):
        hint = "a mount or a service that this check asks hangs"
        return [*findings, reporter.not_checked(f"no answer within {SECONDS:g} s", hint)]
    return findings
