"""What is wrong with a person's reduction is told before anything is read, or with the frame."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.errors import UnknownNameError, UsageError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["d"] = np.arange(5 * 3 * 4).reshape(5, 3, 4)
    return tmp_path / "a.h5"


def misspelt(frame: Any) -> Any:
    total = 0.0
    total += frame.summ()
    return total


def text(frame: Any) -> Any:
    return "bright"


def nothing(frame: Any) -> Any:
    frame[0, 0] = 1


def dark(frame: Any, background: Any) -> Any:
    return frame[0, 0] - background


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (
            misspelt,
            r"'misspelt' cannot be compiled: Unknown attribute 'summ'.*; line 3 of misspelt",
        ),
        (text, r"'text' gives Literal\[str\]\(bright\) for a frame"),
        (nothing, "'nothing' gives none for a frame"),
        (dark, r"no value for its parameter 'background'\n  dark.using\(background=…\), or one of"),
    ],
)
def test_what_cannot_be_reduced_by(path: Path, function: Callable[..., Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        nearfield.reduce(path, user=nearfield.reduction(function))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"start": np.zeros}, "start and merge go together"),
        ({"finish": np.sqrt}, "finish is for a state"),
        ({"start": np.zeros, "merge": "sum"}, "unknown way to merge 'sum'"),
        ({"start": np.zeros, "merge": "add"}, "must take the frame and the state"),
    ],
)
def test_arguments_that_do_not_go_together(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        nearfield.reduction(text, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"dims": ("a", "b", "c")}, r"gives \(3, 4\), its dimensions are \('a', 'b', 'c'\)"),
        ({"dims": ("x", "y")}, "its dimension 'x' of 3 is another one of the stack"),
        ({"dims": ("frame", "b")}, "its dimension 'frame'"),
        ({"dims": {"a": [1, 2], "b": None}}, "2 labels for 'a'"),
        ({"finish": lambda state: 1 / 0}, "finish failed: division by zero"),
        ({"finish": lambda state: "a"}, "ends as <U1, no numbers"),
        ({"start": lambda shape: shape[7]}, "start failed: tuple index out of range"),
        ({"start": lambda shape: np.array("a")}, "start gives <U1, no numbers"),
        ({"merge": lambda left, right: left + undefined}, "cannot be compiled: NameError"),  # type: ignore[name-defined]  # noqa: F821
    ],
)
def test_states_that_do_not_fit(path: Path, options: dict[str, Any], words: str) -> None:
    def summed(frame: Any, state: Any) -> None:
        state += frame

    made = nearfield.reduction(summed, **{"start": np.zeros, "merge": "add", **options})
    with pytest.raises(UsageError, match=words):
        nearfield.reduce(path, user=made)


def test_an_index_outside_is_an_error_with_the_frame(path: Path) -> None:
    @nearfield.reduction(start=lambda shape: np.zeros(40), merge="add")
    def counts(frame: Any, state: Any) -> None:
        state[int(frame[0, 0])] += 1

    with pytest.raises(UsageError, match=r"'counts' failed at frame 4: IndexError: index is out"):
        nearfield.reduce(path, user=counts).load()


def test_arrays_of_several_lengths_are_no_result(path: Path) -> None:
    @nearfield.reduction
    def bright(frame: Any) -> Any:
        flat = frame.ravel()
        return flat[flat > 20]

    with pytest.raises(
        UsageError, match="failed at frame 1: ValueError: it gave arrays of several"
    ):
        nearfield.reduce(path, user=bright).load()


def test_zero_by_zero_is_nan(path: Path) -> None:
    @nearfield.reduction
    def share(frame: Any) -> Any:
        return frame[0, 0] / (frame[0, 0] + frame[0, 0])

    assert np.isnan(nearfield.reduce(path, user=share)["share"].values[0])


def test_names_that_are_not_there_or_taken(path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown user reduction 'nobody'"):
        nearfield.reduce(path, user="nobody")
    made = nearfield.reduction(lambda frame: 1.0, name="one")
    with pytest.raises(UsageError, match="sum is a reduction of its own"):
        nearfield.reduce(path, user={"sum": made})
    with pytest.raises(UsageError, match="two reductions of one name"):
        nearfield.reduce(path, user=[made, made])
    with pytest.raises(UsageError, match=r"is no reduction\n  @nearfield\.reduction"):
        nearfield.reduce(path, user={"a": np.sum})
    with pytest.raises(UnknownNameError, match="unknown parameter of 'one' 'threshold'"):
        made.using(threshold=3)


def test_an_axis_of_the_name_of_a_result_gives_way(path: Path) -> None:
    made = nearfield.reduction(lambda frame: frame.sum(), name="y")
    found = nearfield.reduce(path, user=made, mean=True)
    assert found["mean"].dims == ("y_axis", "x")
    assert found["y"].dims == ("frame",)


def test_what_would_be_added_once_for_each_run_of_frames(path: Path) -> None:
    made = nearfield.reduction(bright, start=np.ones, merge="add")
    with pytest.raises(UsageError, match=r"start gives 1\.0, which merge=\"add\" would add once"):
        nearfield.reduce(path, array="d", user=made)


def bright(frame: Any, state: Any) -> None:
    state += frame
