"""The Unix account behind a user of the hub: at login, and at every start.

At login: ``c.Authenticator.post_auth_hook = check_login`` is the first, whatever the authenticator.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from jupyterhub import orm
from jupyterhub.crypto import CryptKeeper
from sqlalchemy.orm import object_session
from tornado import web

from nearfield.config import Config, IdentityConfig
from nearfield.errors import AccountError, NearfieldError
from nearfield.identity import ASK, account_of, check_account
from nearfield_spawners.live_config import LiveConfig

_KEPT = 10_000
_opened: OrderedDict[bytes, Mapping[str, Any] | None] = OrderedDict()


def auth_state_of(user: Any) -> Mapping[str, Any] | None:
    """What the authenticator said at the last login; None where it is not kept or not readable."""
    sealed = user.encrypted_auth_state
    if sealed is None:
        return None
    if sealed not in _opened:
        _opened[sealed] = _open(sealed)
        while len(_opened) > _KEPT:
            _opened.popitem(last=False)
    return _opened[sealed]


def _open(sealed: bytes) -> Mapping[str, Any] | None:
    keeper = CryptKeeper.instance()
    if not keeper.fernet:
        return None
    try:
        found = json.loads(keeper.fernet.decrypt(sealed).decode())
    except Exception:  # sealed with a key that is gone: as good as never said
        return None
    return found if isinstance(found, dict) else None


def account_of_user(user: Any, identity: IdentityConfig) -> str:
    """The account of a user, or of its row in the hub's database. Raises AccountError."""
    state = None if identity.claim == "username" else auth_state_of(user)
    return account_of(identity, user.name, state)


def check_unshared(session: Any, name: str, account: str, identity: IdentityConfig) -> None:
    """Two users of the hub must not share an account: the one who came first has it.

    Raises:
        AccountError: somebody else came first.
    """
    if identity.trivial:
        return  # names differ, so accounts do
    # Columns, not objects: a hub has thousands of users, and its event loop waits for this.
    asked = [orm.User.name]
    if identity.claim != "username":
        asked.append(orm.User.encrypted_auth_state)
    others = session.query(*asked).filter(orm.User.name != name)
    row = session.query(orm.User.id).filter(orm.User.name == name).first()
    if row is not None:
        others = others.filter(orm.User.id < row.id)
    for other in others:
        try:
            taken = account_of_user(other, identity)
        except AccountError:
            continue
        if taken == account:
            raise AccountError(
                f"the account {account!r} belongs to another user of this hub",
                hint=f"{ASK}: one of the two must be removed, or mapped elsewhere",
            )


def check_user(user: Any, row: Any, config: Config, cluster: str) -> str:
    """The account that a session of ``user`` on ``cluster`` runs as. Raises AccountError.

    ``row`` is any of the hub's database: its session is asked, a spawner's ``db`` is deprecated.
    """
    account = account_of_user(user, config.identity)
    check_account(account, config, cluster)
    check_unshared(object_session(row), user.name, account, config.identity)
    return account


def for_accounts(form: Callable[[Any], str]) -> Callable[[Any], str]:
    """A spawn form that tells whoever has no account so, in its place."""

    def shown(spawner: Any) -> str:
        try:
            return form(spawner)
        except AccountError as error:
            hint = f" Please {error.hint}." if error.hint and "identity." not in error.hint else ""
            return f"<p>{escape(f'No session can be started: {error.message}.{hint}')}</p>"

    return shown


def check_login(_authenticator: Any, handler: Any, auth_model: dict[str, Any]) -> dict[str, Any]:
    """A ``post_auth_hook`` for any authenticator: who has no account is told so at the door.

    But for the hub's administrators, who may have come for something else: a start tells them.
    """
    settings = handler.config.get("NearfieldSpawner", {})
    name = str(auth_model["name"])
    try:
        config = LiveConfig.of(str(settings.get("config_file", ""))).config
        account = account_of(config.identity, name, auth_model.get("auth_state"))
        check_account(account, config)
        check_unshared(handler.db, name, account, config.identity)
    except NearfieldError as error:
        if auth_model.get("admin"):
            return auth_model
        handler.log.warning("login of %r refused: %s", name, error)
        said = error.message if isinstance(error, AccountError) else "the hub is misconfigured"
        raise web.HTTPError(403, "%s", f"{said}. Please {ASK}.", reason=None) from error
    return auth_model
