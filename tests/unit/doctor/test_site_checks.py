"""What the doctor says of a site: Slurm, sudo, clocks, launcher."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from nearfield.config import DEMO_MARK
from nearfield.doctor import Finding, examine_site, launcher_code, node_ports, rounds
from nearfield.errors import SchedulerUnavailableError
from nearfield.scheduler.submitters import SUDO_RULE

LAUNCH = "sudo -n -l -u alice -- /opt/nearfield/bin/nearfield-launch"

Make = Callable[..., Any]


def verdicts(findings: list[Finding]) -> list[str]:
    return [finding.verdict.value for finding in findings]


def test_a_cluster_that_answers(site: Make, ask: Make) -> None:
    findings = ask("slurm", site())
    assert verdicts(findings) == ["ok", "ok", "ok"]
    assert "slurm 22.05.8" in findings[0].message


def test_munge_down_is_told_apart_from_slurm_down(site: Make, ask: Make, says: Make) -> None:
    munge = "scontrol: error: If munged is up, restart with --num-threads=10"
    down = "scontrol: error: Unable to contact slurm controller (connect failure)"
    for words, expected, hint in (
        (munge, "authentication fails", "munged"),
        (down, "slurmctld does not answer", "slurmctld"),
    ):
        found = ask("slurm", site({"scontrol show config": says(code=1, err=words)}))[-1]
        assert found.verdict.value == "problem"
        assert expected in found.message
        assert hint in found.hint


def test_no_commands_here(site: Make, ask: Make) -> None:
    missing = SchedulerUnavailableError("/usr/bin/sinfo cannot be run: No such file", hint="bin")
    (found,) = ask("slurm", site({"sinfo --version": missing}))
    assert (found.verdict.value, found.hint) == ("problem", "bin")


def test_accounting(site: Make, ask: Make, says: Make, conf: str) -> None:
    down = says(code=1, err="sacct: error: Unable to contact slurmdbd")
    found = ask("slurm", site({"sacct -nPX": down}))[-1]
    assert (found.verdict.value, "slurmdbd does not answer" in found.message) == ("problem", True)
    off = conf.replace("storage/slurmdbd", "storage/none")
    found = ask("slurm", site({"scontrol show config": says(off)}))[-1]
    assert (found.verdict.value, "300 sec" in found.message) == ("warning", True)


def test_a_submit_host_is_asked_where_the_hub_has_no_slurm(
    site: Make, ask: Make, says: Make, conf: str
) -> None:
    asked = []

    def there(_name: str, _cluster: Any, argv: Any) -> Any:
        asked.append(argv[0])
        return says(conf if argv[0] == "scontrol" else "slurm 22.05.8")

    yaml = """
clusters:
  lab:
    submitter: ssh
    ssh: {host: submit, user: nearfield-gate, key: /k, known_hosts: /h}
hardware: {small: {cluster: lab}}
profiles: {small: {environment: default, hardware: small}}
"""
    far = site(yaml=yaml, run_there=there)
    assert verdicts(ask("slurm", far)) == ["ok", "ok", "ok"]
    assert asked == ["sinfo", "scontrol", "sacct"]
    assert verdicts(ask("launcher", far)) == ["not checked"]
    assert verdicts(ask("sudo", far)) == ["ok"]


def test_sessions_that_may_report_anywhere(site: Make, ask: Make) -> None:
    found = ask("configuration", site())
    assert next(f.hint for f in found if "hub_urls" in f.message).startswith("set it to")


def test_hidden_jobs(site: Make, ask: Make, says: Make, conf: str) -> None:
    hidden = says(conf.replace("= none", "= jobs,usage"))
    (found,) = ask("hidden jobs", site())
    assert found.verdict.value == "ok"
    level = "sacctmgr -nP show user jhub"
    (found,) = ask("hidden jobs", site({"scontrol show config": hidden, level: says("None\n")}))
    assert (found.verdict.value, "adminlevel=Operator" in found.hint) == ("warning", True)
    (found,) = ask("hidden jobs", site({"scontrol show config": hidden, level: says("Operator")}))
    assert found.verdict.value == "ok"
    root = site({"scontrol show config": hidden}, uid=0, me="root")
    (found,) = ask("hidden jobs", root)
    assert (found.verdict.value, "--hub" in found.hint) == ("not checked", True)


def test_clocks(site: Make, ask: Make, says: Make, conf: str) -> None:
    for ahead, verdict in ((0, "ok"), (-120, "problem"), (90, "problem")):
        there = datetime.fromtimestamp(time.time() + ahead, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        answers = {"scontrol show config": says(conf.replace("2026-11-21T12:00:00", there))}
        assert verdicts(ask("clocks", site(answers, user=None))) == [verdict]


def test_a_port_range_that_others_take_ports_from(
    site: Make, ask: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "ip_local_port_range"
    file.write_text("32768\t60999\n")
    monkeypatch.setattr(node_ports, "_EPHEMERAL", file)
    yaml = """
