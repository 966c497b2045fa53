"""The launcher on the real cluster: the hub's account, sudo, Slurm, Apptainer, and who abuses them."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from nearfield.config import Config, parse_config
from nearfield.errors import SchedulerError, SchedulerUnavailableError, SpecRefusedError
from nearfield.scheduler import JobId, JobSpec, JobState, JobStatus, PathAccess, wire
from nearfield.scheduler.jobspec import DatasetLink
from nearfield.scheduler.sessions import session_spec
from nearfield.scheduler.slurm import SlurmScheduler
from nearfield.scheduler.submitters import SudoSubmitter

pytestmark = pytest.mark.system

SUDOERS = Path("/etc/sudoers.d/nearfield-pytest")
TOKEN = "s3cret-of-the-session"

STANDIN = """
import http.server, json, os, urllib.parse
url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        found = {"env": dict(os.environ), "cwd": os.getcwd()}
        data = os.environ["NEARFIELD_DATA"]
        found["data"] = {
            os.path.relpath(os.path.join(at, name), data): open(os.path.join(at, name)).read()
            for at, _, names in os.walk(data) for name in names
        }
        self.wfile.write(json.dumps(found).encode())
    def log_message(self, *_):
        pass
http.server.HTTPServer((url.hostname, url.port), Handler).serve_forever()
"""


@dataclass
class Hub:
    """Takes port reports as JupyterHub does."""

    address: str
    status: int = 204
    reports: list[tuple[str, str | None, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                hub.reports.append((self.path, self.headers["Authorization"], body))
                self.send_response(hub.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer((self.address, 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def callback(self) -> str:
        return f"http://{self.address}:{self.server.server_port}/hub/api/nearfield/port"


@dataclass
class Site:
    """A launcher with a configuration of its own, so that nobody else's is touched."""

    cluster: Any
    dir: Path

    @property
    def launcher(self) -> Path:
        return self.dir / "venv/bin/nearfield-launch"

    @property
    def yaml(self) -> Path:
        return self.dir / "venv/etc/nearfield/nearfield.yaml"

    @property
    def sudo(self) -> Path:
        return self.dir / "sudo-of-the-hub"

    @property
    def config(self) -> Config:
        return parse_config(self.yaml.read_text())

    def scheduler(self, **changes: Any) -> SlurmScheduler:
        settings = self.config.clusters["lab"].model_copy(update=changes)
        return SlurmScheduler("lab", settings, SudoSubmitter("lab", self.launcher, sudo=self.sudo))

    def spec(self, profile: str = "standin", **more: Any) -> JobSpec:
        environment = {
            "JUPYTERHUB_API_TOKEN": TOKEN,
            "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:1/user/alice/",
            "JUPYTERHUB_USER": "a $(id)\n'\"",
        }
        given = {"name": f"nf-{time.time_ns()}", "user": "alice", "environment": environment} | more
        return session_spec(self.config, profile_name=profile, **given)

    def ask(self, user: str, request: str | bytes) -> Any:
        """What the launcher answers to the hub that asks for ``user``."""
        done = subprocess.run(
            [str(self.sudo), "-n", "-u", user, "--", str(self.launcher)],
            input=request.encode() if isinstance(request, str) else request,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return wire.read_answer(done.stdout.decode())

    def log_of(self, name: str) -> str:
        folder = self.cluster.home("alice") / ".local/share/nearfield/sessions" / name
        return (folder / "log").read_text()


@pytest.fixture(scope="module")
def site(cluster: Any) -> Iterator[Site]:
    folder = Path("/var/lib/nearfield-pytest")
    shutil.rmtree(folder, ignore_errors=True)
    site = Site(cluster, folder)
    umask = os.umask(0o022)
    subprocess.run(["/usr/bin/python3", "-m", "venv", "--without-pip", folder / "venv"], check=True)
    packages = next((folder / "venv/lib").glob("python3.*/site-packages"))
    theirs = next((cluster.site_venv / "lib").glob("python3.*/site-packages"))
    (packages / "site-of-the-cluster.pth").write_text(f"{theirs}\n")
    site.launcher.write_text(
        f"#!{folder}/venv/bin/python\nfrom nearfield.scheduler.launcher import main\nmain()\n"
    )
    site.sudo.write_text(
        "#!/bin/sh\nexec setpriv --reuid=jhub --regid=jhub --init-groups -- /usr/bin/sudo \"$@\"\n"
    )
    (folder / "standin.py").write_text(STANDIN)
    (folder / "audit").touch()
    (folder / "audit").chmod(0o622)
    for program in (site.launcher, site.sudo):
        program.chmod(0o755)
    site.yaml.parent.mkdir(parents=True)
    site.yaml.write_text(yaml.safe_dump(configuration(site)))
    # ALL: the launcher itself must refuse root and system accounts, not sudo.
    SUDOERS.write_text(
        "Defaults:jhub env_reset, !setenv, !requiretty, !syslog, !pam_session\n"
        f'jhub ALL=(ALL) NOPASSWD:NOSETENV: {site.launcher} ""\n'
    )
    SUDOERS.chmod(0o440)
    os.umask(umask)
    try:
        yield site
    finally:
        SUDOERS.unlink()
        shutil.rmtree(folder, ignore_errors=True)


def configuration(site: Site) -> dict[str, Any]:
    server = ["/usr/bin/python3", "-I", str(site.dir / "standin.py")]
    mounts = [{"source": "/usr"}, {"source": str(site.dir)}]
    return {
        "storages": {
            letter: {"prefix": str(site.cluster.data(letter)),
                     "places": [{"cluster": "lab", "constraint": f"storage-{letter}"}]}
            for letter in "ab"
        },
        "clusters": {
            "lab": {"scheduler": "slurm", "submitter": "sudo", "launcher": str(site.launcher)}
        },
        "environments": {
            "standin": {"server": server},
            "image": {"server": server, "image": str(site.cluster.image),
                      "apptainer": str(site.cluster.apptainer), "mounts": mounts},
            "no-image": {"server": server, "image": "/nosuch.sif"},
            "failing": {"server": ["/bin/sh", "-c", "echo the server says no >&2; exit 42"]},
        },
        "hardware": {
            "small": {"cluster": "lab", "partition": "short", "memory_mb": 300, "minutes": 5}
        },
        "profiles": {
            "standin": {"environment": "standin", "hardware": "small"},
            "image": {"environment": "image", "hardware": "small"},
            "no-image": {"environment": "no-image", "hardware": "small"},
            "failing": {"environment": "failing", "hardware": "small"},
            "closed": {"environment": "standin", "hardware": "small", "groups": ["nobody"]},
        },
        "launcher": {"group": "slurmlab", "audit_log": str(site.dir / "audit")},
    }  # fmt: skip


@pytest.fixture
def hub(cluster: Any) -> Iterator[Hub]:
    hub = Hub(cluster.head_address)
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture
def data(cluster: Any) -> Iterator[Path]:
    """A dataset on storage a, in a folder whose name invites mistakes; as the nodes see it."""
    name = f'pytest: a,b "q" $(id) {time.time_ns()}'
    folder: Path = cluster.storage("a") / name
    (folder / "raw").mkdir(parents=True)
    (folder / "scan.h5").write_text("the scan")
    (folder / "raw/part.h5").write_text("a part")
    folder.chmod(0o755)
    yield cluster.data("a") / name
    shutil.rmtree(folder)


def link(folder: Path, slug: str = "scan-1") -> DatasetLink:
    files = (str(folder / "scan.h5"), str(folder / "raw/part.h5"))
    return DatasetLink(pid="20.500/scan", slug=slug, folder=str(folder), files=files)


async def until(
    scheduler: SlurmScheduler, job: JobId, *states: JobState, seconds: float = 30
) -> JobStatus:
    end = time.monotonic() + seconds
    while (status := (await scheduler.status([job]))[job]).state not in states:
        assert time.monotonic() < end, status
        await asyncio.sleep(0.1)
    return status


async def reported(hub: Hub, seconds: float = 30) -> int:
    end = time.monotonic() + seconds
    while not hub.reports:
        assert time.monotonic() < end, "no port was reported"
        await asyncio.sleep(0.02)
    return int(hub.reports[0][2]["port"])


def fetch(host: str, port: int) -> Any:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request("GET", "/")
    return json.loads(connection.getresponse().read())


# ---------------------------------------------------------------------- the way it is meant


@pytest.mark.parametrize("profile", ["standin", "image"])
async def test_a_session_from_submit_to_cancel(
    site: Site, idle: Any, hub: Hub, data: Path, profile: str
) -> None:
    scheduler = site.scheduler()
    spec = site.spec(profile, callback_url=hub.callback, datasets=[link(data)], constraint="storage-a")
    job = await scheduler.submit(spec)
    port = await reported(hub)
    assert hub.reports == [("/hub/api/nearfield/port", f"token {TOKEN}", {"port": port})]
    status = await until(scheduler, job, JobState.RUNNING)
    assert status.host in {"na1", "na2"}
    seen = fetch(str(status.host), port)
    env = seen["env"]
    assert seen["data"] == {"scan-1/scan.h5": "the scan", "scan-1/raw/part.h5": "a part"}
    assert seen["cwd"] == env["HOME"] == str(idle.home("alice"))
    assert env["JUPYTERHUB_USER"] == "a $(id)\n'\""
    assert env["JUPYTERHUB_SERVICE_URL"] == f"http://0.0.0.0:{port}/user/alice/"
    assert env["NEARFIELD_PROFILE"] == profile
    assert env["NEARFIELD_JOB"] == spec.name
    assert env["SLURM_JOB_ID"] == job.number
    if profile == "image":
        assert env["NEARFIELD_DATA"] == "/data"
        assert env["NEARFIELD_IMAGE"] == str(idle.image)
        assert len(env["NEARFIELD_IMAGE_DIGEST"]) == 64
    assert await scheduler.find("alice", spec.name) == job
    await assert_secret_nowhere(site, idle, job, str(status.host))
    await scheduler.cancel(job)
    assert (await until(scheduler, job, JobState.CANCELLED)).host == status.host
    assert await scheduler.find("alice", spec.name) is None
    log = await scheduler.log_tail(job, spec.name)
    assert f"listens on port {port}" in log
    assert TOKEN not in log
    left = idle.exec_on(str(status.host), ["ps", "-u", "alice", "-o", "args="]).stdout
    assert "squashfuse" not in left
    assert "standin" not in left
    assert spec.name in (site.dir / "audit").read_text()
    assert TOKEN not in (site.dir / "audit").read_text()


async def assert_secret_nowhere(site: Site, cluster: Any, job: JobId, host: str) -> None:
    shown = [
        cluster.run_as("alice", argv).stdout
        for argv in (
            ["scontrol", "-d", "show", "job", job.number],
            ["sacct", "-j", job.number, "--env-vars"],
            ["sacct", "-j", job.number, "--batch-script"],
            ["sacct", "-j", job.number, "-P", "-o", "all"],
        )
    ]
    shown.append(cluster.exec_on(host, ["ps", "-eo", "args="]).stdout)
    shown.append(subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=False).stdout)
    assert all(shown[:2])
    for text in shown:
        assert TOKEN not in text


