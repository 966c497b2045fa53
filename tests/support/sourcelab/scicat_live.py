"""A real SciCat that is given by the environment: log in, seed, clean up, all through its API."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import yaml

from nearfield.catalogue.scicat import SciCatCatalogue
from nearfield.config import SciCatSource
from nearfield.datasets import Principal
from nearfield.testing.catalogue_contract import SEED
from sourcelab.scicat import files_of, instrument_id, instruments_of, record_of

URL = "NEARFIELD_TEST_SCICAT_URL"
ACCOUNTS = "NEARFIELD_TEST_SCICAT_ACCOUNTS"
NAMES = "NEARFIELD_TEST_SCICAT_NAMES_PIDS"


class Live:
    """The backend, its accounts, and their tokens for as long as the tests run."""

    def __init__(self) -> None:
        assert os.environ.get(URL), f"{URL} is not set; see docs/how-to/test-scicat.md"
        self.url = os.environ[URL].rstrip("/")
        file = Path(os.environ.get(ACCOUNTS, ""))
        assert file.is_file(), f"{ACCOUNTS}: name the file with the accounts; see test-scicat.md"
        assert not stat.S_IMODE(file.stat().st_mode) & 0o077, f"chmod 600 {file}"
        self.accounts: dict[str, dict[str, str]] = yaml.safe_load(file.read_text())
        self.tokens: dict[str, str] = {}
        self.names_pids = os.environ.get(NAMES, "yes") == "yes"

    def client(self, name: str) -> httpx.Client:
        """Asks as one of the accounts."""
        if name not in self.tokens:
            account = self.accounts[name]
            answer = httpx.post(f"{self.url}/api/v3/auth/login", json=account, trust_env=False)
            assert answer.status_code == 201, f"the account for {name} cannot log in"
            self.tokens[name] = answer.json()["access_token"]
        token = {"Authorization": f"Bearer {self.tokens[name]}"}
        return httpx.Client(base_url=self.url, headers=token, timeout=60, trust_env=False)

    def seed(self) -> None:
        """Make the datasets of the suite, after whatever an earlier run has left."""
        self.clean()
        with self.client("root") as root:
            known = {one["name"] for one in _said(root.get("/api/v3/instruments"))}
            for name in instruments_of(SEED):
                if name not in known:
                    key = instrument_id(name)
                    body = {"pid": key, "uniqueName": key, "name": name}
                    _said(root.post("/api/v3/instruments", json=body))
            for dataset in SEED:
                body = record_of(dataset)
                _said(root.post("/api/v4/datasets", json=body))
                rights = {key: body[key] for key in ("ownerGroup", "accessGroups")}
                block = {"datasetId": dataset.pid, **rights, **files_of(dataset)}
                _said(root.post("/api/v4/origdatablocks", json=block))

    def clean(self) -> None:
        """Take away what the suite made: its own datasets, and results of its runs."""
        with self.client("root") as root:
            where = '{"where":{"jobParameters.nearfield.run_id":{"$regex":"^run-"}}'
            said = _said(
                root.get(
                    "/api/v4/datasets",
                    params={"filter": where + ',"fields":["pid"],"limits":{"limit":1000}}'},
                )
            )
            for pid in [*(one["pid"] for one in said), *(one.pid for one in SEED)]:
                path = f"/api/v3/datasets/{quote(pid, safe='')}"
                for part in (f"{path}/origdatablocks", path):
                    answer = root.delete(part)
                    assert answer.status_code in (200, 403, 404), answer.text

    def catalogue(self, user: Principal) -> SciCatCatalogue:
        source = SciCatSource.model_validate(
            {"driver": "scicat", "url": self.url, "client_pids": self.names_pids, "timeout": 30}
        )
        token = _Login(self, user.name) if user.name else None
        return SciCatCatalogue.from_settings("beamline", source, token=token)


class _Login:
    def __init__(self, live: Live, name: str) -> None:
        self._live, self._name = live, name

    async def token(self, *, fresh: bool = False) -> str | None:
        if fresh:
            self._live.tokens.pop(self._name, None)
        self._live.client(self._name).close()
        return self._live.tokens[self._name]


def _said(answer: httpx.Response) -> Any:
    assert answer.is_success, f"{answer.request.method} {answer.url}: {answer.text[:300]}"
    return answer.json()
