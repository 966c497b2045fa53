"""What a server on the node is started with: mounts, address, certificates."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from nearfield.scheduler.node import environment, hub, image


def test_a_mount_is_one_quoted_line() -> None:
    flag, line = image.bind('/a:b,c "d"', "/x", True)
    assert flag == "--mount"
    assert next(csv.reader([line])) == ["type=bind", 'source=/a:b,c "d"', "destination=/x", "ro"]


def test_the_command_in_an_image(tmp_path: Path) -> None:
    task = {
        "image": "/i.sif",
        "server": "image",
        "apptainer": "/opt/apptainer",
        "command": ["jupyterhub-singleuser", "x y"],
    }
    mounts = [{"source": "/raw", "target": "/tmp/raw", "read_only": True}]
    options = image.container_options("/s/nf-1", {"task": task}, mounts, str(tmp_path))
    argv = image.server_argv(task, options, "/home/me", "/i.sif")
    assert argv[:4] == ["/opt/apptainer", "exec", "--no-mount", "cwd,tmp"]
    assert argv[-5:] == ["--pwd", "/home/me", "/i.sif", "jupyterhub-singleuser", "x y"]
    assert "type=bind,source=/s/nf-1/data,destination=/data" in argv
    assert "type=bind,source=/raw,destination=/tmp/raw,ro" in argv
    assert (tmp_path / "raw").is_dir()  # a mount point below our own /tmp
    assert not {"--env", "--env-file", "--cleanenv", "--bind"} & set(argv)


@pytest.mark.parametrize(
    ("url", "address", "expected"),
    [
        ("http://127.0.0.1:0/user/a/", "0.0.0.0", "http://0.0.0.0:99/user/a/"),
        ("https://x:1/user/a%20b/n/", "::", "https://[::]:99/user/a%20b/n/"),
        ("", "0.0.0.0", "http://0.0.0.0:99/"),
    ],
)
def test_the_url_keeps_scheme_and_path(url: str, address: str, expected: str) -> None:
    assert environment.with_port(url, address, 99) == expected


def test_certificates_become_files(tmp_path: Path) -> None:
    env = {"NEARFIELD_TLS_KEY": "k", "NEARFIELD_TLS_CERT": "c", "NEARFIELD_TLS_CA": "a", "X": "y"}
    made = environment.keep_certificates(str(tmp_path), env)
    assert env == {"X": "y"}
    assert made["JUPYTERHUB_SSL_KEYFILE"] == str(tmp_path / "keyfile.pem")
    assert set(made) == {
        "JUPYTERHUB_SSL_KEYFILE", "JUPYTERHUB_SSL_CERTFILE", "JUPYTERHUB_SSL_CLIENT_CA",
    }  # fmt: skip
    assert (tmp_path / "keyfile.pem").stat().st_mode & 0o777 == 0o600


def test_the_hub_is_reached_by_http_alone() -> None:
    import urllib.request

    request = urllib.request.Request("file:///etc/passwd")  # noqa: S310 - that is the point
    assert hub.opener_for({}).open(request) is None
