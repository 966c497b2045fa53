"""A stolen hub cannot send a session's tokens elsewhere."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.config import Config, LauncherConfig, parse_config
from nearfield.config.addresses import is_below
from nearfield.datasets import Principal
from nearfield.errors import ConfigError, SpecRefusedError
from nearfield.scheduler.hub_urls import not_the_hubs
from nearfield.scheduler.policy import check
from nearfield.scheduler.sessions import session_spec

HUB = "http://10.0.0.1:8081/jupyter"
URLS = (HUB, "https://jupyter.example.org")
CALLBACK = f"{HUB}/hub/api/nearfield/port"


@pytest.mark.parametrize(
    "url",
    [
        HUB,
        f"{HUB}/",
        f"{HUB}/hub/api",
        f"{HUB}/user/a%40b/x?y=1",
        "https://jupyter.example.org",
        "https://JUPYTER.example.org:443/services/catalogue",
    ],
)
def test_below(url: str) -> None:
    assert is_below(url, URLS)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/hub/api",
        "//evil/hub",
        "http://10.0.0.1:8081/jupyterhub",
        "http://10.0.0.1:8081/",
        "http://10.0.0.1:8082/jupyter/hub",
        "https://10.0.0.1:8081/jupyter/hub",
        "http://10.0.0.1:8081@evil/jupyter/hub",
        "http://10.0.0.1:8081/jupyter/../hub",
        "http://10.0.0.1:8081/jupyter/%2e%2e/hub",
        "http://10.0.0.1:8081\\@evil/jupyter",
        "http://10.0.0.1.evil:8081/jupyter",
        "http://10.0.0.1:8081/jupyter\n",
        "https://jupyter.example.org.evil/",
        "https://jupyter.example.orgevil/",
        "https://jupyter.example.org:444/",
        "https://jupyter.example.org:x/",
        "ftp://jupyter.example.org/",
        "https://jupyter.example.\u006frg\u3002evil/",
    ],
)
def test_not_below(url: str) -> None:
    assert not is_below(url, URLS)


@given(st.text(alphabet="/.%2eE@:#?\\ajupyter[]0", max_size=30))
def test_another_reader_of_urls_sees_the_same_host(tail: str) -> None:
    url = f"https://jupyter.example.org{tail}"
    if is_below(url, URLS):
        assert httpx.URL(url).host.rstrip(".") == "jupyter.example.org"


ENVIRONMENT = {
    "JUPYTERHUB_API_TOKEN": "s3cret",
    "JUPYTERHUB_API_URL": f"{HUB}/hub/api",
    "JUPYTERHUB_ACTIVITY_URL": f"{HUB}/hub/api/users/alice/activity",
    "JUPYTERHUB_BASE_URL": "/jupyter/",
    "JUPYTERHUB_HOST": "",
    "JUPYTERHUB_OAUTH_CALLBACK_URL": "/jupyter/user/alice/oauth_callback",
    "JUPYTERHUB_PUBLIC_URL": "https://jupyter.example.org/user/alice/",
    "JUPYTERHUB_SERVICE_URL": "http://127.0.0.1:0/user/alice/",
    "NEARFIELD_CATALOGUE_URL": "https://jupyter.example.org/services/catalogue",
    "NEARFIELD_TLS_CA": "-----BEGIN CERTIFICATE-----",
}


def test_what_a_hub_hands_over_passes() -> None:
    assert not_the_hubs(ENVIRONMENT, CALLBACK, URLS) is None
    assert not_the_hubs({"JUPYTERHUB_API_URL": "http://evil/"}, "http://evil/", None) is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("JUPYTERHUB_API_URL", "http://evil/hub/api"),
        ("JUPYTERHUB_API_URL", "evil"),
        ("JUPYTERHUB_ACTIVITY_URL", "http://10.0.0.2:8081/jupyter/hub/api"),
        ("JUPYTERHUB_HOST", "https://evil"),
        ("JUPYTERHUB_PUBLIC_HUB_URL", "//evil/"),
        ("JUPYTERHUB_DEFAULT_URL", "https://evil/"),
        ("JUPYTERHUB_OAUTH_CALLBACK_URL", "https://evil/"),
        ("JUPYTERHUB_BASE_URL", "//evil/"),
        ("JUPYTERHUB_BASE_URL", "/\\evil/"),
        ("NEARFIELD_CATALOGUE_URL", "http://evil/"),
        ("NEARFIELD_NEW_URL", "evil:80"),
    ],
)
def test_an_address_of_somebody_else_is_refused(name: str, value: str) -> None:
    wrong = not_the_hubs(ENVIRONMENT | {name: value}, CALLBACK, URLS)
    assert wrong == f"environment.{name}"


def test_the_launcher_refuses_it_by_field() -> None:
    config = Config(launcher=LauncherConfig(hub_urls=URLS))

    def ask(callback: str) -> None:
        spec = session_spec(
            config,
            name="nearfield-00000000000000aa",
            user="alice",
            profile_name="default",
            environment=ENVIRONMENT,
            callback_url=callback,
        )
        check(spec, config, Principal(name="alice"))

    ask(CALLBACK)
    with pytest.raises(SpecRefusedError, match=r"task\.callback_url is not below") as caught:
        ask("http://evil/hub/api/nearfield/port")
    assert "hub_urls" in str(caught.value.hint)


@pytest.mark.parametrize(
    "url", ["evil", "ftp://x/", "http://a@b/", "http://a/?q", "http://a/../b", "http://a:99999/"]
)
def test_hub_urls_are_plain(url: str) -> None:
    with pytest.raises(ConfigError, match="hub_urls"):
        parse_config(f"launcher: {{hub_urls: ['{url}']}}")
