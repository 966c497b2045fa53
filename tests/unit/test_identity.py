"""Which Unix account a person of the hub has, and which accounts are nobody's."""

from __future__ import annotations

import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.config import Config, IdentityConfig, parse_config
from nearfield.config.identity import read_map
from nearfield.errors import AccountError, ConfigError
from nearfield.identity import account_of, check_account

STATE = {
    "access_token": "s3cret",
    "eppn": "Alice@Site.example",
    "oauth_user": {"preferred_username": "alice", "deep": {"er": "alice2"}, "groups": ["x"]},
}


@pytest.mark.parametrize(
    ("identity", "account"),
    [
        ({}, "smith"),
        ({"claim": "oauth_user.preferred_username"}, "alice"),
        ({"claim": "preferred_username"}, "alice"),
        ({"claim": "deep.er"}, "alice2"),
        ({"claim": "eppn", "lower": True, "domain": "site.example"}, "alice"),
        ({"claim": "eppn", "map": {"Alice@Site.example": "a_smith"}}, "a_smith"),
        ({"map": {"smith": "alice"}}, "alice"),
    ],
)
def test_the_account(identity: dict[str, Any], account: str) -> None:
    assert account_of(IdentityConfig.model_validate(identity), "smith", STATE) == account


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        ({"claim": "sub"}, "does not say 'sub'"),
        ({"claim": "groups"}, "does not say"),
        ({"claim": "oauth_user"}, "does not say"),
        ({"claim": "preferred_username.x"}, "does not say"),
        ({"claim": "eppn"}, "no name of an account"),
        ({"claim": "eppn", "domain": "evil.example"}, "not of the domain"),
        ({"claim": "preferred_username", "domain": "site.example"}, "not of the domain"),
        ({"map": {"jones": "jones"}}, "no account here for your username 'smith'"),
        ({"map": "/nosuch/map.yaml"}, "cannot be read"),
    ],
)
def test_no_account(identity: dict[str, Any], words: str) -> None:
    with pytest.raises(AccountError, match=words) as caught:
        account_of(IdentityConfig.model_validate(identity), "smith", STATE)
    assert caught.value.hint
    assert "s3cret" not in str(caught.value)


def test_without_auth_state_nobody_is_anybody() -> None:
    with pytest.raises(AccountError, match="any more") as caught:
        account_of(IdentityConfig(claim="preferred_username"), "smith", None)
    assert caught.value.hint == "log out and log in again"


@given(st.text(max_size=40))
def test_whatever_the_provider_says_an_account_is_a_plain_name(said: str) -> None:
    for identity in (IdentityConfig(claim="c"), IdentityConfig(claim="c", lower=True, domain="d")):
        try:
            account = account_of(identity, "x", {"c": said})
        except AccountError:
            continue
        assert account.isascii()
        assert account[0].isalpha() or account[0] == "_"
        assert set(account) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-")


def test_a_map_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "map.yaml"
    identity = IdentityConfig(map=path)
    path.write_text("smith: alice\n'07': bob\n")
    assert account_of(identity, "smith", None) == "alice"
    assert account_of(identity, "07", None) == "bob"
    for wrong in (
        "smith: alice\njones: alice\n",
        "- smith\n",
        "smith: 7\n",
        "a: [",
        "smith: root x\n",
    ):
        path.write_text(wrong)
        with pytest.raises(AccountError) as caught:
            account_of(identity, "smith", None)
        assert "identity.map" in str(caught.value.hint) or "no name" in caught.value.message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{map: {smith: alice, jones: alice}}", "'smith' and 'jones' both have account 'alice'"),
        ("{map: {smith: 'root;id'}}", "map"),
        ("{map: relative.yaml}", "map"),
        ("{claim: 'a..b'}", "claim"),
        ("{claims: x}", "claims"),
    ],
)
def test_no_identity(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        parse_config(f"identity: {text}")


def config(**cluster: Any) -> Config:
    text = {"scheduler": "slurm", "submitter": "sudo", "launcher": "/l"} | cluster
    return parse_config(f"clusters: {{lab: {text}, local: {{scheduler: local}}}}")


SSH = {"submitter": "ssh", "ssh": {"host": "h", "user": "g", "key": "/k", "known_hosts": "/h"}}


def test_system_accounts_and_missing_ones() -> None:
    with pytest.raises(AccountError, match=r"'daemon' is a system account \(uid 1\)"):
        check_account("daemon", config(), "lab")
    with pytest.raises(AccountError, match="no account 'nosuchuser'"):
        check_account("nosuchuser", config())
    # The submit host knows who there is; a system account known here is one everywhere.
    check_account("nosuchuser", config(**SSH))
    with pytest.raises(AccountError, match="system account"):
        check_account("root", config(**SSH))
    check_account(pwd.getpwuid(os.getuid()).pw_name, config(), "local")


@pytest.mark.parametrize(
    "identity", [{"lower": True}, {"domain": "site.example"}, {"lower": True, "map": {"karl": "k"}}]
)
def test_letters_of_other_alphabets_are_not_folded(identity: dict[str, Any]) -> None:
    """The lower case of the Kelvin sign is the letter k of somebody else's name."""
    with pytest.raises(AccountError, match="letters other than a-z"):
        account_of(IdentityConfig.model_validate(identity), "\u212aarl@site.example", None)
    exact = IdentityConfig.model_validate({"map": {"Zo\u00eb": "zoe"}})
    assert account_of(exact, "Zo\u00eb", None) == "zoe"


def test_a_map_is_read_once_for_all_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "map.yaml"
    path.write_text("smith: alice\njones: bob\n")
    identity = IdentityConfig.model_validate({"map": str(path)})
    reads: list[Path] = []
    monkeypatch.setattr(
        "nearfield.identity.read_map", lambda file: reads.append(file) or read_map(file)
    )
    assert [account_of(identity, n, None) for n in ("smith", "jones", "smith")] == [
        *("alice", "bob", "alice")
    ]
    path.write_text("smith: carol\n# longer than it was\n")
    assert account_of(identity, "smith", None) == "carol"
    assert reads == [path, path]
