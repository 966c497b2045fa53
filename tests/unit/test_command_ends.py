"""How a command ends that nobody wrote an error for."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from nearfield.cli import run_command


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "nearfield: stopped\n"),
        (
            PermissionError(errno.EACCES, "Permission denied", "/data/\x1b[31mshut"),
            1,
            "nearfield: /data/\\x1b[31mshut: Permission denied\n",
        ),
        (OSError("no name"), 1, "nearfield: unexpected: OSError: no name\n"),
        (KeyError("x"), 1, "nearfield: unexpected: KeyError: 'x'\n"),
    ],
)
def test_words_and_code(
    fault: BaseException,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(_: Path) -> None:
        raise fault

    monkeypatch.setattr("nearfield.config.load_config", fail)
    said = ["catalogue", "search"]
    assert run_command(said) == code
    assert capsys.readouterr().err.startswith(words)
