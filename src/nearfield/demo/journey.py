"""The whole journey through the hub's REST API, without a browser: one JSON line per step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from nearfield.demo.layout import Layout
from nearfield.errors import NearfieldError, RunError

Say = Callable[[dict[str, Any]], None]
TEMPLATE = "frames-projection"


def print_line(step: dict[str, Any]) -> None:
    print(json.dumps(step), flush=True)


class Journey:
    """One pass from a dataset to a derived dataset, as the demo's user."""

    def __init__(self, layout: Layout, scanned: dict[str, Any], say: Say = print_line) -> None:
        self.layout, self.say, self.scanned = layout, say, scanned
        self.hub = httpx.Client(
            base_url=f"{layout.url}/hub/api/",
            headers={"Authorization": f"token {layout.driver_token}"},
            timeout=60,
        )

    def run(self) -> str:
        """All steps; returns the PID of the derived dataset.

        Raises:
            NearfieldError: a step failed; the message names it.
        """
        user = self.layout.user
        self.say({"step": "scan", **self.scanned})
        self._checked("user", self.hub.post(f"users/{user}"), also={409})
        made = self._checked("user", self.hub.post(f"users/{user}/tokens", json={"note": "demo"}))
        with httpx.Client(
            base_url=f"{self.layout.url}/",
            headers={"Authorization": f"token {made['token']}"},
            timeout=60,
        ) as person:
            return self._journey(person)

    def _journey(self, person: httpx.Client) -> str:
        catalogue = "services/catalogue"
        found = self._checked(
            "search",
            person.get(f"{catalogue}/datasets", params={"text": "detector stack", "type": "raw"}),
        )
        if not found["datasets"]:
            raise RunError("search: the sample data is not in the catalogue")
        chosen = found["datasets"][0]
        self.say(
            {
                "step": "search",
                "text": "detector stack",
                "found": found["total"],
                "pid": chosen["pid"],
                "title": chosen["title"],
            }
        )
        server = self._spawn(chosen["pid"])
        run = self._run(person, server, chosen["pid"])
        published = self._checked(
            "publish", person.post(f"{server}nearfield/api/runs/{run['id']}/publish", json={})
        )
        pid = str(published["pid"])
        self.say({"step": "publish", "pid": pid, "run_id": run["run_id"]})
        shown = self._checked("show", person.get(f"{catalogue}/datasets/{pid}"))
        self._stop()
        self.say(
            {
                "step": "show",
                "title": shown["title"],
                "input_datasets": shown["input_datasets"],
                "files": [Path(f["path"]).name for f in shown["files"]],
                "pid": pid,
            }
        )
        return pid

    def _spawn(self, pid: str) -> str:
        """Start the user's server with the dataset; returns its path below the proxy."""
        started, user = time.monotonic(), self.layout.user
        options = {"profile": "default", "datasets": [pid]}
        self._checked("spawn", self.hub.post(f"users/{user}/server", json=options))
        while True:
            model = self._checked("spawn", self.hub.get(f"users/{user}"))
            server = model["servers"].get("", {})
            if server.get("ready"):
                break
            if not server.get("pending") or time.monotonic() - started > 120:
                raise RunError(f"spawn: the server did not start; see {self.layout.log}")
            time.sleep(0.2)
        self.say(
            {
                "step": "spawn",
                "user": user,
                **options,
                "url": server["url"],
                "seconds": round(time.monotonic() - started, 2),
            }
        )
        return str(server["url"]).lstrip("/")

    def _run(self, person: httpx.Client, server: str, pid: str) -> dict[str, Any]:
        """Run the template inside the session, through its server extension."""
        started = time.monotonic()
        runs = f"{server}nearfield/api/runs"
        run = self._checked(
            "run",
            person.post(runs, json={"template": TEMPLATE, "datasets": [pid], "parameters": {}}),
        )
        while run["status"] == "running":
            time.sleep(0.5)
            run = self._checked("run", person.get(f"{runs}/{run['id']}"))
        if run["status"] != "completed":
            raise RunError(f"run: {run['status']}: {run.get('message', '')}")
        self.say(
            {
                "step": "run",
                "template": TEMPLATE,
                "run_id": run["run_id"],
                "folder": run["folder"],
                "outputs": run["outputs"],
                "seconds": round(time.monotonic() - started, 2),
            }
        )
        told: dict[str, Any] = run
        return told

    def _stop(self) -> None:
        user = self.layout.user
        self._checked("stop", self.hub.delete(f"users/{user}/server"))
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            model = self._checked("stop", self.hub.get(f"users/{user}"))
            if not model["servers"]:
                return
            time.sleep(0.2)
        raise RunError("stop: the server is still there after 60 s")

    def _checked(
        self, step: str, answer: httpx.Response, also: frozenset[int] | set[int] = frozenset()
    ) -> Any:
        if answer.status_code >= 400 and answer.status_code not in also:
            try:
                told = answer.json()
                message = told.get("message") or told.get("error") or answer.text
            except ValueError:
                message = answer.text[:500]
            raise NearfieldError(
                f"{step}: {answer.request.url.path}: {answer.status_code}: {message}"
            )
        return answer.json() if answer.content else None
