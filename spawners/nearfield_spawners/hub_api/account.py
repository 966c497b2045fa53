"""``GET account``: the asking user's Unix account."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from jupyterhub.apihandlers import APIHandler
from pydantic import BaseModel
from tornado import web

from nearfield.errors import AccountError
from nearfield_spawners.identity import account_of_user, check_unshared


class AccountShown(BaseModel):
    """``{"account": "alice"}``."""

    account: str


class AccountHandler(APIHandler):  # type: ignore[misc]
    """For the catalogue service, which shows what the account may see, with the user's token."""

    def get(self) -> None:
        user: Any = self.current_user
        if user is None or isinstance(user, orm.Service) or not hasattr(user, "spawner"):
            raise web.HTTPError(403, "this needs the token of a user")
        identity = user.spawner.live.config.identity
        try:
            account = account_of_user(user, identity)
            check_unshared(self.db, user.name, account, identity)
        except AccountError as error:
            raise web.HTTPError(403, "%s", error.message) from error
        self.set_header("Cache-Control", "no-store")
        self.finish(AccountShown(account=account).model_dump_json())
