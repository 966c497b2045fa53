"""The spawner: a Jupyter server as a job, next to the data.

A subclass of batchspawner's base, so that a hub's ``req_*`` settings keep their meaning. Nothing
else of it runs: no shell string is built, nothing a user sends is merged into a template, and a
job is never taken for gone because a command failed.

How a start survives a crash of the hub: JupyterHub saves a spawner's state only after ``start``
returns. So a job name with a nonce is saved *before* the job is submitted and its number right
after; a hub that comes back finds the job by number or, if the answer was lost, by name.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any

from traitlets import Float, Unicode, default

from nearfield.catalogue import unix_groups
from nearfield.config import Config
from nearfield.datasets import Principal
from nearfield.errors import (
    BlockedError,
    NearfieldError,
    SchedulerError,
    SchedulerUnavailableError,
    SpecRefusedError,
    SubmitError,
)
from nearfield.scheduler import JobId, JobState, JobStatus, Scheduler
from nearfield.scheduler.policy import ENVIRONMENT
from nearfield.scheduler.sessions import session_spec
from nearfield_spawners.callback import ROUTE, token_digest
from nearfield_spawners.endings import explain
from nearfield_spawners.form import options_form
from nearfield_spawners.leftovers import Leftover, Leftovers, sweep_once
from nearfield_spawners.limits import Seat, check_limits, seats_of
from nearfield_spawners.live_config import LiveConfig
from nearfield_spawners.migration import with_req_traits
from nearfield_spawners.monitor import QueueMonitor
from nearfield_spawners.options import from_form, parse_options
from nearfield_spawners.plan import (
    Plan,
    check_rights,
    find_datasets,
    links_for,
    pick_place,
    pick_profile,
)
from nearfield_spawners.refusal import failed, refusal
from nearfield_spawners.state import SavedState


async def _apply(spawner: NearfieldSpawner, options: dict[str, Any]) -> None:
    await spawner.make_plan(options)


class NearfieldSpawner(SavedState):
    """Starts sessions from the profiles of ``nearfield.yaml``."""

    config_file = Unicode(
        "", help="The nearfield.yaml to use; empty: searched for as the command line does."
    ).tag(config=True)
    stop_seconds = Float(
        20, help="How long stop() waits for the job to be gone before it returns all the same."
    ).tag(config=True)

    def __init__(self, **kwargs: Any) -> None:
        self._plan: Plan | None = None
        self._planned_profile = ""
        self._port_reported = asyncio.Event()
        self._stages: list[tuple[int, str]] = []
        self._stage_added = asyncio.Event()
        super().__init__(**kwargs)
        self.leftovers = Leftovers(self._scheduler_of, self.save_now)
        sweep_once(self.orm_spawner, self._scheduler_of)

    @default("apply_user_options")
    def _default_apply(self) -> Any:
        return _apply

    @default("options_from_form")
    def _default_from_form(self) -> Any:
        return from_form

    @default("options_form")
    def _default_form(self) -> Any:
        return options_form

    # ------------------------------------------------------------------ configuration

    @property
    def live(self) -> LiveConfig:
        return LiveConfig.of(self.config_file)

    @property
    def site(self) -> Config:
        """The configuration, with the hub's ``req_*`` settings where the file leaves a choice."""
        return with_req_traits(self.live.config, self)

    @property
    def principal(self) -> Principal:
        hub_groups = {group.name for group in self.user.groups}
        return Principal(name=self.user.name, groups=hub_groups | unix_groups(self.user.name))

    def _scheduler_of(self, cluster: str) -> Scheduler:
        return self.live.scheduler(cluster)

    def _scheduler(self) -> Scheduler:
        return self._scheduler_of(self.cluster_name)

    def _monitor(self) -> QueueMonitor:
        return self.live.monitor(self.cluster_name)

    # ------------------------------------------------------------------ checks

    @property
    def seat(self) -> Seat | None:
        """What this server takes of its user's limits: from the check of a start to its end."""
        if self.job_name:
            return Seat(self.name, self.profile_name, self.job.number if self.job else "")
        starting = self._planned_profile and self._start_pending
        return Seat(self.name, self._planned_profile) if starting else None

    async def make_plan(self, options: dict[str, Any]) -> Plan:
        """Every check that can be made before a job exists, for form and REST alike."""
        self._plan = None
        self._planned_profile = ""
        self._stages = []
        self._stage(5, "Checking rights")
        try:
            if self.internal_ssl:
                raise BlockedError("sessions with internal_ssl are not supported yet")
            config = self.site
            chosen = parse_options(options)
            profile = pick_profile(config, self.principal, chosen)
            taken = seats_of(self.user.spawners.values(), but=self)
            check_limits(config, self.name, profile, taken)
            self._planned_profile = profile  # the seat is ours before anything is awaited
            datasets = await find_datasets(config, chosen.datasets, self.api_token)
            links = links_for(config, profile, datasets)
            looks = await self.live.looks(config.profiles[profile]) if datasets else {}
            given, placement = pick_place(config, profile, chosen, datasets, looks)
            scheduler = self.live.scheduler(placement.cluster)
            undecided = await check_rights(scheduler, self.user.name, links)
        except NearfieldError as error:
            self._planned_profile = ""
            raise refusal(error) from error
        if datasets:
            self._stage(8, f"Placed {placement.reason}")
        self._plan = Plan(
            profile=profile,
            chosen=given,
            cluster=placement.cluster,
            links=links,
            undecided=undecided,
            reason=placement.reason,
        )
        return self._plan

    # ------------------------------------------------------------------ life

    async def start(self) -> str:
        """Submit the job and wait until its server listens. Returns the server's URL."""
        # A hub may have replaced the hook that plans; the checks are not the hook's to skip.
        plan = self._plan or await self.make_plan(dict(self.user_options))
        self._plan = None
        await self.leftovers.try_once()
        self.profile_name, self.cluster_name = plan.profile, plan.cluster
        self.job_id = ""
        self.job_name = f"nearfield-{secrets.token_hex(8)}"
        self.callback_digest = token_digest(self.api_token)
        self.started_at = time.time()
        self.reported_port, self.host = 0, ""
        self._port_reported.clear()
        self.save_now()
        try:
            spec = session_spec(
                self.site,
                name=self.job_name,
                user=self.user.name,
                profile_name=plan.profile,
                datasets=plan.links,
                environment=self._job_environment(),
                callback_url=self._callback_url(),
                chosen=plan.chosen,
            )
            self.job_id = str(await self.live.scheduler(plan.cluster).submit(spec))
        except NearfieldError as error:
            if isinstance(error, SubmitError | SpecRefusedError):
                self.job_name = ""  # a clear no: there is no job to look for
            raise refusal(error) from error
        self.save_now()
        self._stage(20, f"Submitted as job {self.job.number if self.job else '?'}")
        return await self._server_url()

    def _job_environment(self) -> dict[str, str]:
        env = {k: str(v) for k, v in self.get_env().items() if v is not None}
        if self.site.catalogue.url:
            env["NEARFIELD_CATALOGUE_URL"] = self.site.catalogue.url
        # The rest of a hub's environment is no business of a job, and the launcher refuses it.
        allowed = {k: v for k, v in env.items() if k in ENVIRONMENT or k.startswith("NEARFIELD_")}
        if left_out := sorted(env.keys() - allowed.keys()):
            self.log.debug("not handed to %s: %s", self._log_name, ", ".join(left_out))
        return allowed

    def _callback_url(self) -> str:
        api: str = self.get_env()["JUPYTERHUB_API_URL"]
        return api.rstrip("/") + ROUTE.removeprefix("/api")

    def accept_port(self, port: int) -> bool:
        """Take a port report. False where nobody waits for one, or another was taken already."""
        if not self.job_name or self.reported_port not in {0, port}:
            return False
        self.reported_port = port
        self.save_now()
        self._port_reported.set()
        return True

    async def _server_url(self) -> str:
        """Wait until the job runs and its server has reported a port."""
        running_said = False
        while True:
            status = await self._look(urgent=True)
            # COMPLETING is no end here: a launch that failed goes back to the queue from it.
            if status.state.finished:
                raise await self._start_failed(status)
            if status.state is JobState.RUNNING and status.host:
                if not running_said:
                    self._stage(50, f"Running on {status.host}, starting the server")
                    running_said = True
                if self.reported_port:
                    self.host = status.host
                    self.save_now()
                    self._stage(80, "Server started, connecting")
                    return self._url(status.host, self.reported_port)
            elif status.state is JobState.PENDING:
                reason = f": {status.reason}" if status.reason not in {"", "None"} else ""
                self._stage(30, f"Waiting in the queue{reason}")
            # A report wakes us at once; otherwise look again after an interval.
            pause = self.live.config.clusters[self.cluster_name].poll_seconds
            if self.reported_port:
                await asyncio.sleep(min(pause, 0.2))
                self._monitor_stale()
            else:
                await _wait(self._port_reported, pause)

    def _monitor_stale(self) -> None:
        """The job has spoken to us: its row in the queue is news."""
        self._monitor().expire()

    def _url(self, host: str, port: int) -> str:
        address = self.live.config.clusters[self.cluster_name].node_address.replace("{node}", host)
        return f"http://{address}:{port}"

    async def _look(self, *, urgent: bool = False) -> JobStatus:
        job = self.job or await self._find_again()
        if job is None:
            if time.time() < self.submit_over:
                return JobStatus(state=JobState.UNKNOWN, reason="the submit may be under way")
            return JobStatus(state=JobState.FAILED, reason="never submitted")
        return await self._monitor().look(job, urgent=urgent)

    async def _find_again(self) -> JobId | None:
        """The job of a submit whose answer was lost."""
        job = await self._scheduler().find(self.user.name, self.job_name)
        if job is not None:
            self.log.info("found job %s of %s again by its name", job, self._log_name)
            self.job_id = str(job)
            self.save_now()
        return job

    async def _start_failed(self, status: JobStatus) -> Exception:
        message = f"Your server did not start: {explain(status)}."
        tail = await self._log_tail()
        if tail:
            message += f"\nThe end of its log:\n{tail}"
        error: Exception = failed(message, status.state.value)
        return error

    async def _log_tail(self) -> str:
        try:
            return await self._scheduler().log_tail(self.job, self.job_name) if self.job else ""
        except SchedulerError as error:
            return f"(the log could not be read: {error.message})"

    async def get_url(self) -> str:
        """Where the server is; after a restart of the hub this may still have to be waited for."""
        try:
            if self.reported_port and self.host:
                url = self._url(self.host, self.reported_port)
            else:
                url = await asyncio.wait_for(self._server_url(), self.start_timeout)
        except Exception as error:
            # JupyterHub asks on start-up, where an exception would end the hub itself.
            self.log.error("%s did not come up after the restart: %s", self._log_name, error)
            return str(self.server.url)
        return url + str(self.server.base_url)

    async def poll(self) -> int | None:
        """None while the job may be alive, an exit code once it is known to be over."""
        if not self.job_name:
            return 0
        try:
            status = await self._look()
        except NearfieldError as error:
            self.log.warning("cannot tell how %s is: %s", self._log_name, error)
            return None
        # The body of a server that ran is over once its job is completing.
        ending = status.state is JobState.COMPLETING and self.reported_port
        if not status.state.finished and not ending:
            return None
        self.log.info("%s: %s", self._log_name, explain(status))
        if job := self.job:
            self._monitor().forget(job)
        code = status.exit_code
        self.clear_state()
        return 1 if code is None else code

    async def stop(self, now: bool = False) -> None:
        """Cancel the job and wait until the scheduler says that it is over."""
        if not self.job_name:
            return
        try:
            job = self.job or await self._find_again()
            if job is None:
                if time.time() > self.submit_over:
                    return
                raise SchedulerUnavailableError("its submit has not been answered yet")
            await self._scheduler().cancel(job)
        except NearfieldError as error:
            # JupyterHub forgets the server whatever we answer; the job must not be forgotten.
            self.log.warning("%s cannot be stopped now: %s", self._log_name, error.message)
            number = self.job.number if self.job else ""
            self.leftovers.add(
                Leftover(
                    cluster=self.cluster_name,
                    user=self.user.name,
                    name=self.job_name,
                    number=number,
                    until=0.0 if number else self.submit_over,
                )
            )
            return
        deadline = time.monotonic() + self.stop_seconds
        while not now and time.monotonic() < deadline:
            self._monitor().expire()
            status = await self._monitor().look(job, urgent=True)
            if status.state.finished:
                break
            await asyncio.sleep(0.25)
        else:
            if not now:
                self.log.warning(
                    "job %s is still there %.0f s after its cancel", job, self.stop_seconds
                )
        self._monitor().forget(job)

    # ------------------------------------------------------------------ progress

    def _stage(self, percent: int, message: str) -> None:
        if not self._stages or self._stages[-1] != (percent, message):
            self._stages.append((percent, message))
            self._stage_added.set()

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The stages so far, then each as it comes."""
        shown = 0
        while True:
            for percent, message in self._stages[shown:]:
                yield {"progress": percent, "message": message}
            shown = len(self._stages)
            self._stage_added.clear()
            await _wait(self._stage_added, 5)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return
