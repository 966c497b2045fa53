"""The form says sizes as people do, and no name becomes markup."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from nearfield.config import Hardware, parse_config
from nearfield.datasets import Principal
from nearfield.errors import UnknownNameError
from nearfield_spawners.form import describe, options_form
from nearfield_spawners.refusal import refusal


@pytest.mark.parametrize(
    ("hardware", "text"),
    [
        (Hardware(cores=1, memory_mb=2048, minutes=480), "1 core, 2 GiB, 8 h"),
        (Hardware(cores=4, memory_mb=8000, minutes=90), "4 cores, 7.81 GiB, 1 h 30 min"),
        (Hardware(minutes=30, gpus=2), "1 core, 2 GiB, 30 min, 2 GPUs"),
    ],
)
def test_sizes(hardware: Hardware, text: str) -> None:
    assert describe(hardware) == text


def form(text: str, asked: dict[str, object] | None = None) -> str:
    spawner = SimpleNamespace(
        site=parse_config(text), principal=Principal(name="alice"), user_options=asked
    )
    return options_form(spawner)


def test_titles_are_escaped_and_only_own_profiles_are_offered() -> None:
    shown = form(
        "profiles:\n"
        "  mine: {title: '<script>x</script>', environment: default, hardware: local}\n"
        "  theirs: {environment: default, hardware: local, users: [bob]}\n"
    )
    assert "<script>" not in shown
    assert 'value="mine" checked' in shown
    assert "theirs" not in shown


def test_nothing_to_offer() -> None:
    shown = form("profiles:\n  p: {environment: default, hardware: local, users: [bob]}\n")
    assert "No profile is open to you" in shown


def test_what_was_asked_for_is_still_there_after_a_refusal() -> None:
    shown = form(
        "profiles:\n"
        "  one: {environment: default, hardware: local}\n"
        "  two: {environment: default, hardware: local}\n",
        {"profile": "two", "datasets": ["a</textarea>", "b"]},
    )
    assert 'value="two" checked' in shown
    assert "a&lt;/textarea&gt;\nb</textarea>" in shown


def test_a_refusal_reads_as_sentences() -> None:
    error = refusal(UnknownNameError("profile", "smal", ["small"]))
    assert str(error).startswith("unknown profile 'smal'. Did you mean 'small'?")
    assert (error.status_code, error.reason) == (400, "options")
