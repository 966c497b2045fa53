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

from traitlets import default

from nearfield.errors import (
    NearfieldError,
    SpecRefusedError,
    SubmitError,
)
from nearfield.scheduler import JobId, JobState, JobStatus
from nearfield.scheduler.policy import ENVIRONMENT
from nearfield.scheduler.sessions import session_spec
from nearfield_spawners.assets import asset_urls
from nearfield_spawners.callback import ROUTE, token_digest
from nearfield_spawners.certificates import certificate_texts, node_alt_names
from nearfield_spawners.endings import explain
from nearfield_spawners.form import options_form
from nearfield_spawners.identity import check_user, for_accounts
from nearfield_spawners.image_facts import ask_for_image, default_url
from nearfield_spawners.leftovers import Leftovers, sweep_once
from nearfield_spawners.life import Life
from nearfield_spawners.limits import Seat, check_limits, seats_of
from nearfield_spawners.options import from_form, parse_options
from nearfield_spawners.plan import Plan, find_datasets, links_for, pick_place, pick_profile
from nearfield_spawners.refusal import failed, refusal
from nearfield_spawners.rights import check_rights, not_bound
from nearfield_spawners.stages import StageName, Stages, pause


async def _apply(spawner: NearfieldSpawner, options: dict[str, Any]) -> None:
    await spawner.make_plan(options)