async def test_a_dataset_that_the_node_refuses(site: Site, idle: Any, hub: Hub, data: Path) -> None:
    """The hub cannot tell (it has no such mount); the node does, before the server starts."""
    closed = idle.storage("a") / data.name
    scheduler = site.scheduler()
    answers = await scheduler.access("alice", [str(data / "scan.h5")])
    assert answers == {str(data / "scan.h5"): PathAccess.UNKNOWN}
    closed.chmod(0o700)
    spec = site.spec(callback_url=hub.callback, datasets=[link(data)], constraint="storage-a")
    job = await scheduler.submit(spec)
    ended = await until(scheduler, job, JobState.FAILED)
    assert ended.exit_code == 77
    log = await scheduler.log_tail(job, spec.name)
    assert f"dataset 20.500/scan: {data / 'scan.h5'} cannot be read by alice" in log
    assert "Permission denied" in log
    folder = idle.home("alice") / ".local/share/nearfield/sessions" / spec.name
    failure = json.loads((folder / "failure.json").read_text())
    assert failure["reason"] == "dataset-not-readable"
    assert failure["path"] == str(data / "scan.h5")
    assert hub.reports == []


@pytest.mark.parametrize(
    ("profile", "code", "words"),
    [("no-image", 77, "/nosuch.sif"), ("failing", 42, "the server says no")],
)
async def test_a_session_that_cannot_start_says_why(
    site: Site, idle: Any, profile: str, code: int, words: str
) -> None:
    scheduler = site.scheduler()
    spec = site.spec(profile)
    job = await scheduler.submit(spec)
    assert (await until(scheduler, job, JobState.FAILED)).exit_code == code
    assert words in await scheduler.log_tail(job, spec.name)


