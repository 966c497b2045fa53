"""DatasetPicker without a browser: its traits, its value, and its bundle."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nearfield.datasets import Principal
from nearfield.errors import DatasetNotFoundError
from nearfield.testing.fake_catalogue import FakeCatalogue
from nearfield.testing.synthetic import synthetic_dataset
from nearfield_widgets import DatasetPicker
from nearfield_widgets._bundles import STATIC, script, style

MANY = FakeCatalogue(Principal(name="alice"), [synthetic_dataset(n) for n in range(3)])


@pytest.fixture
def picker() -> Iterator[Any]:
    made = DatasetPicker("synthetic", catalogue=MANY)
    yield made
    made.close()


def test_what_is_chosen_is_its_value(picker: Any) -> None:
    assert picker.value == ()
    picker.selected = ["synthetic-00002", "synthetic-00000"]
    assert [dataset.pid for dataset in picker.value] == ["synthetic-00002", "synthetic-00000"]
    picker.multiple = False
    assert picker.value.pid == "synthetic-00002"
    picker.selected = []
    assert picker.value is None


def test_where_there_are_no_widgets_it_says_what_it_is(picker: Any) -> None:
    picker.selected = ["synthetic-00002"]
    assert picker._repr_mimebundle_()[0]["text/plain"] == (
        "DatasetPicker('synthetic', selected=['synthetic-00002'])"
    )


def test_a_program_with_a_picker_ends_in_silence() -> None:
    program = "from nearfield_widgets import DatasetPicker; made = DatasetPicker('x')"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ended.stderr == b""


def test_a_choice_that_is_not_there_is_an_error(picker: Any) -> None:
    picker.selected = ["nobody-knows"]
    with pytest.raises(DatasetNotFoundError, match="nobody-knows"):
        _ = picker.value


def test_its_questions_are_answered_beside_the_kernel(
    picker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    answered = threading.Event()
    said: list[dict[str, Any]] = []

    def send(content: dict[str, Any], buffers: object = None) -> None:
        said.append(content)
        if content.get("done"):
            answered.set()

    monkeypatch.setattr(picker, "send", send)
    picker._handle_custom_msg({"id": "1", "method": "facets", "params": {"q": ""}}, [])
    assert answered.wait(20), said
    assert said[-1]["result"]["counts"]["type"] == {"raw": 3}


def test_the_state_that_travels_has_no_catalogue(picker: Any) -> None:
    state = picker.get_state()
    ours = {"query", "selected", "multiple", "limit"}
    assert ours <= state.keys()
    assert not any("catalogue" in name for name in state)


def test_its_bundle_is_small_and_asks_no_network() -> None:
    if not (STATIC / "picker.js").is_file():
        pytest.fail("make js has not run")
    assert len(script("picker")) < 60_000
    assert "import(" not in script("picker") and "fetch(" not in script("picker")
    assert "@import" not in style("picker") and "url(" not in style("picker")


def test_without_a_bundle_it_says_what_to_do(tmp_path: Path) -> None:
    assert "make js" in script("picker", tmp_path)
    assert style("picker", tmp_path) == ""


def test_importing_the_package_loads_no_widget_library() -> None:
    code = (
        "import sys, nearfield_widgets; nearfield_widgets.__all__;"
        "print('anywidget' in sys.modules, 'ipywidgets' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.split() == ["False", "False"]


def test_without_anywidget_it_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import nearfield_widgets
    from nearfield.errors import BlockedError

    monkeypatch.delitem(sys.modules, "nearfield_widgets.picker")
    monkeypatch.setitem(sys.modules, "anywidget", None)
    with pytest.raises(BlockedError, match="widgets need anywidget"):
        _ = nearfield_widgets.DatasetPicker
