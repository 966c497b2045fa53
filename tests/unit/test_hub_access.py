"""A batch's token: in a file that is its owner's alone, made with little and revoked at will."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from nearfield.cli import run_command
from nearfield.errors import BlockedError, NearfieldError, UsageError
from nearfield.hub_access import (
    TOKEN_FILE,
    HubAccess,
    make_batch_token,
    revoke_batch_token,
)

SESSION = HubAccess("http://hub/hub/api", "session-secret", "http://hub/services/catalogue")


class Hub:
    def __init__(self, *answers: httpx.Response) -> None:
        self.answers, self.asked = list(answers), []  # type: ignore[var-annotated]

    def __call__(self, request: httpx.Request) -> httpx.Response:
        token = request.headers["Authorization"].removeprefix("Bearer ")
        self.asked.append((request.method, request.url.path, token, request.content))
        return self.answers.pop(0)

    @property
    def transport(self) -> httpx.MockTransport:
        return httpx.MockTransport(self)


def made_answer() -> httpx.Response:
    said = {"token": "batch-secret", "expires": 2e9, "scopes": ["a"]}
    return httpx.Response(201, json=said)


def make(file: Path, hub: Hub) -> Path:
    return make_batch_token(
        hours=5, note="night", file=file, access=SESSION, transport=hub.transport
    )


def test_made_used_and_revoked(tmp_path: Path) -> None:
    hub = Hub(made_answer(), httpx.Response(204))
    file = make(tmp_path / "new" / "token", hub)
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    method, path, token, body = hub.asked[0]
    assert (method, path, token) == ("POST", "/hub/nearfield/api/batch-token", "session-secret")
    assert json.loads(body) == {"hours": 5, "note": "night"}
    assert "session-secret" not in file.read_text()
    access = HubAccess.current({TOKEN_FILE: str(file), "JUPYTERHUB_API_TOKEN": "other"})
    assert (access.token, access.api_url) == ("batch-secret", SESSION.api_url)
    assert (access.catalogue_url, access.expires) == (SESSION.catalogue_url, 2e9)
    assert "secret" not in repr(access)
    revoke_batch_token(file, transport=hub.transport)
    assert hub.asked[1][:3] == ("DELETE", "/hub/nearfield/api/batch-token", "batch-secret")
    assert not file.exists()


def test_one_that_the_hub_has_forgotten_is_removed_and_else_it_stays(tmp_path: Path) -> None:
    unknown = httpx.Response(401, json={"message": "the hub does not know this token"})
    hub = Hub(made_answer(), httpx.Response(502, text="bad gateway"), unknown)
    file = make(tmp_path / "token", hub)
    with pytest.raises(BlockedError, match="http://hub/hub/api"):
        revoke_batch_token(file, transport=hub.transport)
    assert file.exists()
    revoke_batch_token(file, transport=hub.transport)
    assert not file.exists()


def test_nothing_is_overwritten_nor_left_with_nobody(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    hub = Hub()
    with pytest.raises(UsageError, match="is there already"):
        make(there, hub)
    assert hub.asked == []
    hub = Hub(made_answer(), httpx.Response(204))
    blocked = tmp_path / "a-file"
    blocked.write_text("")
    with pytest.raises(BlockedError, match="cannot be written"):
        make(blocked / "token", hub)
    assert [asked[:1] + asked[2:3] for asked in hub.asked] == [
        ("POST", "session-secret"),
        ("DELETE", "batch-secret"),
    ]


@pytest.mark.parametrize(
    ("status", "kind"), [(400, UsageError), (403, BlockedError), (404, BlockedError)]
)
def test_the_hubs_no_in_its_own_words(
    tmp_path: Path, status: int, kind: type[NearfieldError]
) -> None:
    hub = Hub(httpx.Response(status, json={"message": "words", "hint": "do"}))
    with pytest.raises(NearfieldError, match="words") as found:
        make(tmp_path / "token", hub)
    assert (type(found.value), found.value.hint) == (kind, "do")
    assert not (tmp_path / "token").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_file_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    file = make(tmp_path / "token", Hub(made_answer()))
    file.chmod(mode)
    with pytest.raises(BlockedError, match="others may read this token"):
        HubAccess.current({TOKEN_FILE: str(file)})


def test_what_is_no_token_file_is_not_used(tmp_path: Path) -> None:
    file = make(tmp_path / "token", Hub(made_answer()))
    link = tmp_path / "link"
    link.symlink_to(file)
    garbage = tmp_path / "garbage"
    garbage.touch(mode=0o600)
    for text in ("", "[]", "{}", "null", '{"format": "other"}'):
        garbage.write_text(text)
        with pytest.raises(BlockedError, match="garbage"):
            HubAccess.read(garbage)
    for path in (link, tmp_path / "nowhere", tmp_path):
        with pytest.raises(BlockedError):
            HubAccess.read(path)


def test_the_command_makes_a_file_and_says_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = Hub(made_answer(), httpx.Response(204))
    client = httpx.Client
    monkeypatch.setattr(
        httpx, "Client", lambda **said: client(**said | {"transport": hub.transport})
    )
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path))
    monkeypatch.setenv("JUPYTERHUB_API_URL", SESSION.api_url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", SESSION.token)
    assert run_command(["session", "batch-token", "--hours", "5", "--note", "night"]) == 0
    said = capsys.readouterr()
    file = Path(said.out.strip())
    assert file.parent == tmp_path / "tokens" and file.stat().st_mode & 0o777 == 0o600
    assert f"export {TOKEN_FILE}={file}" in said.err
    assert run_command(["session", "revoke-token", str(file)]) == 0
    said_then = capsys.readouterr()
    assert not file.exists()
    assert "secret" not in said.out + said.err + said_then.out + said_then.err
    assert run_command(["session", "revoke-token", str(file)]) == 3
    assert str(file) in capsys.readouterr().err
    monkeypatch.delenv("JUPYTERHUB_API_URL")
    assert run_command(["session", "batch-token"]) == 3
    assert "no hub" in capsys.readouterr().err
