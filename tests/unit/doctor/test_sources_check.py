"""Further catalogues: asked with what the account has, and said what is wrong with each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nearfield.catalogue import FederatedSource
from nearfield.config import Source
from nearfield.datasets import Principal
from nearfield.doctor import sources
from nearfield.errors import CatalogueError, SourceStatusError
from nearfield.querying import Page, Query
from nearfield.testing.fake_catalogue import FakeCatalogue

Make = Callable[..., Any]
BASE = "driver: panosc, url: 'https://a.example.org'"


class Refuses(FakeCatalogue):
    """A source that answers with an error."""

    def __init__(self, error: Exception) -> None:
        super().__init__(Principal(name="alice"))
        self.error = error

    async def search(self, query: Query) -> Page:
        raise self.error


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception | None], list[bool]]:
    """The one source is found as it is said to be; tells which questions had a token."""

    def say(error: Exception | None) -> list[bool]:
        had: list[bool] = []

        def opened(named: dict[str, Source], tokens: Make) -> list[FederatedSource]:
            had.extend(tokens(name, one) is not None for name, one in named.items())
            catalogue = FakeCatalogue(Principal(name="alice")) if error is None else Refuses(error)
            return [FederatedSource(name, catalogue) for name in named]

        monkeypatch.setattr(sources, "open_sources", opened)
        return had

    return say


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("NEARFIELD_HOME", str(tmp_path))
    for name in ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "NEARFIELD_HUB_TOKEN_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def found_of(ask: Make, site: Make) -> Callable[[str], list[tuple[str, str]]]:
    """Verdicts and words about one source with these keys."""

    def found(keys: str) -> list[tuple[str, str]]:
        said = ask("sources", site(yaml=f"catalogues: {{a: {{{keys}}}}}"))
        return [(one.verdict.value, f"{one.message} {one.hint}") for one in said]

    return found


def test_no_further_catalogue_no_line(site: Make, ask: Make) -> None:
    assert ask("sources", site()) == []


@pytest.mark.parametrize(
    "said",
    [
        (BASE, None, "ok", "a answers in"),
        (BASE, CatalogueError("a: its certificate does not hold: expired", hint="check its url"),
         "problem", "certificate does not hold: expired check its url"),
        (BASE, SourceStatusError("a: answered 401", 401), "problem", "a: answered 401"),
        (f"{BASE}, token: hub", None, "ok", "of the public ones"),
        (f"{BASE}, token: hub", SourceStatusError("a: answered 401", 401), "not checked",
         "wants a token the hub gives its users' tokens to sessions"),
        (f"{BASE}, token: file", SourceStatusError("a: answered 403", 403), "not checked",
         "here is none"),
        (f"{BASE}, token: file", SourceStatusError("a: answered 404", 404), "problem", "404"),
    ],
)  # fmt: skip
def test_what_is_said(
    found_of: Make, answers: Make, said: tuple[str, Exception | None, str, str]
) -> None:  # fmt: skip
    keys, error, verdict, words = said
    had = answers(error)
    ((found, message),) = found_of(keys)
    assert (found, words in message, had) == (verdict, True, [False]), message


def test_the_hubs_tokens_are_asked_for_in_a_session(
    found_of: Make, answers: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_URL", "http://hub.example.org/hub/api")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "x")
    had = answers(None)
    ((said, message),) = found_of(f"{BASE}, token: hub")
    assert (said, "public" in message, had) == ("ok", False, [True])


def test_a_token_that_others_may_read_is_not_sent(found_of: Make, tmp_path: Path) -> None:
    file = tmp_path / "tokens/a"
    file.parent.mkdir()
    file.write_text("secret-token")
    file.chmod(0o644)
    ((said, message),) = found_of(f"{BASE}, token: file")
    assert said == "problem"
    assert f"chmod 600 {file}" in message
    assert "secret-token" not in message


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://a.example.org", True),
        ("http://127.0.0.1:8000", False),
        ("http://localhost/x", False),
        ("https://a.example.org", False),
    ],
)
def test_tokens_in_clear(found_of: Make, answers: Make, url: str, warned: bool) -> None:
    answers(None)
    found = found_of(f"driver: panosc, url: '{url}', token: hub")
    assert ("warning" in dict(found)) is warned
