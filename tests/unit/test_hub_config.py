"""What the files of hub_config say; tests/system has the tools that read them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from nearfield.cli import run_command
from nearfield.config import load_site_config, parse_config
from nearfield.datasets import Principal
from nearfield.errors import ConfigError
from nearfield.scheduler.policy import CALLBACK_PATH, check
from nearfield.scheduler.sessions import session_spec
from nearfield.scheduler.submitters import SUDO_RULE

HUB_CONFIG = Path(__file__).resolve().parents[2] / "hub_config"
UNITS = sorted((HUB_CONFIG / "systemd").glob("*.service"))
# Each implies NoNewPrivileges for a unit with User=, and sudo would not work.
NO_SUDO = (
    *("NoNewPrivileges", "PrivateDevices", "ProtectKernel", "ProtectClock", "ProtectHostname"),
    *("RestrictAddressFamilies", "RestrictNamespaces", "RestrictSUIDSGID", "RestrictRealtime"),
    *("SystemCall", "LockPersonality", "MemoryDenyWriteExecute", "DynamicUser", "ProtectHome"),
)


def settings(unit: Path) -> list[str]:
    lines = unit.read_text().splitlines()
    return [line for line in lines if "=" in line and not line.startswith(("#", " "))]


def test_the_hubs_unit_leaves_sudo_working() -> None:
    found = settings(HUB_CONFIG / "systemd/nearfield-hub.service")
    assert "User=jupyterhub" in found
    assert not [line for line in found if line.startswith(NO_SUDO)]
    # The launcher writes to homes, and inherits what the unit may write.
    assert "ProtectSystem=strict" not in found


def test_no_secret_is_in_a_unit() -> None:
    for unit in (*UNITS, HUB_CONFIG / "hub.env"):
        assert not [line for line in settings(unit) if "TOKEN=" in line or "SECRET=" in line]


def variables() -> dict[str, str]:
    """What hub.env sets."""
    return dict(line.split("=", 1) for line in settings(HUB_CONFIG / "hub.env"))


def test_the_launcher_takes_the_sessions_of_the_example() -> None:
    """Its addresses and those of hub.env, as the hub hands them to a session."""
    config = load_site_config(HUB_CONFIG / "nearfield.yaml")
    hub = variables()["NEARFIELD_HUB"]
    environment = {
        "JUPYTERHUB_API_URL": f"{hub}/hub/api",
        "JUPYTERHUB_ACTIVITY_URL": f"{hub}/hub/api/users/alice/activity",
        "NEARFIELD_CATALOGUE_URL": str(config.catalogue.url),
    }
    assert config.profiles
    assert config.launcher.hub_urls
    for profile in config.profiles:
        spec = session_spec(
            config,
            name="nearfield-00000000000000aa",
            user="alice",
            profile_name=profile,
            environment=environment,
            callback_url=hub + CALLBACK_PATH,
        )
        assert check(spec, config, Principal(name="alice")) == spec


def test_the_catalogue_is_where_nginx_listens_with_tls() -> None:
    """Port 80 answers with a redirection, and a token would go there in plain text."""
    nginx = (HUB_CONFIG / "nginx.conf").read_text()
    url = load_site_config(HUB_CONFIG / "nearfield.yaml").catalogue.url
    names = set(re.findall(r"server_name (\S+);", nginx))
    assert {f"https://{name}/services/catalogue" for name in names} == {url}


def test_a_catalogue_elsewhere_is_an_error_of_the_file() -> None:
    text = (HUB_CONFIG / "nearfield.yaml").read_text()
    for elsewhere in ("http://hub.example.org", "https://hub.example.org:8443", "https://evil"):
        with pytest.raises(ConfigError, match=r"line 6:? .*not below launcher\.hub_urls"):
            parse_config(text.replace("https://hub.example.org/services", f"{elsewhere}/services"))


def test_sudo_is_told_the_line_that_the_hints_name() -> None:
    rule = SUDO_RULE.format(
        hub="jupyterhub",
        group=load_site_config(HUB_CONFIG / "nearfield.yaml").launcher.group,
        launcher=load_site_config(HUB_CONFIG / "nearfield.yaml").clusters["main"].launcher,
    )
    lines = (HUB_CONFIG / "sudoers").read_text().splitlines()
    assert [line for line in lines if not line.startswith(("#", "Defaults"))] == [rule]
    reference = (HUB_CONFIG.parent / "docs/reference/scheduler.md").read_text()
    launcher = "/opt/nearfield/bin/nearfield-launch"
    assert SUDO_RULE.format(hub="jhub", group="people", launcher=launcher) in reference


def command(unit: Path) -> list[str]:
    """The words of the unit's last ExecStart."""
    text = unit.read_text().replace("\\\n", " ")
    return re.findall(r"^ExecStart=(/.*)$", text, re.M)[-1].split()


