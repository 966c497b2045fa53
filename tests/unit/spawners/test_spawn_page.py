"""A link fills in the form; it starts nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jupyterhub.handlers import default_handlers
from jupyterhub.handlers.pages import SpawnHandler
from tornado.web import HTTPError

from nearfield_spawners import assets
from nearfield_spawners.assets import AssetHandler, asset_urls, manifest
from nearfield_spawners.spawn_page import SpawnPageHandler, options_of_link


def test_the_options_of_a_link() -> None:
    query = {"opt-dataset": [b"p-1", b"p-2"], "opt-profile": [b"small"], "opt-cores": [b"4"]}
    own = {"next": [b"/hub/home"], "_xsrf": [b"t"], "display_name": [b"x"]}
    assert options_of_link(query | own) == {
        "datasets": ["p-1", "p-2"],
        "profile": "small",
        "cores": 4,
    }


def test_what_is_no_text_does_no_harm() -> None:
    assert options_of_link({"opt-profile": [b"\xff\xfe"]}) == {"profile": "\ufffd\ufffd"}


@pytest.mark.parametrize("path", ["/spawn", "/spawn/alice", "/spawn/alice/second"])
def test_our_page_answers_before_jupyterhubs(path: str) -> None:
    first = next(rule[1] for rule in default_handlers if re.fullmatch(rule[0], path))
    assert first is SpawnPageHandler
    assert issubclass(first, SpawnHandler)


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "manifest.json").write_text(json.dumps({"spawn.js": "spawn-ABCDEFGH.js"}))
    (tmp_path / "spawn-ABCDEFGH.js").write_text("1")
    (tmp_path / "other.js").write_text("2")
    found = manifest(tmp_path)
    monkeypatch.setattr(assets, "manifest", lambda: found)
    return tmp_path


def test_the_bundle_and_nothing_else_is_served(bundle: Path) -> None:
    assert asset_urls("/hub/") == {"spawn.js": "/hub/nearfield/static/spawn-ABCDEFGH.js"}
    handler = AssetHandler.__new__(AssetHandler)
    handler.default_filename, handler.path = None, ""
    served = str(bundle / "spawn-ABCDEFGH.js")
    assert handler.validate_absolute_path(str(bundle), served) == served
    for name in ("other.js", "manifest.json", "../form.py"):
        with pytest.raises(HTTPError):
            handler.validate_absolute_path(str(bundle), str(bundle / name))


def test_without_a_bundle_there_are_no_addresses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert manifest(tmp_path) == {}
    assert "without JavaScript" in caplog.text
