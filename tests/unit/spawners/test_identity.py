"""The account behind a user of the hub's database, at login and at a start."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import crypto, orm
from tornado import web
from traitlets.config import Config as Traits

from nearfield.config import Config, parse_config
from nearfield.errors import AccountError
from nearfield_spawners import identity

KEY = b"k" * 32


@pytest.fixture
def session() -> Iterator[Any]:
    made = orm.new_session_factory("sqlite:///:memory:")()
    yield made
    made.close()
    made.get_bind().dispose()


@pytest.fixture(autouse=True)
def keeper(monkeypatch: pytest.MonkeyPatch) -> crypto.CryptKeeper:
    made = crypto.CryptKeeper(keys=[KEY], n_threads=1)
    monkeypatch.setattr(crypto.CryptKeeper, "instance", classmethod(lambda _cls: made))
    return made


@pytest.fixture
def add(session: Any, keeper: Any) -> Any:
    def make(name: str, claim: str | None = None) -> orm.User:
        row = orm.User(name=name)
        if claim is not None:
            row.encrypted_auth_state = keeper.fernet.encrypt(json.dumps({"c": claim}).encode())
        session.add(row)
        session.commit()
        return row

    return make


CLAIM = parse_config("{identity: {claim: c}, clusters: {local: {scheduler: local}}}")


SITE = """
environments: {e: {}}
hardware: {h: {cluster: lab}}
profiles: {p: {environment: e, hardware: h}}
"""


def check(row: orm.User, session: Any, config: Config = CLAIM) -> str:
    assert row in session
    return identity.check_user(row, row, config, "local")


def test_who_came_first_has_the_account(session: Any, add: Any) -> None:
    first, second, third = add("a-1", "alice"), add("b-2", "alice"), add("c-3", "carol")
    assert check(first, session) == "alice"
    assert check(third, session) == "carol"
    with pytest.raises(AccountError, match="'alice' belongs to another user"):
        check(second, session)
    session.delete(first)
    session.commit()
    assert check(second, session) == "alice"


def test_without_identity_a_name_is_an_account(session: Any, add: Any) -> None:
    plain = parse_config("{}")
    add("bob", "alice")
    assert check(add("alice"), session, plain) == "alice"


def test_lower_case_can_make_two_of_one(session: Any, add: Any) -> None:
    lower = parse_config("identity: {lower: true}")
    add("alice")
    with pytest.raises(AccountError, match="belongs to another"):
        check(add("Alice"), session, lower)


def test_auth_state_that_cannot_be_opened_names_nobody(session: Any, add: Any) -> None:
    row = add("a-1")
    with pytest.raises(AccountError, match="any more"):
        check(row, session)
    row.encrypted_auth_state = b"sealed with another key"
    with pytest.raises(AccountError, match="any more"):
        check(row, session)


@pytest.fixture
def login(session: Any, tmp_path: Path) -> Any:
    path = tmp_path / "nearfield.yaml"

    def attempt(
        name: str, auth_state: Any = None, text: str | None = None, admin: bool = False
    ) -> Any:
        path.write_text(
            text or SITE + "identity: {claim: c}\nclusters: {lab: {scheduler: local}}\n"
        )
        traits = Traits({"NearfieldSpawner": {"config_file": str(path)}})
        handler = SimpleNamespace(config=traits, db=session, log=logging.getLogger("test"))
        return identity.check_login(
            None, handler, {"name": name, "auth_state": auth_state, "admin": admin}
        )

    return attempt


def test_a_login_with_an_account(login: Any, add: Any) -> None:
    assert login("a-1", {"c": "alice"})["name"] == "a-1"
    add("a-1", "alice")
    assert login("a-1", {"c": "alice"})["name"] == "a-1"


def test_a_login_without_one_is_refused_with_the_reason(login: Any, add: Any) -> None:
    add("a-1", "alice")
    for name, state, words in (
        ("b-2", {"c": "alice"}, "'alice' belongs to another user"),
        ("b-2", {"c": "../x"}, "no name of an account"),
        ("b-2", {}, "who you are"),
        ("b-2", {"d": 1}, "does not say 'c'"),
    ):
        with pytest.raises(web.HTTPError, match=words) as caught:
            login(name, state)
        assert caught.value.status_code == 403
    slurm = SITE + "clusters: {lab: {}}\n"
    with pytest.raises(web.HTTPError, match="system account"):
        login("daemon", None, slurm)
    with pytest.raises(web.HTTPError, match="no account 'nosuchuser'"):
        login("nosuchuser", None, slurm)


def test_an_administrator_without_an_account_may_administer(login: Any) -> None:
    assert login("root", None, admin=True)["name"] == "root"


def test_the_form_says_why_there_is_none() -> None:
    def form(_spawner: object) -> str:
        raise AccountError("there is no account here for '<b>'", hint="ask somebody")

    shown = identity.for_accounts(form)(None)
    assert "&lt;b&gt;" in shown
    assert "Please ask somebody." in shown
    assert identity.for_accounts(lambda _: "<form>")(None) == "<form>"


def test_nobody_takes_the_hubs_name_for_an_account() -> None:
    """What needs the account asks ``account``; these need the hub's name: messages and scopes."""
    package = Path(identity.__file__).parent
    named = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if re.search(r"\buser\.name\b", path.read_text())
    }
    assert named <= {
        "identity.py",
        "hub_api/account.py",
        "hub_api/datasets.py",
        "hub_api/handler.py",
        "hub_api/tokens.py",  # scopes, and lines of the log
        "life.py",  # lines of the log
    }
