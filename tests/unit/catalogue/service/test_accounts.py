"""Where accounts are not the hub's names, the hub says whose Unix account a token's user has."""

from __future__ import annotations

import httpx
import pytest

from nearfield.catalogue._hub_auth import HubAuthenticator
from nearfield.errors import CatalogueUnavailableError, DatasetNotPermittedError

SCOPES = ["access:services!service=catalogue"]


def authenticator(account: httpx.Response) -> HubAuthenticator:
    def hub(request: httpx.Request) -> httpx.Response:
        assert request.headers["Authorization"] == "Bearer t"
        if request.url.path == "/hub/api/nearfield/account":
            return account
        said = {"name": "smith", "kind": "user", "groups": [], "scopes": SCOPES}
        return httpx.Response(200, json=said)

    return HubAuthenticator(
        "http://hub/hub/api",
        transport=httpx.MockTransport(hub),
        groups_of=lambda name: frozenset({f"group-of-{name}"}),
        account_path="/nearfield/account",
    )


async def test_rights_are_those_of_the_account() -> None:
    asking = authenticator(httpx.Response(200, json={"account": "alice"}))
    principal = await asking.principal("token t")
    assert (principal.name, principal.groups) == ("alice", frozenset({"group-of-alice"}))
    await asking.aclose()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (httpx.Response(403, json={"message": "no"}), DatasetNotPermittedError),
        (httpx.Response(404, text="?"), CatalogueUnavailableError),
        (httpx.Response(200, json={}), CatalogueUnavailableError),
        (httpx.Response(200, json={"account": 7}), CatalogueUnavailableError),
    ],
)
async def test_without_an_account_nobody_sees_anything(
    answer: httpx.Response, error: type[Exception]
) -> None:
    asking = authenticator(answer)
    with pytest.raises(error):
        await asking.principal("token t")
    await asking.aclose()
