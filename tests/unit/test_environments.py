"""environments: which keys go together."""

from __future__ import annotations

import pytest

from nearfield.config import Config, parse_config
from nearfield.errors import ConfigError
from nearfield.scheduler.sessions import session_spec

REST = """
clusters: {lab: {}}
hardware: {h: {cluster: lab}}
profiles: {p: {environment: e, hardware: h}}
"""
FINGERPRINT = "260788AA 10CC592D 27C7945F 940243DC 42CBB9CC"


def config(environment: str, rest: str = "") -> Config:
    return parse_config(f"environments: {{e: {environment}}}\n{rest}{REST}")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ("{server: [jupyterhub-singleuser]}", "'command'"),
        ("{server: elsewhere}", "'image' or 'site'"),
        ("{server: site}", "server is for an image"),
        ("{layer: true}", "layer is for an image"),
        ("{signature: required, keyring: /k}", "signature is for an image"),
        ("{image: /a.sif, venv: /v}", "exclude each other"),
        ("{modules: [a], venv: /v}", "exclude each other"),
        ("{image: /a.sif, server: site}", "needs the key runtime"),
        ("{image: /a.sif, server: site, command: [x]}", "that of 'runtime'"),
        ("{image: /a.sif, signature: required}", "needs keyring"),
        (f"{{image: /a.sif, signers: ['{FINGERPRINT}']}}", "without a signature rule"),
        ("{image: /a.sif, signature: warn, keyring: /k, signers: [abc]}", "signers"),
        ("{command: []}", "command"),
        ("{modules: ['a; id']}", "modules"),
        ("{modules: ['-a']}", "modules"),
        ("{default_url: 'http://x'}", "default_url"),
    ],
)
def test_what_does_not_go_together_is_an_error(environment: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        config(environment)


def test_a_kernel_alone_takes_its_server_from_the_runtime() -> None:
    made = config(
        "{image: /a.sif, server: site, title: A, default_url: /lab/tree}",
        "runtime: {venv: /site/venv, command: [serve, me]}\n",
    )
    task = session_spec(made, name="nearfield-1", user="a", profile_name="p").task
    assert task.kind == "session"
    assert (task.server, task.command) == ("site", ("serve", "me"))
    assert task.runtime.venv == "/site/venv"
    assert task.kernel == ("python3", "-m", "ipykernel_launcher")
    assert (task.environment_name, task.title, task.default_url) == ("e", "A", "/lab/tree")


def test_a_signature_rule_reaches_the_job_with_bare_fingerprints() -> None:
    made = config(
        f"{{image: /a.sif, signature: warn, keyring: /k, signers: ['{FINGERPRINT}']}}",
    )
    task = session_spec(made, name="nearfield-1", user="a", profile_name="p").task
    assert task.kind == "session"
    assert task.signature is not None
    assert task.signature.rule == "warn"
    assert task.signature.signers == (FINGERPRINT.replace(" ", "").lower(),)
    off = session_spec(config("{image: /a.sif}"), name="nearfield-1", user="a", profile_name="p")
    assert off.task.kind == "session"
    assert off.task.signature is None
