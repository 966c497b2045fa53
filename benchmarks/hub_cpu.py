"""CPU time of a hub with 1,000 servers in steady state.

``python benchmarks/hub_cpu.py [SERVERS [SECONDS]]``. The hub, its database, its spawners and its
monitor are real. slurmctld is not asked: ``squeue`` is a stand-in that lists every job as running,
and all servers are one that answers and does nothing. Counted is the time of the hub's process and
of the commands it has run, over SECONDS (120).
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchkit.load import cpu_seconds
from benchkit.report import Report, Target
from benchkit.site import OURS, running, test_cluster
from free_port import free_port
from hublab.process import HEAD, HubProcess
from hublab.site import site_config
from nearfield.scheduler.slurm_output import OWNED_FORMAT

SQUEUE = """#!/bin/sh
exec cat {folder}/rows
"""

# As JupyterHub would have written it: users with an active server each.
FILL = """
import json, sys
from jupyterhub import orm
url, count, port, profile = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
session = orm.new_session_factory(url)()
for n in range(count):
    user = orm.User(name=f"u{n:04}")
    session.add(user)
    server = orm.Server(proto="http", ip="na1", port=port, base_url=f"/user/{user.name}/")
    spawner = orm.Spawner(name="", user=user, server=server)
    spawner.state = {"job_id": f"lab/{user.name}/{100000 + n}", "job_name": f"nearfield-{n:016x}",
                     "callback_digest": "0" * 64, "host": "na1", "reported_port": port,
                     "profile_name": profile, "cluster_name": "lab", "started_at": 1.0}
    session.add(spawner)
session.commit()
"""


class HubAlone(HubProcess):
    """No launcher has to agree with it: its configuration is in its own folder."""

    @property
    def config_file(self) -> Path:
        return self.folder / "nearfield.yaml"


def row(number: int) -> str:
    """A running job as squeue prints it for the hub."""
    told = {
        "%u": f"u{number - 100000:04}",
        "%A": str(number),
        "%T": "RUNNING",
        "%B": "na1",
        "%r": "None",
    }
    told |= {"%S": "2026-01-01T00:00:00", "%e": "2036-01-01T00:00:00"}
    return re.sub(r"%[A-Za-z]", lambda word: told.get(word[0], ""), OWNED_FORMAT) + "\n"


def prepared(cluster: Any, servers: int, port: int) -> HubProcess:
    hub = HubAlone(cluster=cluster, folder=cluster.dir / "hub-bench-cpu")
    tools = cluster.dir / "bench-bin"
    tools.mkdir(exist_ok=True)
    (tools / "rows").write_text("".join(row(100000 + n) for n in range(servers)))
    (tools / "squeue").write_text(SQUEUE.format(folder=tools))
    for path in (tools, tools / "squeue"):
        path.chmod(0o755)
    (tools / "rows").chmod(0o644)
    config = site_config(cluster, hub.folder, hub.url)
    for interval in ("poll_seconds", "idle_poll_seconds"):
        config["clusters"]["lab"].pop(interval, None)
    config["clusters"]["lab"] |= {"bin": str(tools), "node_address": HEAD}
    hub.prepare(config, OURS)
    database = f"sqlite:///{hub.folder}/jupyterhub.sqlite"
    python = str(cluster.hub_venv / "bin/python")
    argv = [python, "-c", FILL, database, str(servers), str(port), "stand-in"]
    subprocess.run(argv, check=True)
    return hub


def all_ready(hub: HubProcess, servers: int) -> None:
    deadline = time.monotonic() + 600
    while (found := sum(_ready(hub, at) for at in range(0, servers, 200))) < servers:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{found} ready of {servers}\n{hub.tail()}")
        time.sleep(5)


def _ready(hub: HubProcess, offset: int) -> int:
    users = hub.api("GET", f"users?limit=200&offset={offset}&state=ready", timeout=120).json()
    return sum(server["ready"] for user in users for server in user["servers"].values())


def main() -> int:
    servers = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 120.0
    with test_cluster() as cluster:
        port = free_port()
        hub = prepared(cluster, servers, port)
        stand_in = subprocess.Popen(
            [str(cluster.site_venv.parent / "stand-in-server")],
            env={"JUPYTERHUB_SERVICE_URL": f"http://{HEAD}:{port}/"},
        )
        try:
            with running(hub):
                assert hub.hub is not None
                all_ready(hub, servers)
                time.sleep(35)
                before, began = cpu_seconds(hub.hub.pid), time.monotonic()
                time.sleep(seconds)
                used = cpu_seconds(hub.hub.pid) - before
                share = used / (time.monotonic() - began)
        finally:
            stand_in.kill()
            stand_in.wait()
    report = Report(
        "hub_cpu",
        f"CPU of a hub with {servers} servers",
        f"Process and commands of the hub over {seconds:.0f} s in steady state.",
    )
    report.data = {"servers": servers, "seconds": seconds, "cpu_seconds": round(used, 2)}
    report.targets = [Target(f"of a core with {servers} servers", share, 0.03)]
    return 0 if report.write() else 1


if __name__ == "__main__":
    sys.exit(main())
