"""``POST plan``: what would happen if these options were started now. Nothing is started."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from nearfield.config import Config, ProfileConfig
from nearfield.datasets import DatasetFiles
from nearfield.errors import NearfieldError
from nearfield.placement import Placement, place_all
from nearfield.profiles import usable, with_choices
from nearfield.scheduler.jobspec import Chosen, DatasetLink, JobSpec
from nearfield.scheduler.sessions import session_spec
from nearfield_spawners.cards import CARDS, made_for_others, techniques_of
from nearfield_spawners.catalogues import foreign
from nearfield_spawners.hub_api.datasets import token_for
from nearfield_spawners.hub_api.handler import PageHandler, RefusedError
from nearfield_spawners.hub_api.models import (
    Alternative,
    PlanAnswer,
    Problem,
    RightShown,
    StartShown,
)
from nearfield_spawners.identity import check_user
from nearfield_spawners.limits import check_limits, seats_of
from nearfield_spawners.options import OptionsRefusedError, SpawnOptions, parse_options
from nearfield_spawners.plan import (
    chosen_at,
    find_datasets,
    find_techniques,
    links_for,
    pick_place,
    pick_profile,
)
from nearfield_spawners.rights import ADVICE, Right, not_bound, rights_of

ALTERNATIVES = 5
WAITING = 5
"""Plans of one user that may be asked for at a time; they are made one after the other."""
ESTIMATED = 3
"""So many alternatives come with an estimate; each may be one more question to the scheduler."""


class PlanHandler(PageHandler):
    """The same checks in the same order as a start, but all problems at once."""

    async def post(self) -> None:
        spawner = self.user_spawner()
        options = self.body()
        if not isinstance(options, dict):
            raise RefusedError(400, "the body must be an object with the spawn options")
        if options.get("datasets"):
            self.user_spawner(catalogue=True)
        server = self.get_query_argument("server", "")
        async with _one_at_a_time(spawner.account):
            self.answer(await Planner(spawner, server).plan(options))


_planning: dict[str, tuple[asyncio.Lock, int]] = {}


@asynccontextmanager
async def _one_at_a_time(user: str) -> AsyncIterator[None]:
    """A plan costs a process as the user. Raises RefusedError where too many wait already."""
    lock, waiting = _planning.get(user, (asyncio.Lock(), 0))
    if waiting >= WAITING:
        raise RefusedError(429, "too many plans are being made for you", "wait for the answers")
    _planning[user] = (lock, waiting + 1)
    try:
        async with lock:
            yield
    finally:
        left = _planning.pop(user)[1] - 1
        if left:
            _planning[user] = (lock, left)


class Planner:
    """Plans for one server of a user; collects what goes wrong on the way.

    ``server`` is its name: it need not exist, and is not made.
    """

    def __init__(self, spawner: Any, server: str = "") -> None:
        self.spawner = spawner
        self.server = server
        self.config: Config = spawner.site
        self.problems: list[Problem] = []

    async def plan(self, given: dict[str, Any]) -> PlanAnswer:
        """The plan for these spawn options."""
        try:
            options = parse_options(given)
        except OptionsRefusedError as error:
            self.problems += [
                Problem(field=name, message=why, hint=error.hint)
                for name, why in error.fields.items()
            ]
            return PlanAnswer(problems=tuple(self.problems))
        try:
            profile = pick_profile(self.config, self.spawner.principal, options)
        except NearfieldError as error:
            self._problem("profile", error)
            return PlanAnswer(problems=tuple(self.problems))
        self._seat(profile)
        datasets = await self._datasets(options)
        profiles = usable(self.config, self.spawner.principal)
        looks = await self.spawner.live.looks(*profiles.values()) if datasets else {}
        try:
            chosen, placement = pick_place(self.config, profile, options, datasets, looks)
        except NearfieldError as error:
            self._hardware_problems(profile, options, error)
            return PlanAnswer(profile=profile, problems=tuple(self.problems))
        where = PlanAnswer(
            profile=profile,
            hardware=placement.hardware,
            near=placement.near,
            reason=placement.reason,
            bytes_near=placement.bytes_near,
            bytes_far=placement.bytes_far,
        )
        try:
            # Nothing below is asked in the name of an account that is another person's.
            check_user(self.spawner.user, self.spawner.orm_spawner, self.config, placement.cluster)
        except NearfieldError as error:
            self._problem("account", error)
            return where.model_copy(update={"problems": tuple(self.problems)})
        links = self._links(profile, datasets)
        rights = await self._rights(placement.cluster, links, datasets)
        start = await self._start(profile, chosen, told=True)
        fitting = await self._fitting(profiles, profile, [dataset.pid for dataset in datasets])
        others = [
            (name, other)
            for name, other in place_all(self.config, fitting, datasets, looks)
            if (name, other.hardware) != (profile, placement.hardware)
        ][:ALTERNATIVES]
        return where.model_copy(
            update={
                "alternatives": await self._alternatives(others),
                "rights": tuple(RightShown.of(right) for right in rights),
                "start": start,
                "notes": tuple(not_bound(self.config, profile, datasets)),
                "problems": tuple(self.problems),
            }
        )

    def _problem(self, field: str, error: NearfieldError, pid: str | None = None) -> None:
        self.problems.append(Problem(field=field, message=error.message, hint=error.hint, pid=pid))

    def _seat(self, profile: str) -> None:
        """Would a start of this server be one session too many?"""
        servers = self.spawner.user.spawners
        taken = seats_of(servers.values(), but=servers.get(self.server))
        try:
            check_limits(self.config, self.server, profile, taken)
        except NearfieldError as error:
            self._problem("profile", error)

    def _hardware_problems(
        self, profile: str, options: SpawnOptions, error: NearfieldError
    ) -> None:
        """Each value that does not fit under its own name, or the hardware itself."""
        entry = self.config.profiles[profile]
        before = len(self.problems)
        if options.hardware in {None, *entry.hardware}:
            hardware = self.config.hardware[options.hardware or entry.hardware[0]]
            for name, value in options.values.items():
                try:
                    with_choices(hardware, {name: value})
                except NearfieldError as found:
                    self._problem(name, found)
        if len(self.problems) == before:
            self._problem("hardware", error)

    async def _datasets(self, options: SpawnOptions) -> tuple[DatasetFiles, ...]:
        found: list[DatasetFiles] = []
        token = token_for(self.spawner) if options.datasets else ""
        for pid in options.datasets:
            try:
                found += await find_datasets(self.config, [pid], token, **foreign(self.spawner))
            except NearfieldError as error:
                self._problem("datasets", error, pid)
        return tuple(found)

    def _links(self, profile: str, datasets: Sequence[DatasetFiles]) -> tuple[DatasetLink, ...]:
        links: list[DatasetLink] = []
        for dataset in datasets:
            try:
                links += links_for(self.config, profile, [dataset])
            except NearfieldError as error:
                self._problem("datasets", error, dataset.pid)
        return tuple(links)

    async def _rights(
        self, cluster: str, links: Sequence[DatasetLink], datasets: Sequence[DatasetFiles]
    ) -> tuple[Right, ...]:
        user = self.spawner.account
        try:
            rights = await rights_of(self.spawner.live.scheduler(cluster), user, links, datasets)
        except NearfieldError as error:
            self._problem("datasets", error)
            return ()
        for right in rights:
            if right.answer == "no":
                self.problems.append(
                    Problem(
                        field="datasets",
                        message=f"dataset {right.pid}: {right.reason}",
                        hint=ADVICE,
                        pid=right.pid,
                    )
                )
        return rights

    async def _start(self, profile: str, chosen: Chosen, *, told: bool) -> StartShown | None:
        """When it would start. What the scheduler would refuse is a problem, if ``told``."""
        spec = self._spec(profile, chosen)
        live = self.spawner.live
        look = await live.availability(spec.cluster).look()
        if look.message:
            return None  # it does not answer: nobody should wait for it once more
        estimate = await live.estimates.of(live.scheduler(spec.cluster), spec, look.told)
        if estimate.refused and told:
            self.problems.append(Problem(field="hardware", message=estimate.refused))
        return StartShown.of(estimate.start)

    def _spec(self, profile: str, chosen: Chosen) -> JobSpec:
        # Without links, environment and callback: none of them changes when a job starts.
        return session_spec(
            self.config,
            name=f"nearfield-{secrets.token_hex(8)}",
            user=self.spawner.account,
            profile_name=profile,
            chosen=chosen,
        )

    async def _fitting(
        self, profiles: Mapping[str, ProfileConfig], chosen: str, pids: Sequence[str]
    ) -> dict[str, ProfileConfig]:
        """Without those whose environment is made for other data; the chosen one stays."""
        if not pids or len(profiles) < 2:
            return dict(profiles)
        try:
            token = token_for(self.spawner)
            techniques = await find_techniques(self.config, pids, token)
        except NearfieldError:
            return dict(profiles)  # it was there a moment ago; a plan does not fail for this
        environments = self.config.environments
        names = sorted({profile.environment for profile in profiles.values()})
        cards = await CARDS.of((name, environments[name]) for name in names)
        others = {
            name
            for name in names
            if made_for_others(techniques_of(environments[name], cards[name]), techniques)
        }
        return {
            name: profile
            for name, profile in profiles.items()
            if name == chosen or profile.environment not in others
        }

    async def _alternatives(
        self, others: Sequence[tuple[str, Placement]]
    ) -> tuple[Alternative, ...]:
        async def start(number: int, name: str, placement: Placement) -> StartShown | None:
            if number >= ESTIMATED:
                return None
            return await self._start(name, chosen_at(placement, {}), told=False)

        starts = await asyncio.gather(
            *(start(number, name, other) for number, (name, other) in enumerate(others))
        )
        return tuple(
            Alternative(
                profile=name,
                hardware=other.hardware,
                near=other.near,
                bytes_far=other.bytes_far,
                start=begins,
                reason=other.reason,
            )
            for (name, other), begins in zip(others, starts, strict=True)
        )