async def test_a_hub_that_refuses_the_port_ends_the_session(site: Site, idle: Any, hub: Hub) -> None:
    hub.status = 403
    scheduler = site.scheduler()
    spec = site.spec(callback_url=hub.callback)
    job = await scheduler.submit(spec)
    assert (await until(scheduler, job, JobState.FAILED)).exit_code == 78
    assert len(hub.reports) == 1
    assert "refused the port" in await scheduler.log_tail(job, spec.name)


async def test_a_job_that_squeue_hides_from_the_hub_is_not_gone(site: Site, idle: Any, hub: Hub) -> None:
    """As with PrivateData=jobs: the hub's squeue succeeds and lists nothing."""
    blind = site.dir / "blind"
    blind.mkdir(exist_ok=True)
    (blind / "squeue").write_text("#!/bin/sh\nexit 0\n")
    (blind / "squeue").chmod(0o755)
    scheduler = site.scheduler(bin=blind)
    job = await scheduler.submit(site.spec(callback_url=hub.callback))
    await reported(hub)
    assert (await scheduler.status([job]))[job].state is JobState.RUNNING
    await scheduler.cancel(job)
    await until(scheduler, job, JobState.CANCELLED)


async def test_munged_down_is_unknown(site: Site, idle: Any, hub: Hub) -> None:
    scheduler = site.scheduler()
    job = await scheduler.submit(site.spec(callback_url=hub.callback))
    await reported(hub)
    idle.stop_daemon("munged")
    try:
        assert (await scheduler.status([job]))[job].state is JobState.UNKNOWN
        with pytest.raises(SchedulerUnavailableError):
            await scheduler.submit(site.spec())
        with pytest.raises(SchedulerUnavailableError):
            await scheduler.cancel(job)
    finally:
        idle.start_daemon("munged")
    await until(scheduler, job, JobState.RUNNING)
    await scheduler.cancel(job)
    await until(scheduler, job, JobState.CANCELLED)


