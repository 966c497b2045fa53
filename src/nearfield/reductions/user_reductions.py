"""Reductions that a person writes as a function of one frame: ``nearfield.reduction``."""

from __future__ import annotations

import functools
import hashlib
import inspect
import linecache
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numba import typeof, types
from numba.np.numpy_support import as_dtype

from nearfield.errors import UnknownNameError, UsageError
from nearfield.reductions.kernels._protocol import Array, Frames, Reduction
from nearfield.reductions.kernels.user_calls import compiled
from nearfield.reductions.kernels.user_defined import (
    KINDS,
    MERGES,
    Call,
    OverFrames,
    PerFrame,
    Shown,
)

NUMBER = "number"
"""The parameter that gets the number of the frame among those that are reduced."""
_NUMBERS = types.Integer | types.Float | types.Boolean
_MOST_SOURCE = 10_000
_known: dict[str, UserReduction] = {}


@dataclass(frozen=True, eq=False)
class UserReduction:
    """What ``nearfield.reduction`` makes of a function; called, it is that function."""

    function: Callable[..., Any]
    name: str
    start: Callable[[tuple[int, ...]], Any] | None = None
    merge: str | Callable[[Array, Array], Any] | None = None
    finish: Callable[[Array], Any] | None = None
    dims: tuple[str, ...] | None = None
    labels: Mapping[str, Array] = field(default_factory=dict)
    attrs: Mapping[str, str] = field(default_factory=dict)
    native: bool = False
    checked: bool = True
    source: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self.function(*arguments, **keywords)

    def using(self, **values: Any) -> UserReduction:
        """With these numbers and arrays for the function's further parameters.

        Raises:
            UsageError: it has no such parameter, or a value is no number nor array of numbers.
        """
        if unknown := [name for name in values if name not in self.parameters]:
            raise UnknownNameError(f"parameter of {self.name!r}", unknown[0], self.parameters)
        made = {name: _numbers(self.name, name, value) for name, value in values.items()}
        return replace(self, values={**self.values, **made})

    @property
    def parameters(self) -> tuple[str, ...]:
        """Of the function, behind the frame and the state."""
        names = tuple(inspect.signature(self.function).parameters)
        return names[1:] if self.start is None else names[2:]

    def told(self) -> dict[str, Any]:
        """For a result's provenance: the source, its checksum, the values."""
        text = self.source or repr(
            (self.function.__code__.co_code, self.function.__code__.co_names)
        )
        found = {"function": self.name, "sha256": hashlib.sha256(text.encode()).hexdigest()}
        if 0 < len(self.source) <= _MOST_SOURCE:
            found["source"] = self.source
        told = {"values": self.values, "outside": outside(self.function)}
        return {**found, **{name: dict(each) for name, each in told.items() if each}}


def defined(
    function: Callable[..., Any],
    *,
    name: str | None = None,
    start: Callable[[tuple[int, ...]], Any] | None = None,
    merge: str | Callable[[Array, Array], Any] | None = None,
    finish: Callable[[Array], Any] | None = None,
    dims: Any = None,
    units: str | None = None,
    native: bool = False,
    boundscheck: bool = True,
) -> UserReduction:
    """See :func:`nearfield.reduction`; from here on it is known by its name."""
    name = name or function.__name__
    if (start is None) is not (merge is None):
        raise UsageError(
            f"{name!r}: start and merge go together",
            hint="with both, frames are added to a state; with none there is a row for each frame",
        )
    if isinstance(merge, str) and merge not in MERGES:
        raise UnknownNameError("way to merge", merge, MERGES)
    if finish is not None and start is None:
        raise UsageError(f"{name!r}: finish is for a state, and so needs start and merge")
    labels: dict[str, Array] = {}
    if isinstance(dims, str):
        dims = (dims,)
    if isinstance(dims, Mapping):
        labels = {str(dim): np.asarray(each) for dim, each in dims.items() if each is not None}
    attrs = {"long_name": (inspect.getdoc(function) or name).partition("\n")[0].rstrip(".")}
    if units is not None:
        attrs["units"] = units
    made = UserReduction(
        function, name, start, merge, finish, None if dims is None else tuple(map(str, dims)),
        labels, attrs, native, boundscheck, _source(function),
    )  # fmt: skip
    needed = 1 if start is None else 2
    if len(inspect.signature(function).parameters) < needed:
        wanted = "the frame" if start is None else "the frame and the state"
        raise UsageError(f"{name!r} must take {wanted}")
    _known[name] = made
    return made


