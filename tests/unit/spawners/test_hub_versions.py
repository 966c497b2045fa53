"""What is made equal over the releases of JupyterHub."""

from __future__ import annotations

from jupyterhub.apihandlers import APIHandler

from nearfield_spawners.hub_versions import SpawnException
from nearfield_spawners.refusal import failed


def test_a_request_without_a_token_says_so() -> None:
    assert APIHandler._token_authenticated is False


def test_a_refusal_carries_its_words_to_every_release() -> None:
    error = failed("100 % of the images are gone", "image")
    assert isinstance(error, SpawnException)
    assert (error.status_code, error.reason) == (500, "image")
    assert str(error) == "100 % of the images are gone"
