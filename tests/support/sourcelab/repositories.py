"""Both kinds of repository, each with one public input, for what they do alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from nearfield.catalogue.invenio import InvenioCatalogue
from nearfield.catalogue.invenio._rdm_records import Pids
from nearfield.datasets import DataFile, DerivedDataset
from nearfield.testing.fake_invenio import FakeInvenio
from nearfield.testing.fake_invenio_legacy import FakeLegacyInvenio
from nearfield.testing.synthetic import DAY_ONE
from sourcelab.icat import Token
from sourcelab.invenio import URL, settings

TOKENS = {"token-of-alice": "alice", "token-of-bob": "bob"}
WORDS = (b"one" * 1000, b"two" * 350_000, b"")


class Killed(BaseException):
    """The client is gone, at once."""


@dataclass
class Repository:
    """``input`` is the PID of a public record."""

    api: str
    fake: FakeInvenio | FakeLegacyInvenio
    input: str

    def driver(self, user: str = "alice", **fields: Any) -> InvenioCatalogue:
        token = Token(f"token-of-{user}") if user else None
        said = settings(**{"api": self.api, **fields})
        return InvenioCatalogue.from_settings(
            "rodare", said, token=token, transport=self.fake.transport
        )

    @property
    def made(self) -> list[str]:
        """PIDs of all drafts and records besides the input."""
        found = [self.pids.of(str(number)) for number in self._all]
        return [pid for pid in found if pid != self.input]

    @property
    def pids(self) -> Pids:
        return Pids(URL, "record" if self.api == "legacy" else "records")

    @property
    def record(self) -> Any:
        """The input, as the fake has it."""
        return self._all[self.key(self.input)]

    @property
    def published(self) -> list[str]:
        return [pid for pid in self.made if self._is_published(self._all[self.key(pid)])]

    def contents(self, pid: str) -> dict[str, bytes]:
        """The files of one of them, those that have arrived."""
        one: Any = self._all[self.key(pid)]
        if self.api == "legacy":
            return dict(one.files)
        return {
            key: file["content"] for key, file in one.files.items() if file["status"] == "completed"
        }

    def metadata(self, pid: str) -> dict[str, Any]:
        found: dict[str, Any] = self._all[self.key(pid)].metadata
        return found

    def kill_at(self, number: int) -> None:
        """The client is gone after its request of this number, which was carried out."""
        seen = 0

        def after(request: httpx.Request, answer: httpx.Response) -> None:
            nonlocal seen
            seen += 1
            if seen == number:
                raise Killed

        self.fake.after = after

    def sent(self, method: str) -> list[str]:
        return [one.url.path for one in self.fake.requests if one.method == method]

    @property
    def _all(self) -> dict[Any, Any]:
        fake = self.fake
        return dict(fake.records if isinstance(fake, FakeInvenio) else fake.depositions)

    def key(self, pid: str) -> Any:
        """What the fake has it under."""
        number = self.pids.id_of(pid) or ""
        return int(number) if self.api == "legacy" else number

    def _is_published(self, one: Any) -> bool:
        return bool(one.submitted if self.api == "legacy" else one.published)


def rdm() -> Repository:
    fake = FakeInvenio(url=URL, tokens=TOKENS)
    record = fake.put(
        "carol",
        {
            "title": "Silver behenate",
            "publication_date": "2024-05-01",
            "resource_type": {"id": "dataset"},
            "creators": [{"person_or_org": {"type": "organizational", "name": "Example"}}],
        },
        created=DAY_ONE,
        files={"a.h5": {"content": b"raw", "status": "completed", "updated": DAY_ONE}},
    )
    return Repository("rdm", fake, Pids(URL, "records").of(record.id))


def legacy() -> Repository:
    fake = FakeLegacyInvenio(url=URL, tokens=TOKENS)
    record = fake.put(
        "carol",
        {
            "upload_type": "dataset",
            "title": "Silver behenate",
            "description": "<p>calibration</p>",
            "creators": [{"name": "Example"}],
            "publication_date": "2024-05-01",
            "access_right": "open",
            "keywords": ["SAXS"],
        },
        created=DAY_ONE,
        files={"a.h5": b"raw"},
    )
    return Repository("legacy", fake, Pids(URL, "record").of(str(record.id)))


KINDS: dict[str, Callable[[], Repository]] = {"rdm": rdm, "legacy": legacy}


def a_result(folder: Path, repository: Repository, **fields: Any) -> DerivedDataset:
    """Three files of a run: one in a folder, one longer than a piece, one empty."""
    files = []
    for name, words in zip(("a.txt", "more/b.bin", "empty"), WORDS, strict=True):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(words)
        files.append(
            DataFile(
                path=str(path),
                size=len(words),
                mtime=DAY_ONE,
                sha256=hashlib.sha256(words).hexdigest(),
                role="result",
            )
        )
    values = {
        "run_id": "run-00000001",
        "title": "layer <i>thickness</i>",
        "input_datasets": (repository.input,),
        "source_folder": str(folder),
        "files": tuple(files),
        "job_parameters": {"q_max": 0.15},
        "used_software": ("nearfield@0",),
    }
    return DerivedDataset.model_validate({**values, **fields})