class NearfieldSpawner(Life):
    """Starts sessions from the profiles of ``nearfield.yaml``."""

    ssl_alt_names: Any

    def __init__(self, **kwargs: Any) -> None:
        self._plan: Plan | None = None
        self._learning: asyncio.Task[None] | None = None
        self._planned_profile = ""
        self._port_reported = asyncio.Event()
        self.stages = Stages()
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
        return for_accounts(options_form)

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
        self.stages.begin()
        self.stages.add(StageName.RIGHTS, "Checking rights")
        try:
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
            check_user(self.user, self.db, config, placement.cluster)
            scheduler = self.live.scheduler(placement.cluster)
            undecided = await check_rights(scheduler, self.account, links, datasets)
        except NearfieldError as error:
            self._planned_profile = ""
            raise refusal(error) from error
        if datasets:
            self.stages.add(StageName.PLACED, f"Placed {placement.reason}")
        for missed in not_bound(config, profile, datasets):
            self.stages.add(StageName.PLACED, f"Note: {missed}")
        self._plan = Plan(
            profile=profile,
            chosen=given,
            cluster=placement.cluster,
            links=links,
            undecided=undecided,
            reason=placement.reason,
        )
        return self._plan

    # ------------------------------------------------------------------ internal_ssl

    @default("ssl_alt_names")
    def _no_names_of_the_hub(self) -> list[str]:
        return []  # JupyterHub's default would make every session a bearer of the hub's name

    @default("ssl_alt_names_include_local")
    def _not_localhost(self) -> bool:
        return False

    async def create_certs(self) -> Any:
        """A certificate for whichever node of the cluster the session will run on."""
        self._plan = plan = self._plan or await self.make_plan(dict(self.user_options))
        address = self.live.config.clusters[plan.cluster].node_address
        try:
            names = await node_alt_names(self.live.scheduler(plan.cluster), address)
        except NearfieldError as error:
            raise refusal(error) from error
        self.ssl_alt_names = list(dict.fromkeys([*self.ssl_alt_names, *names]))
        return await super().create_certs()

    # ------------------------------------------------------------------ life

    async def start(self) -> str:
        """Submit the job and wait until its server listens. Returns the server's URL."""
        # A hub may have replaced the hook that plans; the checks are not the hook's to skip.
        plan = self._plan or await self.make_plan(dict(self.user_options))
        self._plan = None
        await self.leftovers.try_once()
        self.profile_name, self.cluster_name = plan.profile, plan.cluster
        self.account_name = self.account
        self.job_id = ""
        self.job_name = f"nearfield-{secrets.token_hex(8)}"
        self.callback_digest = token_digest(self.api_token)
        self.started_at = time.time()
        self.reported_port, self.host, self.image = 0, "", {}
        self._port_reported.clear()
        self.save_now()
        try:
            spec = session_spec(
                self.site,
                name=self.job_name,
                user=self.account,
                profile_name=plan.profile,
                datasets=plan.links,
                environment=await self._environment(plan.profile),
                callback_url=self._callback_url(),
                chosen=plan.chosen,
            )
            if getattr(spec.task, "signature", None) is not None:
                self.stages.add(StageName.IMAGE, "Verifying the image's signature")
            self.job_id = str(await self.live.scheduler(plan.cluster).submit(spec))
        except NearfieldError as error:
            if isinstance(error, SubmitError | SpecRefusedError):
                self.job_name = ""  # a clear no: there is no job to look for
            raise refusal(error) from error
        self.save_now()
        self.stages.add(
            StageName.SUBMITTED, f"Submitted as job {self.job.number if self.job else '?'}"
        )
        return await self._server_url()

    async def _environment(self, profile: str) -> dict[str, str]:
        env = self._job_environment()
        if self.internal_ssl:
            env |= await certificate_texts(self.cert_paths)
        site = self.site
        if url := await default_url(site.environments[site.profiles[profile].environment]):
            env["JUPYTERHUB_DEFAULT_URL"] = url
        return env

    async def _learn_image(self, job: JobId, name: str) -> None:
        found = await ask_for_image(self._scheduler(), job, name)
        if found and self.job_name == name:
            self.image = found
            self.save_now()
            for warning in found["warnings"]:
                self.log.warning("%s: %s", self._log_name, warning)
                self.stages.add(StageName.READY, f"Note: {warning}")

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
        cluster = self.live.config.clusters.get(self.cluster_name)
        if cluster is not None and cluster.ports is not None and port not in cluster.ports:
            return False
        self.reported_port = port
        self.save_now()
        self._port_reported.set()
        return True

    async def _server_url(self) -> str:
        """Wait until the job runs and its server has reported a port."""
        while True:
            status = await self._look(urgent=True)
            # COMPLETING is no end here: a launch that failed goes back to the queue from it.
            if status.state.finished:
                raise await self._start_failed(status)
            if status.state is JobState.RUNNING and status.host:
                self.stages.add(
                    StageName.ALLOCATED, f"Running on {status.host}, starting the server"
                )
                if self.reported_port:
                    self.host = status.host
                    self.save_now()
                    self.stages.add(StageName.READY, "Server started, connecting")
                    if self.job:
                        self._learning = asyncio.create_task(
                            self._learn_image(self.job, self.job_name)
                        )
                    return self._url(status.host, self.reported_port)
            elif status.state is JobState.PENDING:
                reason = f": {status.reason}" if status.reason not in {"", "None"} else ""
                self.stages.add(StageName.QUEUED, f"Waiting in the queue{reason}")
            # A report wakes us at once; otherwise look again after an interval.
            interval = self.live.config.clusters[self.cluster_name].poll_seconds
            if self.reported_port:
                await asyncio.sleep(min(interval, 0.2))
                self._monitor_stale()
            else:
                await pause(self._port_reported, interval)

    def _monitor_stale(self) -> None:
        """The job has spoken to us: its row in the queue is news."""
        self._monitor().expire()

    def _url(self, host: str, port: int) -> str:
        address = self.live.config.clusters[self.cluster_name].node_address.replace("{node}", host)
        return f"{'https' if self.internal_ssl else 'http'}://{address}:{port}"

    async def _start_failed(self, status: JobStatus) -> Exception:
        message = f"Your server did not start: {explain(status)}."
        tail = await self._log_tail()
        if tail:
            message += f"\nThe end of its log:\n{tail}"
        error: Exception = failed(message, status.state.value)
        return error

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

    @property
    def page_assets(self) -> dict[str, str]:
        """What our templates load, by name."""
        return asset_urls(self.hub.base_url)

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """The stages so far, then each as it comes."""
        async for event in self.stages.events():
            yield event
