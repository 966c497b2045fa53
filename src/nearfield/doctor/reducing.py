"""Can this Python reduce stacks of frames, and as fast as this machine can?"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

from nearfield.doctor.findings import Finding, Reporter
from nearfield.doctor.site import Site
from nearfield.extras import install_extra

_NEEDED = ("h5py", "hdf5plugin", "imagecodecs", "numba", "numpy", "tqdm", "xarray")
_MORE = {"azimuthal": "pyFAI", "images": "fabio", "cluster": "dask_jobqueue"}
"""Extras, each by one of its packages."""


def check(site: Site, report: Reporter) -> Iterator[Finding]:
    """This Python alone; that of an image is asked where its sessions run."""
    if absent := [name for name in _NEEDED if find_spec(name) is None]:
        yield report.not_checked(
            f"this Python has no {', '.join(absent)}; that of the sessions may have",
            f"in a session: nearfield doctor; where it is missing: {install_extra('reduce')}",
        )
        return
    from nearfield.reductions.decode.available import FILTERS, missing

    if slow := missing():
        yield report.warning(
            f"{', '.join(slow)}: read by HDF5 itself, several times slower",
            f"hdf5plugin or imagecodecs lack a decoder; {install_extra('reduce')}",
        )
    if fast := [name for name in FILTERS if name not in slow]:
        yield report.ok(f"decoded in threads, without HDF5's lock: {', '.join(fast)}")
    if without := [extra for extra, package in _MORE.items() if find_spec(package) is None]:
        yield report.ok(f"without the extras {', '.join(without)}")
