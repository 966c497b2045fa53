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
from typing import Any

from traitlets import default

from nearfield.errors import (
    NearfieldError,
    SpecRefusedError,
    SubmitError,
)
from nearfield.scheduler import JobId
from nearfield.scheduler.policy import ENVIRONMENT
from nearfield.scheduler.sessions import session_spec
from nearfield_spawners import metrics
from nearfield_spawners.assets import asset_urls
from nearfield_spawners.callback import ROUTE, token_digest
from nearfield_spawners.catalogues import foreign
from nearfield_spawners.certificates import certificate_texts, node_alt_names
from nearfield_spawners.form import options_form
from nearfield_spawners.identity import check_user, for_accounts
from nearfield_spawners.image_facts import ask_for_image, default_url
from nearfield_spawners.leftover_table import leftovers_of
from nearfield_spawners.limits import Seat, check_limits, seats_of
from nearfield_spawners.logs import adopt, event
from nearfield_spawners.options import from_form, parse_options
from nearfield_spawners.plan import Plan, find_datasets, links_for, pick_place, pick_profile
from nearfield_spawners.refusal import refusal
from nearfield_spawners.rights import check_rights, not_bound
from nearfield_spawners.stages import StageName, Stages
from nearfield_spawners.starting import Starting


async def _apply(spawner: NearfieldSpawner, options: dict[str, Any]) -> None:
    await spawner.make_plan(options)


class NearfieldSpawner(Starting):
    """Starts sessions from the profiles of ``nearfield.yaml``."""

    ssl_alt_names: Any

    def __init__(self, **kwargs: Any) -> None:
        self._plan: Plan | None = None
        self._learning: asyncio.Task[None] | None = None
        self._planned_profile = ""
        self.stages = Stages()
        super().__init__(**kwargs)
        adopt(self.log)
        self.leftovers = leftovers_of(self.orm_spawner, self.config_file)

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
        self.stage(StageName.RIGHTS, "Checking rights")
        try:
            config = self.site
            chosen = parse_options(options)
            profile = pick_profile(config, self.principal, chosen)
            taken = seats_of(self.user.spawners.values(), but=self)
            check_limits(config, self.name, profile, taken)
            self._planned_profile = profile  # the seat is ours before anything is awaited
            datasets = await find_datasets(config, chosen.datasets, self.api_token, **foreign(self))
            links = links_for(config, profile, datasets)
            looks = await self.live.looks(config.profiles[profile]) if datasets else {}
            given, placement = pick_place(config, profile, chosen, datasets, looks)
            check_user(self.user, self.orm_spawner, config, placement.cluster)
            scheduler = self.live.scheduler(placement.cluster)
            undecided = await check_rights(scheduler, self.account, links, datasets)
        except NearfieldError as error:
            known, self._planned_profile = self._planned_profile, ""
            raise self._refused(error, known) from error
        if datasets:
            self.stage(StageName.PLACED, f"Placed {placement.reason}")
        for missed in not_bound(config, profile, datasets):
            self.stage(StageName.PLACED, f"Note: {missed}")
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
        self.last_ending = None
        self.profile_name, self.cluster_name = plan.profile, plan.cluster
        self.hardware_name, self.account_name = plan.chosen.hardware, self.account
        try:
            await self.submit_with(lambda: self._submit(plan))
        except NearfieldError as error:
            if isinstance(error, SubmitError | SpecRefusedError):
                self.job_name = ""  # a clear no: there is no job to look for
            raise self._refused(error, plan.profile) from error
        number = self.job.number if self.job else "?"
        self.stage(StageName.SUBMITTED, f"Submitted as job {number}")
        return await self._server_url()

    async def _submit(self, plan: Plan) -> JobId:
        """Name a job, save the name, and only then hand it to the scheduler."""
        self.job_id = ""
        self.job_name = f"nearfield-{secrets.token_hex(8)}"
        self.callback_digest = token_digest(self.api_token)
        self.started_at = time.time()
        self.ends_at = 0.0
        self.reported_port, self.host, self.image = 0, "", {}
        self._port_reported.clear()
        self._first_word, self._said = None, []
        self.save_now()
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
            self.stage(StageName.IMAGE, "Verifying the image's signature")
        return await self.live.scheduler(plan.cluster).submit(spec)

    def _refused(self, error: NearfieldError, profile: str) -> Exception:
        told = refusal(error)
        metrics.failed(profile, told.reason)
        event(self.log, "refused", **self._who(), reason=told.reason, why=error.message)
        return told

    async def _environment(self, profile: str) -> dict[str, str]:
        env = self._job_environment()
        if self.internal_ssl:
            env |= await certificate_texts(self.cert_paths)
        site = self.site
        if url := await default_url(site.environments[site.profiles[profile].environment]):
            env["JUPYTERHUB_DEFAULT_URL"] = url
        return env

    def listening(self) -> None:
        if job := self.job:
            self._learning = asyncio.create_task(self._learn_image(job, self.job_name))

    async def _learn_image(self, job: JobId, name: str) -> None:
        found = await ask_for_image(self._scheduler(), job, name)
        if found and self.job_name == name:
            self.image = found
            self.save_now()
            for warning in found["warnings"]:
                self.log.warning("%s: %s", self._log_name, warning)
                self.stage(StageName.READY, f"Note: {warning}")

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

    @property
    def page_assets(self) -> dict[str, str]:
        """What our templates load, by name."""
        return asset_urls(self.hub.base_url)
