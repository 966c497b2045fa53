"""Neighbours of a dataset: inputs and results, over all catalogues."""

from __future__ import annotations

from nearfield.catalogue import related

from .conftest import Source, federation, made


async def test_inputs_results_and_what_is_missing() -> None:
    middle = made("m", 2, input_datasets=("raw", "gone", "m", "elsewhere"))
    home = Source("home", [made("raw", 1), middle, made("r1", 3, input_datasets=("m",))])
    far = Source("far", [made("elsewhere", 1), made("r2", 4, input_datasets=("m", "raw"))])
    found = await related(federation(home, far), middle)
    assert [one.pid for one in found.inputs] == ["raw", "elsewhere"]
    # Itself is no input, though the record says so.
    assert found.missing == ("gone", "m")
    assert [(one.pid, one.source) for one in found.derived] == [("r2", "far"), ("r1", "home")]
    assert found.unknown == ()


async def test_what_a_silent_source_may_have_is_unknown_not_missing() -> None:
    dataset = made("m", 2, input_datasets=("raw", "gone"))
    home, far = Source("home", [made("raw", 1)]), Source("far")
    far.store.down = True
    found = await related(federation(home, far), dataset)
    assert [one.pid for one in found.inputs] == ["raw"]
    assert (found.missing, found.unknown) == ((), ("gone",))


async def test_a_source_that_cannot_look_for_results_has_none_to_tell() -> None:
    poor = Source("poor", [made("raw", 1)], filters=frozenset({"text"}))
    found = await related(poor, made("m", 2, input_datasets=("raw",)))
    assert ([one.pid for one in found.inputs], found.derived) == (["raw"], ())