# ---------------------------------------------------------------------- a hub that was taken over


def submit_request(site: Site, change: dict[str, Any], **spec: Any) -> str:
    """A submit whose spec was changed: dotted path → value."""
    wanted = json.loads(site.spec(**spec).wire_json())
    for path, value in change.items():
        at, *keys = wanted, *path.split("|")
        for key in keys[:-1]:
            at = at[key]
        at[keys[-1]] = value
    return wire.request("submit", "lab", spec=wanted)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"task|image": "/home/mallory/own.sif"}, "task.image"),
        ({"task|apptainer": "/tmp/own"}, "task.apptainer"),
        ({"task|server": ["/bin/sh", "-c", "id"]}, "task.server"),
        ({"task|mounts": [{"source": "/", "target": "/host", "read_only": False}]}, "task.mounts"),
        ({"task|bind_address": "10.99.0.11"}, "task.bind_address"),
        ({"hardware|cores": 64}, "hardware.cores"),
        ({"hardware|minutes": 240}, "hardware.minutes"),
        ({"hardware|partition": "beamline"}, "hardware.partition"),
        ({"hardware|account": "chem"}, "hardware.account"),
        ({"hardware|constraint": "gpu"}, "hardware.constraint"),
        ({"task|environment|LD_PRELOAD": "/tmp/own.so"}, "task.environment.LD_PRELOAD"),
        ({"task|environment|PYTHONSTARTUP": "/tmp/x"}, "task.environment.PYTHONSTARTUP"),
        ({"task|environment|NEARFIELD_CONFIG": "/tmp/x"}, "task.environment.NEARFIELD_CONFIG"),
        ({"task|environment|JUPYTERHUB_SINGLEUSER_APP": "os.x"}, "JUPYTERHUB_SINGLEUSER_APP"),
        ({"task|environment|lower": "x"}, "task.*environment"),
        ({"task": {"kind": "command", "argv": ["/usr/bin/id"]}}, "task.kind"),
        ({"task|callback_url": "http://10.99.0.1/elsewhere"}, "task.callback_url"),
        ({"task|callback_url": "file:///etc/passwd/hub/api/nearfield/port"}, "task.callback_url"),
        ({"user": "bob"}, "user"),
        ({"name": "backup"}, "name"),
        ({"name": "nf-../../x"}, "name"),
        ({"name": "nf-x\n#SBATCH --uid=0"}, "name"),
        ({"profile": "closed"}, "profile"),
        ({"profile": "nosuch"}, "profile"),
        ({"comment": "hello"}, "comment"),
        ({"extra": 1}, "extra"),
    ],
    ids=lambda v: "+".join(v) if isinstance(v, dict) else "",
)
async def test_a_changed_spec_is_refused(
    site: Site, cluster: Any, change: dict[str, Any], field: str
) -> None:
    before = cluster.squeue("alice")
    with pytest.raises(SpecRefusedError, match=field) as caught:
        site.ask("alice", submit_request(site, change))
    assert TOKEN not in str(caught.value)
    assert cluster.squeue("alice") == before


