"""The C functions that decode, found in libraries that are here anyway, and called without the GIL.

``hdf5plugin`` ships bitshuffle, LZ4, Zstandard and Blosc as HDF5 filter plugins; the decoders in
them are exported C functions. ``imagecodecs`` brings libdeflate. Numba calls them by address, so
that a loop over many chunks is one call that holds no lock. An export that is missing (another
build of these packages) makes the filter one that is not understood: HDF5 itself reads such a
stack, slower.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path
from typing import Any, Literal

import numba
from numba import types
from numba.extending import intrinsic


@functools.cache
def library(name: str) -> ctypes.CDLL | None:
    """A filter plugin of ``hdf5plugin``, e.g. ``bshuf``, or ``deflate``; ``None``: not here."""
    try:
        if name == "deflate":
            from imagecodecs import _deflate

            # What a library is linked to is found through it.
            return ctypes.CDLL(_deflate.__file__)
        import hdf5plugin

        return ctypes.CDLL(str(Path(hdf5plugin.PLUGIN_PATH) / f"libh5{name}.so"))
    except (ImportError, OSError):
        return None


@functools.cache
def address(plugin: str | None, function: str) -> int:
    """Where a C function is; 0 where there is none. Without a plugin: in the C library."""
    found = ctypes.CDLL(None) if plugin is None else library(plugin)
    try:
        pointer = ctypes.cast(getattr(found, function), ctypes.c_void_p).value
    except AttributeError:
        return 0
    return pointer or 0


@intrinsic
def _call(typing_context: Any, pointer: Any, arguments: Any) -> Any:
    """Call the C function at ``pointer`` with a tuple of 64-bit integers; gives its ``int64``.

    Pointers and ``size_t`` are 64-bit integers in the C calling convention of the machines that
    this runs on; a function that returns ``int`` needs its result cut to 32 bits by the caller.
    """
    signature = types.int64(types.int64, arguments)

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        from llvmlite import ir

        word = ir.IntType(64)
        each = [builder.extract_value(values[1], i) for i in range(len(arguments))]
        kind = ir.FunctionType(word, [word] * len(each))
        return builder.call(builder.inttoptr(values[0], kind.as_pointer()), each)

    return signature, generate


@intrinsic
def _int32_at(typing_context: Any, pointer: Any) -> Any:
    """The C ``int`` at ``pointer``: ``errno``."""
    signature = types.int64(types.int64)

    def generate(context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        from llvmlite import ir

        narrow = ir.IntType(32)
        at = builder.inttoptr(values[0], narrow.as_pointer())
        return builder.sext(builder.load(at, typ=narrow), ir.IntType(64))

    return signature, generate


int32_at: Any = _int32_at
call: Any = _call  # Numba leaves out the first argument


def jit(error_model: Literal["python", "numpy"] = "python") -> Any:
    """How every loop here is compiled: without the GIL, kept on disk for the next process.

    It is kept in ``NUMBA_CACHE_DIR``, beside the source, or in the user's cache. In an image
    without a home none of them can be written to: then each process compiles for itself, which
    takes some seconds.

    Args:
        error_model: By ``"numpy"`` a division by 0 is no error, and so is done in vectors.
    """

    def compiled(function: Any) -> Any:
        try:
            return numba.njit(nogil=True, error_model=error_model, cache=True)(function)
        except RuntimeError:  # Numba's "no locator available"
            return numba.njit(nogil=True, error_model=error_model)(function)

    return compiled