def outside(function: Callable[..., Any]) -> dict[str, Any]:
    """The numbers and arrays that a function takes from where it was written."""
    try:
        there = inspect.getclosurevars(function)
    except (TypeError, ValueError):
        return {}
    found = {**there.globals, **there.nonlocals}
    return {n: v for n, v in found.items() if isinstance(v, int | float | np.ndarray | np.generic)}


@functools.lru_cache(64)
def _compiled(function: Callable[..., Any], checked: bool, frozen: Any) -> Any:
    """Once for the same numbers from outside (``frozen``): it would not see others."""
    return compiled(function, checked=checked)


def _ready(function: Callable[..., Any], checked: bool) -> Any:
    values = {name: np.asarray(value) for name, value in sorted(outside(function).items())}
    frozen = tuple((name, v.shape, v.dtype.str, v.tobytes()) for name, v in values.items())
    return _compiled(function, checked, frozen)


def asked_for(asked: Any) -> dict[str, UserReduction]:
    """Of ``user=``: one, several, or by the names of their results.

    Raises:
        UsageError: it is something else.
        UnknownNameError: no reduction of that name was defined in this process.
    """
    if asked is None or asked is False:
        return {}
    if not isinstance(asked, Mapping):
        given = asked if isinstance(asked, list | tuple) else [asked]
        asked = {one if isinstance(one, str) else getattr(one, "name", ""): one for one in given}
        if len(asked) < len(given):
            raise UsageError("user=: two reductions of one name", hint="user={'a': …, 'b': …}")
    found = {}
    for name, given in asked.items():
        if isinstance(given, str) and given not in _known:
            raise UnknownNameError("user reduction", given, _known)
        one = _known[given] if isinstance(given, str) else given
        if not isinstance(one, UserReduction):
            raise UsageError(
                f"user={asked!r} is no reduction",
                hint="@nearfield.reduction over a function of a frame makes one",
            )
        found[str(name)] = one
    return found


def reduction_of(name: str, user: UserReduction, frames: Frames) -> Reduction:
    """What reduces these frames; compiled, so that what Numba does not take is told now.

    Raises:
        UsageError: it does not compile, gives what is no number, or needs what is not there.
    """
    kind = frames.dtype if user.native else np.dtype("f8")
    items = tuple(_item(name, user, parameter, frames) for parameter in user.parameters)
    function = _ready(user.function, user.checked)
    call = Call(name, function, items, frames.shape, kind)
    shown = Shown(user.dims, user.labels, user.attrs)
    frame, values = np.zeros(frames.shape, kind), [_one(item) for item in items]
    if user.start is None:
        row, dtype = _row(name, user, function, frame, values)
        return PerFrame(call, shown, row, dtype)
    try:
        empty = np.array(user.start(frames.shape))
    except Exception as error:
        raise UsageError(f"user reduction {name!r}: start failed: {error}") from error
    if empty.dtype.kind not in KINDS:
        raise UsageError(f"user reduction {name!r}: start gives {empty.dtype}, no numbers")
    state, merge = np.atleast_1d(empty), user.merge or "add"
    if isinstance(merge, str) and merge == "add" and (state != 0).any():
        raise UsageError(
            f"user reduction {name!r}: start gives {state.flat[np.flatnonzero(state)[0]]}, which "
            'merge="add" would add once for each run of frames',
            hint="start with 0, and add the rest in finish=",
        )
    _compile(name, user.function, function, frame, state, *values)
    if not isinstance(merge, str):
        merge, written = _ready(merge, user.checked), merge
        _compile(name, written, merge, state, state)
    return OverFrames(call, shown, state, merge, user.finish, empty.ndim == 0)