def test_the_proxy_with_tls_is_the_same_proxy() -> None:
    """A drop-in cannot add to a command, so it says it again."""
    plain = command(HUB_CONFIG / "systemd/nearfield-proxy.service")
    drop_in = HUB_CONFIG / "systemd/internal-tls.conf"
    words = command(drop_in)
    assert words[: len(plain)] == plain
    files = dict(re.findall(r"^LoadCredential=(\S+?):(\S+)$", drop_in.read_text(), re.M))
    used = [w.removeprefix("${CREDENTIALS_DIRECTORY}/") for w in words if "CREDENTIALS" in w]
    assert sorted(files) == sorted(used)
    for side in ("api", "client"):
        # Both are needed for a stranger to be refused.
        assert {f"--{side}-ssl-request-cert", f"--{side}-ssl-reject-unauthorized"} <= set(words)
    guide = (HUB_CONFIG.parent / "docs/how-to/internal-tls.md").read_text()
    folder = re.search(r'internal_certs_location = "([^"]+)"', guide)
    assert folder is not None
    assert all(path.startswith(f"{folder[1]}/proxy-") for path in files.values())


def commands() -> list[tuple[str, list[str]]]:
    """What units run of ``nearfield``: the words after it."""
    return [
        (unit.name, shlex.split(line.partition("/bin/nearfield ")[2].rstrip("'")))
        for unit in UNITS
        for line in settings(unit)
        if line.startswith("ExecStart=") and "/bin/nearfield " in line
    ]


def test_units_run_commands_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(commands()) == 3
    for unit, words in commands():
        # An option that is not known is told before the help.
        assert run_command([*words, "--help"]) == 0, unit
    assert run_command([*commands()[0][1], "--nonsense", "--help"]) == 2


def test_timers_and_folders_of_the_units_are_there() -> None:
    for timer in (HUB_CONFIG / "systemd").glob("*.timer"):
        assert timer.with_suffix(".service") in UNITS
    made = {
        (words[0].lstrip("#"), words[1]): words[2:]
        for line in (HUB_CONFIG / "tmpfiles.conf").read_text().splitlines()
        if len(words := line.split()) == 6
    }
    # Both accounts write it by the group: the folder hands its group on, the file its mode.
    assert made["d", "/var/lib/nearfield-catalogue"][0] == "2770"
    assert made["f", "/var/lib/nearfield-catalogue/catalogue.sqlite"][0] == "0660"
    written = {
        path.lstrip("-")
        for unit in UNITS
        for line in settings(unit)
        if line.startswith("ReadWritePaths=")
        for path in line.partition("=")[2].split()
    }
    assert written == {path for kind, path in made if kind == "d"} - {"/var/log/nearfield"}


def test_what_the_example_leaves_out_can_be_put_in() -> None:
    text = (HUB_CONFIG / "nearfield.yaml").read_text()
    config = parse_config(re.sub(r"^( *)#(?=[a-z ] *\w+:)", r"\1", text, flags=re.M))
    assert {"scicat", "icat", "repository"} == config.catalogues.keys()
    assert config.storages["raw"].also