clusters: {lab: {ports: {least: %s, most: %s}}}
hardware: {small: {cluster: lab}}
profiles: {small: {environment: default, hardware: small}}
"""
    _, clear = ask("ports", site(yaml=yaml % (20000, 20099)))
    assert (clear.verdict.value, "100 at most" in clear.message) == ("ok", True)
    _, shared = ask("ports", site(yaml=yaml % (32000, 33000)))
    assert (shared.verdict.value, "32768-60999" in shared.message) == ("warning", True)


def test_nodes_without_an_address(site: Make, ask: Make) -> None:
    def nowhere(host: str) -> None:
        raise OSError(host)

    assert verdicts(ask("ports", site())) == ["ok", "ok"]
    found, _ = ask("ports", site(resolve=nowhere))
    assert (found.verdict.value, "no address for na1, na2" in found.message) == ("problem", True)


def test_the_clock_of_the_file_server(site: Make, ask: Make, says: Make, examined: Make) -> None:
    good = examined().home
    late = examined(home=good.model_copy(update={"clock_ahead": -400.0}))
    found = ask("clocks", site({"scontrol show config": says("")}, found=late))
    assert verdicts(found) == ["not checked", "problem"]
    assert "400 s behind" in found[1].message


def test_sudo_in_order(site: Make, ask: Make, says: Make) -> None:
    answers = {LAUNCH: says("…"), f"{LAUNCH} x": says(code=1)}
    assert verdicts(ask("sudo", site(answers))) == ["ok", "ok"]


def test_sudo_refuses(site: Make, ask: Make) -> None:
    refused = SchedulerUnavailableError("sudo does not let this account start the launcher")
    rule, answer = ask("sudo", site(found=refused))
    line = SUDO_RULE.format(
        hub="jhub", group="GROUP", launcher="/opt/nearfield/bin/nearfield-launch"
    )
    assert rule.verdict.value == "problem"
    assert f"sudoers needs: {line}" in rule.hint
    assert answer.verdict.value == "problem"


def test_a_rule_of_sudo_that_allows_too_much(site: Make, ask: Make, says: Make) -> None:
    found = ask("sudo", site({"sudo -n -l": says("…")}))
    assert verdicts(found) == ["ok", "problem", "ok"]
    assert "with arguments and a shell" in found[1].message


def test_root_asks_for_the_hubs_rule(site: Make, ask: Make, says: Make) -> None:
    rule = "sudo -n -l -U jhub -u alice -- /opt/nearfield/bin/nearfield-launch"
    answers = {rule: says("…"), f"{rule} x": says(code=1)}
    found = ask("sudo", site(answers, uid=0, me="root", hub="jhub"))
    assert verdicts(found) == ["ok", "ok"]
    assert verdicts(ask("sudo", site(answers, uid=0, me="root"))) == ["not checked", "ok"]


def test_code_that_others_may_write(tmp_path: Path) -> None:
    """/tmp, where this is, may be written by everybody."""
    launcher = tmp_path / "bin/nearfield-launch"
    launcher.parent.mkdir()
    launcher.touch()
    found = launcher_code._one(rounds.Reporter("launcher"), launcher)
    assert found.verdict.value == "problem"
    assert "may write" in found.message or "belongs to" in found.message


def test_a_single_file_that_others_may_write(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.touch(mode=0o666)
    module.chmod(0o666)
    assert launcher_code._foreign(tmp_path) is not None


def test_the_launcher_is_not_here(site: Make, ask: Make) -> None:
    (found,) = ask("launcher", site())
    assert (found.verdict.value, "not on this host" in found.message) == ("problem", True)


def test_the_catalogue(site: Make, ask: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = ask("catalogue", site())
    assert found.verdict.value == "not checked"
    with_url = site(yaml=site_yaml("http://hub/services/catalogue"))
    for status, verdict in ((200, "ok"), (503, "problem")):
        monkeypatch.setattr(httpx, "get", lambda *_, status=status, **__: httpx.Response(status))
        (found,) = ask("catalogue", with_url)
        assert found.verdict.value == verdict
    gone = httpx.Response(503, json={"error": "the catalogue: its file is gone"})
    monkeypatch.setattr(httpx, "get", lambda *_, **__: gone)
    assert "status 503: the catalogue: its file is gone" in ask("catalogue", with_url)[0].message

    def refused(*_: object, **__: object) -> None:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(httpx, "get", refused)
    (found,) = ask("catalogue", with_url)
    assert (found.verdict.value, "refused" in found.message) == ("problem", True)


def test_a_demo_that_has_ended_is_no_outage(
    site: Make, ask: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise httpx.ConnectError("refused")

    monkeypatch.setattr(httpx, "get", refused)
    looked = site(yaml=site_yaml("http://127.0.0.1:1/services/catalogue"))
    looked.source = tmp_path / "nearfield.yaml"
    looked.source.write_text(DEMO_MARK)
    (found,) = ask("catalogue", looked)
    assert (found.verdict.value, found.message) == ("not checked", "the demo is not running")
    assert "make demo" in found.hint


def site_yaml(url: str) -> str:
    return f"catalogue: {{url: '{url}'}}"


def test_apptainer_may_be_on_the_nodes_only(site: Make, ask: Make) -> None:
    (found,) = ask("apptainer", site())
    assert (found.verdict.value, "on a node" in found.hint) == ("not checked", True)


def test_a_node_without_user_namespaces(site: Make, ask: Make, says: Make, tmp_path: Path) -> None:
    program = tmp_path / "apptainer"
    program.touch()
    yaml = f"environments: {{default: {{image: /a.sif, apptainer: {program}}}}}"
    answers = {
        "apptainer --version": says("apptainer version 1.4.5"),
        "unshare": says(code=1, err="unshare: unshare failed: Operation not permitted"),
    }
    version, spaces, _fuse = ask("apptainer", site(answers, yaml=yaml))
    assert "1.4.5" in version.message
    assert (spaces.verdict.value, "sysctl" in spaces.hint) == ("problem", True)


def test_a_check_that_hangs_or_breaks_does_not_cost_the_others(
    site: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "SECONDS", 0.05)
    release = threading.Event()

    def hangs(_site: Any, report: Any) -> Any:
        yield report.ok("before")
        release.wait(60)

    def breaks(_site: Any, report: Any) -> Any:
        yield report.ok("before")
        raise ValueError("so")

    def works(_site: Any, report: Any) -> Any:
        yield report.ok("done")

    try:
        checks = {"hangs": hangs, "breaks": breaks, "works": works}
        found = list(examine_site(site(), checks))
    finally:
        release.set()
    assert verdicts(found) == ["ok", "not checked", "ok", "not checked", "ok"]
    assert "ValueError: so" in found[3].message


def test_all_checks_end_on_a_dead_site(site: Make, says: Make) -> None:
    """Whatever is missing: an answer for everything, an exception for nothing."""
    dead = SchedulerUnavailableError("no answer")
    answers = dict.fromkeys(("sinfo", "scontrol", "sacctmgr", "sudo"), dead)
    found = list(examine_site(site(answers, found=dead)))
    assert not [f for f in found if "check itself failed" in f.message]
    assert {f.check for f in found} >= {"slurm", "sudo", "home", "images", "sessions", "account"}
