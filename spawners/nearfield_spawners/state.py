"""What a spawner must not forget, whatever happens to the hub."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from sqlalchemy.orm import object_session

from nearfield.scheduler import JobId
from nearfield_spawners._batchspawner import BatchSpawnerBase
from nearfield_spawners.endings import Ending
from nearfield_spawners.stages import Stages


class SavedState(BatchSpawnerBase):
    """The state of one session, as JupyterHub keeps it, and a way to save it at once."""

    job_name = ""
    callback_digest = ""
    host = ""
    reported_port = 0
    profile_name = ""
    hardware_name = ""
    """The one of the plan: chosen by the user, or by where the data are."""
    cluster_name = ""
    account_name = ""
    started_at = 0.0
    image: Mapping[str, Any] = MappingProxyType({})
    """What the node found out about the image: path, digest, verdict, signers, warnings."""
    ends_at = 0.0
    """When the job reaches its time limit, as far as known."""
    last_ending: Ending | None = None
    """How the last session ended, until the next one is started."""

    stages: Stages

    @property
    def job(self) -> JobId | None:
        """The job, once its number is known."""
        if self._parsed[0] != self.job_id:
            self._parsed = self.job_id, JobId.parse(self.job_id) if self.job_id else None
        return self._parsed[1]

    _parsed: tuple[str, JobId | None] = ("", None)

    def get_state(self) -> dict[str, Any]:
        state: dict[str, Any] = super().get_state()
        state.pop("job_status", None)
        if self.last_ending is not None:
            state["ended"] = self.last_ending.model_dump(mode="json")
            state["stages"] = self.stages.dump()
        if self.job_name:
            state |= {
                "job_name": self.job_name,
                "callback_digest": self.callback_digest,
                "host": self.host,
                "reported_port": self.reported_port,
                "profile_name": self.profile_name,
                "hardware_name": self.hardware_name,
                "cluster_name": self.cluster_name,
                "account_name": self.account_name,
                "started_at": self.started_at,
                "ends_at": self.ends_at,
                "stages": self.stages.dump(),
                "image": dict(self.image),
            }
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        for key in (
            *("job_name", "callback_digest", "host"),
            *("profile_name", "hardware_name", "cluster_name", "account_name"),
        ):
            setattr(self, key, str(state.get(key, "")))
        self.reported_port = int(state.get("reported_port", 0))
        self.started_at = float(state.get("started_at", 0))
        self.ends_at = float(state.get("ends_at", 0))
        self.last_ending = Ending.loaded(state.get("ended"))
        self.stages.load(state.get("stages"))
        self.image = dict(state.get("image", {}))

    def clear_state(self) -> None:
        super().clear_state()
        self.job_name = self.callback_digest = self.host = ""
        self.profile_name = self.hardware_name = self.cluster_name = self.account_name = ""
        self.reported_port = 0
        self.image = {}
        self.started_at = self.ends_at = 0.0
        self._port_reported.clear()

    def save_now(self) -> None:
        """Commit the state now, not when ``start`` returns."""
        self.orm_spawner.state = self.get_state()
        if session := object_session(self.orm_spawner):
            session.commit()
