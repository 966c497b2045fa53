"""``GET datasets?text=&pids=&limit=&cursor=``: what the user may see in the catalogue."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from nearfield.catalogue import FederatedCatalogue, ServiceCatalogue
from nearfield.datasets import Dataset, Pid
from nearfield.errors import CatalogueError
from nearfield.querying import DatasetSummary, Query, summary_of
from nearfield.querying.language import parse
from nearfield.querying.pids import is_explicit, pid_asked_for
from nearfield_spawners.catalogues import all_of, foreign, home_of, why_not
from nearfield_spawners.hub_api.handler import PageHandler, RefusedError
from nearfield_spawners.hub_api.models import DatasetsAnswer
from nearfield_spawners.user_tokens import catalogue_token, service_scope

MAX_ELSEWHERE = 20
"""So many of the PIDs that the home does not have are looked for in the other catalogues."""


class DatasetsAsked(BaseModel):
    """The query. ``pids`` names datasets, ``text`` searches; not both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, StringConstraints(max_length=500)] = ""
    pids: tuple[Pid, ...] = Field(default=(), max_length=200)
    limit: Annotated[int, Field(ge=1, le=100)] = 25
    cursor: Annotated[str, StringConstraints(max_length=8000)] | None = None


class DatasetsHandler(PageHandler):
    """Asks the catalogue service as the user whose session it is for."""

    async def get(self) -> None:
        spawner = self.user_spawner(catalogue=True)
        asked = self._asked()
        config = spawner.live.config
        home = home_of(config, token_for(spawner))
        others = foreign(spawner)
        everywhere = all_of(config, home, **others) if others else None
        try:
            if everywhere is None:
                self.answer(await find(home, asked))
            else:
                self.answer(await find_everywhere(home, everywhere, asked))
        finally:
            await (everywhere or home).aclose()

    def _asked(self) -> DatasetsAsked:
        said: dict[str, Any] = {}
        for name in self.request.query_arguments:
            values = self.get_query_arguments(name)
            if name == "pids":
                said["pids"] = list(dict.fromkeys(p for value in values for p in value.split()))
            elif name not in {"_xsrf", "user"} and values[-1] != "":
                said[name] = values[-1]
        try:
            return DatasetsAsked.model_validate(said)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise RefusedError(
                400, f"{field}: {first['msg']}", "the parameters are: text, pids, limit, cursor"
            ) from None


def token_for(spawner: Any) -> str:
    """The hub's own short-lived token of the user's. Raises RefusedError."""
    config = spawner.live.config
    try:
        return catalogue_token(spawner.user, config)
    except ValueError as error:
        spawner.log.warning("no catalogue token for %s: %s", spawner.user.name, error)
        raise RefusedError(
            403,
            f"the user {spawner.user.name} lacks the scope {service_scope(config)}",
            "the hub's role 'user' must have it (docs/how-to/install.md)",
        ) from None


async def find(catalogue: ServiceCatalogue, asked: DatasetsAsked) -> DatasetsAnswer:
    """The page that was asked for. PIDs that the user may not see are left out."""
    if asked.pids:
        page = await catalogue.summaries(Query(limit=len(asked.pids)), asked.pids)
        order = {pid: number for number, pid in enumerate(asked.pids)}
        shown = sorted(page.datasets, key=lambda dataset: order.get(dataset.pid, len(order)))
        return DatasetsAnswer(datasets=tuple(shown), next=None, total=page.total)
    query = parse(asked.text).model_copy(update={"limit": asked.limit, "cursor": asked.cursor})
    if (pid := pid_asked_for(query)) is not None and not asked.cursor:
        named = await catalogue.summaries(Query(limit=1), [pid])
        if named.datasets or is_explicit(query):
            return DatasetsAnswer(datasets=named.datasets, next=None, total=len(named.datasets))
    page = await catalogue.summaries(query)
    return DatasetsAnswer(
        datasets=page.datasets, next=page.next, total=page.total, total_exact=page.total_exact
    )


async def find_everywhere(
    home: ServiceCatalogue, everywhere: FederatedCatalogue, asked: DatasetsAsked
) -> DatasetsAnswer:
    """The same over all catalogues; what cannot be chosen for a session is shown with the reason.

    Raises:
        QuerySyntaxError: the text cannot be understood.
    """
    if asked.pids:
        at_home = await find(home, asked)
        known = {dataset.pid for dataset in at_home.datasets}
        rest = [pid for pid in asked.pids if pid not in known][:MAX_ELSEWHERE]
        found = [one for one in await asyncio.gather(*(_one(everywhere, p) for p in rest)) if one]
        both = at_home.datasets + _summaries(found)
        return DatasetsAnswer(
            datasets=both, next=None, total=len(both), unusable=_unusable(found, home.name)
        )
    query = parse(asked.text).model_copy(update={"limit": asked.limit, "cursor": asked.cursor})
    page = await everywhere.search(query)
    return DatasetsAnswer(
        datasets=_summaries(page.datasets),
        next=page.next,
        total=page.total,
        total_exact=page.total_exact,
        unusable=_unusable(page.datasets, home.name),
        sources=page.sources,
    )


async def _one(everywhere: FederatedCatalogue, pid: str) -> Dataset | None:
    try:
        return await everywhere.get(pid)
    except CatalogueError:
        return None  # left out, as what is not there


def _summaries(datasets: Sequence[Dataset]) -> tuple[DatasetSummary, ...]:
    now = datetime.now(UTC)
    return tuple(summary_of(dataset, now) for dataset in datasets)


def _unusable(datasets: Sequence[Dataset], home: str) -> dict[str, str]:
    reasons = {dataset.pid: why_not(dataset, home) for dataset in datasets}
    return {pid: reason for pid, reason in reasons.items() if reason}