def _item(name: str, user: UserReduction, parameter: str, frames: Frames) -> Any:
    """The value of a parameter, or in a tuple those of each frame."""
    if parameter in user.values:
        return user.values[parameter]
    if parameter == NUMBER:
        return (np.arange(frames.count),)
    if parameter in frames.coordinates:
        each = np.asarray(frames.coordinates[parameter])
        if each.dtype.kind in "biuf":
            return (np.ascontiguousarray(each, each.dtype.newbyteorder("=")),)
    default = inspect.signature(user.function).parameters[parameter].default
    if default is not inspect.Parameter.empty:
        return _numbers(name, parameter, default)
    numbers = [n for n, v in frames.coordinates.items() if np.asarray(v).dtype.kind in "biuf"]
    raise UsageError(
        f"user reduction {name!r}: there is no value for its parameter {parameter!r}",
        hint=f"{user.name}.using({parameter}=…), or one of {', '.join([NUMBER, *numbers])}",
    )


def _numbers(name: str, parameter: str, value: Any) -> Any:
    """As Numba takes it."""
    given = np.asarray(value)
    if given.dtype.kind not in "biufc":
        raise UsageError(f"{name!r}: {parameter}={value!r} is no number nor array of numbers")
    return given.item() if given.ndim == 0 else np.ascontiguousarray(given)


def _one(item: Any) -> Any:
    """As the function gets it."""
    return item[0][0] if isinstance(item, tuple) else item


def _row(
    name: str, user: UserReduction, function: Any, frame: Array, values: list[Any]
) -> tuple[tuple[int, ...], np.dtype[np.generic]]:
    """Shape and type of what the function gives for a frame."""
    given: Any = _compile(name, user.function, function, frame, *values)
    several = isinstance(given, types.BaseTuple)
    each = [given.dtype] if isinstance(given, types.Array) else list(given) if several else [given]
    plain: list[Any] = [getattr(one, "literal_type", one) for one in each]
    if not plain or not all(isinstance(one, _NUMBERS) for one in plain):
        raise UsageError(
            f"user reduction {name!r} gives {given} for a frame",
            hint="a number, a tuple of numbers or an array; or add to a state: start=, merge=",
        )
    kind = np.result_type(*(as_dtype(one) for one in plain))
    kind = np.dtype("u1") if kind.kind == "b" else kind  # so that a frame not read can be told
    if not isinstance(given, types.Array):
        return (len(each),) if several else (), kind
    try:
        return function(frame, *values).shape, kind
    except Exception as error:
        raise UsageError(f"user reduction {name!r} failed for a frame of 0: {error}") from error


def _compile(name: str, written: Any, function: Any, *arguments: Any) -> Any:
    """The type of what it gives for such arguments. Raises UsageError: it does not compile."""
    kinds = tuple(typeof(argument) for argument in arguments)  # type: ignore[no-untyped-call]
    try:
        function.compile(kinds)
        return function.overloads[kinds].signature.return_type
    except Exception as error:  # Numba's have no class of their own in common
        raise UsageError(
            f"user reduction {name!r} cannot be compiled: {_words(error, written)}",
            hint="Numba takes loops over pixels, numbers and much of numpy; the cause tells more",
        ) from error


def _words(error: Exception, written: Any) -> str:
    """What Numba did not take, and the line of it."""
    noise = ("Failed in nopython", "During:", 'File "', "^")
    lines = [line.strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not line.startswith(noise)][:2]
    words = " ".join(said[: 2 if said and said[0].endswith(":") else 1])[:400]
    words = words or type(error).__name__
    place = getattr(error, "loc", None)
    if place is None:
        return words
    text = linecache.getline(place.filename, place.line).strip()
    first = written.__code__.co_firstlineno
    return f"{words}; line {place.line - first + 1} of {written.__name__}: {text}"


def _source(function: Any) -> str:
    try:
        return textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError):  # typed where nothing keeps it
        return ""