async def test_links_outside_their_folder_are_refused(site: Site, cluster: Any) -> None:
    root = cluster.data("a")
    inside = {"pid": "p", "slug": "s", "folder": f"{root}/x", "files": [f"{root}/x/a.h5"]}
    for bad, words in (
        ([inside | {"files": ["/etc/passwd"]}], "not in"),
        ([inside, inside], "slug twice"),
        ([inside | {"slug": "../x"}], "slug"),
        ([inside | {"folder": "/etc", "files": ["/etc/passwd"]}], "no storage"),
        ([inside | {"files": [f"{root}/x/../../../../etc/passwd"]}], "absolute path"),
    ):
        with pytest.raises(SpecRefusedError, match=words):
            site.ask("alice", submit_request(site, {"task|datasets": bad}))


def test_accounts_that_are_nobodys_business(site: Site) -> None:
    request = wire.request("find", "lab", name="nf-x")
    for user, words in (("root", "system account"), ("daemon", "system account"), ("jhub", "group")):
        with pytest.raises(SpecRefusedError, match=words):
            site.ask(user, request)
    assert site.ask("alice", request) is None


def test_sudo_itself_refuses_everything_else(site: Site) -> None:
    for argv in (
        ["/usr/bin/id"],
        [str(site.launcher), "--help"],
        [str(site.dir / "venv/bin/python"), "-c", "1"],
        ["NEARFIELD_CONFIG=/tmp/x", str(site.launcher)],
    ):
        done = subprocess.run(
            [str(site.sudo), "-n", "-u", "alice", *argv], input=b"{}", capture_output=True, check=False
        )
        assert done.returncode == 1, argv
        assert b"sudo:" in done.stderr or b"not allowed" in done.stderr


async def test_the_refusal_of_sudo_names_the_line_that_is_missing(site: Site, tmp_path: Path) -> None:
    submitter = SudoSubmitter("lab", Path("/opt/other/nearfield-launch"), sudo=site.sudo)
    with pytest.raises(SchedulerError, match=r"NOPASSWD:NOSETENV: /opt/other/nearfield-launch"):
        await submitter.find("alice", "nf-x")
    for bad in ("-u", "root;id", "alice\n", "#0", ""):
        with pytest.raises(SchedulerError, match="not a user name"):
            await submitter.find(bad, "nf-x")


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (b"", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "no such verb"),
        (b"{}", "no such verb"),
        (b'{"verb": ["submit"]}', "no such verb"),
        (b'{"verb": "__class__"}', "no such verb"),
        (b'{"verb": "find", "version": 2, "cluster": "lab", "name": "nf-x"}', "version"),
        (b'{"verb": "find", "version": 1, "cluster": "lab"}', "find takes"),
        (b'{"verb": "find", "version": 1, "cluster": "lab", "name": "nf-x", "x": 1}', "find takes"),
        (b'{"verb": "find", "version": 1, "cluster": "prod", "name": "nf-x"}', "no such Slurm"),
        (b'{"verb": "find", "version": 1, "cluster": "lab", "name": "--all"}', "name starts"),
        (b'{"verb": "log_tail", "version": 1, "cluster": "lab", "name": "nf-../../.ssh", "lines": 5}', "name"),
        (b'{"verb": "log_tail", "version": 1, "cluster": "lab", "name": "nf-x", "lines": true}', "lines"),
        (b'{"verb": "cancel", "version": 1, "cluster": "lab", "number": "--user=bob"}', "job number"),
        (b'{"verb": "cancel", "version": 1, "cluster": "lab", "number": "1,2"}', "job number"),
        (b'{"verb": "status", "version": 1, "cluster": "lab", "numbers": ["1 --all"]}', "job number"),
        (b'{"verb": "access", "version": 1, "cluster": "lab", "paths": ["relative"]}', "absolute"),
        (b" " * (wire.MAX_REQUEST + 1), "longer than"),
    ],
    ids=range(19),
)
def test_garbage_is_refused_in_words(site: Site, request_: bytes, words: str) -> None:
    with pytest.raises(SpecRefusedError, match=words):
        site.ask("alice", request_)


