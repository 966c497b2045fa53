"""``nearfield profiles check``, with commands that answer as recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nearfield.cli import run_command

SAMPLES = Path(__file__).parent / "samples"
SITE = """\
clusters:
  lab: {{bin: {bin}}}
hardware:
  small:
    cluster: lab
    partition: short
    minutes: {minutes}
environments:
  none: {{}}
profiles:
  p: {{environment: none, hardware: small}}
"""
SCONTROL = """#!/bin/sh
for word; do :; done
exec cat {samples}/$word-22.05.txt
"""
SBATCH = """#!/bin/sh
cat >/dev/null
echo "sbatch: Job 5 to start at 2026-11-21T15:52:04 using 1 processors on nodes na1" >&2
"""


class Site:
    """A file and a folder of Slurm's commands."""

    def __init__(self, folder: Path) -> None:
        self.file, self.bin = folder / "nearfield.yaml", folder / "bin"
        self.bin.mkdir()
        self.command("scontrol", SCONTROL.format(samples=SAMPLES))
        self.command("sacctmgr", f'#!/bin/sh\nexec cat {SAMPLES}/"$3"-22.05.txt\n')
        self.command("sbatch", SBATCH)

    def command(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def write(self, minutes: object = 60) -> None:
        self.file.write_text(SITE.format(bin=self.bin, minutes=minutes))

    def check(self, *options: str) -> int:
        return run_command(["--config", str(self.file), "profiles", "check", *options])


@pytest.fixture
def site(tmp_path: Path) -> Site:
    made = Site(tmp_path)
    made.write()
    return made


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_in_order(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.check("--json") == 0
    report = told(capsys)
    assert (report["findings"], report["tried"], report["silent"]) == ([], 1, [])
    assert site.check() == 0
    said = capsys.readouterr().out
    assert "nothing found against it\n" in said
    assert "1 job was put to sbatch" in said


def test_an_error_has_its_line(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.write(minutes=300)
    assert site.check("--json") == 1
    (finding,) = told(capsys)["findings"]
    assert (finding["severity"], finding["key"], finding["line"]) == (
        "error",
        "hardware.small.minutes",
        7,
    )
    assert site.check() == 1
    assert "at most 240" in capsys.readouterr().out


def test_a_file_that_cannot_be_used_is_a_finding(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.write(minutes="never")
    assert site.check("--json") == 1
    (finding,) = told(capsys)["findings"]
    assert (finding["key"], finding["line"]) == ("hardware.small.minutes", 7)
    assert "a running hub goes on with the last file" in finding["fix"]
    site.file.write_text("clusters: [\n")
    assert site.check("--json") == 1
    assert "not valid YAML" in told(capsys)["findings"][0]["what"]


def test_slurm_does_not_answer(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    site.command(
        "scontrol", "#!/bin/sh\necho 'slurm_load_ctl_conf: Unable to contact' >&2; exit 1\n"
    )
    assert site.check("--json") == 3
    report = told(capsys)
    assert report["silent"] == ["lab"]
    assert "Unable to contact" in report["findings"][0]["what"]
    (site.bin / "scontrol").unlink()
    assert site.check() == 3
    assert "cannot be run" in capsys.readouterr().out


def test_wrong_usage(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    assert site.check("--cluster", "nosuch") == 2
    assert "choose one of: lab" in capsys.readouterr().err
    assert site.check("--user", "no-such-account") == 2
