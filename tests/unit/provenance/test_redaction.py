"""No secret in a notebook, a record or a kernel."""

from __future__ import annotations

from nearfield.provenance.redaction import Redactor, kernel_environment

TOKEN = "0123456789abcdef0123456789abcdef"


def test_hub_tokens_do_not_reach_the_kernel() -> None:
    environ = {
        "JUPYTERHUB_API_TOKEN": TOKEN, "JPY_API_TOKEN": TOKEN, "JUPYTER_TOKEN": TOKEN,
        "CONFIGPROXY_AUTH_TOKEN": TOKEN, "JUPYTERHUB_CRYPT_KEY": TOKEN,
        "NEARFIELD_CATALOGUE_TOKEN": TOKEN,
        "JUPYTERHUB_USER": "ada", "HOME": "/home/ada", "PATH": "/bin", "NEARFIELD_IMAGE": "i.sif",
        "AWS_SECRET_ACCESS_KEY": TOKEN,
    }  # fmt: skip
    assert set(kernel_environment(environ)) == {
        "JUPYTERHUB_USER", "HOME", "PATH", "NEARFIELD_IMAGE", "AWS_SECRET_ACCESS_KEY",
    }  # fmt: skip


def test_values_of_secrets_are_replaced_wherever_they_are() -> None:
    redactor = Redactor({"S3_SECRET": TOKEN, "MY_TOKEN": TOKEN[:16], "HOME": "/home/ada-lovelace"})
    cell = {"outputs": [{"text": [f"x{TOKEN}y", f"{TOKEN[:16]} /home/ada-lovelace"]}], TOKEN: 1}
    assert redactor.clean(cell) == {
        "outputs": [
            {"text": ["x[redacted: S3_SECRET]y", "[redacted: MY_TOKEN] /home/ada-lovelace"]}
        ],
        "[redacted: S3_SECRET]": 1,
    }


def test_short_values_and_paths_are_no_secrets() -> None:
    redactor = Redactor({"USE_TOKEN": "true", "TOKEN_FILE": "/run/secrets/token", "PASSWORD": ""})
    assert redactor.text("true /run/secrets/token") == "true /run/secrets/token"