def test_jobs_that_are_no_sessions_are_left_alone(site: Site, idle: Any) -> None:
    own = idle.sbatch("alice", "--mem=50", "--job-name=thesis", script="sleep 60")
    others = idle.sbatch("bob", "--mem=50", "--job-name=nf-of-bob", script="sleep 60")
    idle.wait_job(others, {"RUNNING"})
    with pytest.raises(SpecRefusedError, match="not a session"):
        site.ask("alice", wire.request("cancel", "lab", number=own))
    assert site.ask("alice", wire.request("cancel", "lab", number=others)) is None
    time.sleep(0.5)
    assert idle.squeue()[own] == idle.squeue()[others] == "RUNNING"


def test_a_log_that_is_a_link_is_not_read(site: Site, cluster: Any) -> None:
    sessions = cluster.home("alice") / ".local/share/nearfield/sessions"
    folder = sessions / "nf-evil"
    cluster.run_as("alice", ["mkdir", "-p", "-m", "700", str(folder)])
    cluster.run_as("alice", ["ln", "-s", "/etc/passwd", str(folder / "log")])
    request = wire.request("log_tail", "lab", name="nf-evil", lines=5)
    assert site.ask("alice", request) == ""
    shutil.rmtree(folder)
    cluster.run_as("alice", ["ln", "-s", "/etc", str(folder)])
    assert site.ask("alice", request) == ""
    folder.unlink()


def test_a_configuration_that_others_can_write_is_refused(site: Site) -> None:
    request = wire.request("find", "lab", name="nf-x")
    alice = 20001
    for path, spoil, mend in (
        (site.yaml, lambda p: p.chmod(0o664), lambda p: p.chmod(0o644)),
        (site.yaml, lambda p: os.chown(p, alice, 0), lambda p: os.chown(p, 0, 0)),
        (site.yaml.parent, lambda p: p.chmod(0o777), lambda p: p.chmod(0o755)),
        (site.dir, lambda p: os.chown(p, alice, 0), lambda p: os.chown(p, 0, 0)),
    ):
        spoil(path)
        try:
            with pytest.raises(SpecRefusedError, match=f"{path}"):
                site.ask("alice", request)
        finally:
            mend(path)
    assert site.ask("alice", request) is None


def test_a_link_to_a_configuration_of_somebody_else_is_refused(site: Site, cluster: Any) -> None:
    own = cluster.home("alice") / "own.yaml"
    shutil.copy(site.yaml, own)
    kept = site.yaml.with_suffix(".kept")
    site.yaml.rename(kept)
    site.yaml.symlink_to(own)
    try:
        with pytest.raises(SpecRefusedError, match="home/alice"):
            site.ask("alice", wire.request("find", "lab", name="nf-x"))
    finally:
        kept.rename(site.yaml)
        own.unlink()


def test_the_callers_environment_chooses_nothing(site: Site, cluster: Any, tmp_path: Path) -> None:
    """A user who runs the launcher by hand gains nothing over sbatch; but nothing misleads it."""
    done = cluster.run_as(
        "alice",
        [str(site.launcher)],
        input=wire.request("find", "prod", name="nf-x"),
        env={"NEARFIELD_CONFIG": "/nosuch.yaml", "NEARFIELD_HOME": "/tmp/x", "SLURM_CONF": "/nosuch"},
    )
    with pytest.raises(SpecRefusedError, match="no such Slurm cluster"):
        wire.read_answer(done.stdout)
    argument = cluster.run_as("alice", [str(site.launcher), "x"], input="{}")
    assert argument.returncode == 2


def test_it_starts_fast(site: Site, cluster: Any) -> None:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        site.ask("alice", wire.request("access", "lab", paths=[]))
        times.append(time.perf_counter() - start)
    # 0.13 s on a quiet machine; the median forgives a neighbour, three times the design's budget all
    assert sorted(times)[2] < 0.75
