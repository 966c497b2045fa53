"""``GET datasets?text=&pids=&limit=&cursor=``: what the user may see in the catalogue."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from nearfield.catalogue import ServiceCatalogue
from nearfield.datasets import Pid
from nearfield.querying import Query
from nearfield_spawners.hub_api.handler import PageHandler, RefusedError
from nearfield_spawners.hub_api.models import DatasetsAnswer
from nearfield_spawners.plan import user_catalogue
from nearfield_spawners.user_tokens import catalogue_token, service_scope


class DatasetsAsked(BaseModel):
    """The query. ``pids`` names datasets, ``text`` searches; not both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: Annotated[str, StringConstraints(max_length=500)] = ""
    pids: tuple[Pid, ...] = Field(default=(), max_length=200)
    limit: Annotated[int, Field(ge=1, le=100)] = 25
    cursor: Annotated[int, Field(ge=0, le=10**9)] = 0


class DatasetsHandler(PageHandler):
    """Asks the catalogue service as the user whose session it is for."""

    async def get(self) -> None:
        spawner = self.user_spawner(catalogue=True)
        asked = self._asked()
        catalogue = catalogue_for(spawner)
        try:
            self.answer(await find(catalogue, asked))
        finally:
            await catalogue.aclose()

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


def catalogue_for(spawner: Any) -> ServiceCatalogue:
    """The catalogue with the rights of the spawner's user. Raises RefusedError, BlockedError."""
    config = spawner.live.config
    return user_catalogue(config, token_for(spawner))


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
    query = Query(text=asked.text, limit=asked.limit, offset=asked.cursor)
    page = await catalogue.summaries(query)
    after = asked.cursor + len(page.datasets)
    more = bool(page.datasets) and after < page.total
    return DatasetsAnswer(
        datasets=page.datasets, next=str(after) if more else None, total=page.total
    )
