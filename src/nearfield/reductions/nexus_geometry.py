"""Where the detector stood, as a NeXus file says it: ``azimuthal={"geometry": "file"}``.

From NXdetector ``distance``, ``beam_center_x`` and ``_y``, ``x_pixel_size`` and ``y_pixel_size``;
the wavelength from NXmonochromator or NXbeam (NeXus definitions of these classes). ``x`` runs along
the last axis of a frame. A beam centre is counted from the outer corner of the first pixel, as in
pyFAI; whether the file's writer did so too, or swapped x and y, cannot be seen in it. So the
result says which centre was taken, and ``beam`` overrides it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from nearfield.catalogue.metadata.values import text_of
from nearfield.catalogue.metadata.walk import READ_ERRORS, Group, Walk, attribute, child, walk
from nearfield.errors import DataFileError, UsageError
from nearfield.querying.units import converted
from nearfield.reductions.stack import Stack

OVERRIDES = ("beam", "distance", "pixel", "wavelength", "detector")
_PIXELS = ("pixel", "pixels", "px")
_TURNED = ("polar_angle", "rotation_angle", "tilt_angle", "aequatorial_angle")
_HC = 12.398419843320026
"""keV times angstrom, of the exact SI values of h, c and e."""
_LEAST = {"distance": (1.0, "mm"), "pixel": (1e-3, "mm"), "wavelength": (1e-3, "angstrom")}
"""What is given as less is in metres: no detector stands so near, or sees such hard X-rays."""
_APART = 1e-3
"""Wavelengths of one file that differ more than this are two."""


@dataclass(frozen=True)
class FromFile:
    """A geometry of pyFAI, and words on where its numbers are from."""

    integrator: Any
    about: str


def with_geometry(asked: Any, stack: Stack) -> Any:
    """What was asked for as ``azimuthal=``, with the geometry that the stack's file says.

    Args:
        asked: As :func:`nearfield.reductions.geometry.azimuthal_of` takes it. Where its geometry is
            ``"file"`` it may have ``beam`` ((x, y), in pixels), ``distance`` and ``pixel`` (one
            number or (x, y); mm), ``wavelength`` (angstrom) in place of what the file says, and
            ``detector`` (path of an NXdetector).

    Raises:
        UsageError: the file does not say something, or not in a way that can be understood.
        DataFileError: it cannot be read.
    """
    if isinstance(asked, str) and asked == "file":
        asked = {"geometry": "file"}
    if not isinstance(asked, Mapping):
        return asked
    if not (isinstance(asked.get("geometry"), str) and asked["geometry"] == "file"):
        if said := sorted(set(asked) & set(OVERRIDES)):
            raise UsageError(f"azimuthal: {', '.join(said)} goes with geometry 'file'")
        return asked
    if stack.asked is not None and os.path.isdir(stack.asked.path):  # noqa: PTH112
        raise UsageError(
            f"{stack.asked.path!r}: a Zarr array says nothing of its detector's place",
            hint="azimuthal= takes a .poni file or an integrator of pyFAI",
        )
    given = {name: asked[name] for name in OVERRIDES if asked.get(name) is not None}
    rest = {name: value for name, value in asked.items() if name not in OVERRIDES}
    return {**rest, "geometry": of_stack(stack, given)}


def of_stack(stack: Stack, given: Mapping[str, Any]) -> FromFile:
    """The geometry in the stack's root file; ``given`` overrides it. Raises as with_geometry."""
    if stack.memory is not None:
        raise UsageError(
            "azimuthal: geometry 'file', and these frames are in memory",
            hint="give nearfield.reduce the file, or a geometry of pyFAI",
        )
    path = stack.asked.path if stack.asked is not None else stack.held[0].path
    try:
        with h5py.File(path, "r") as file:
            return _Reading(path, walk(file), stack, given).geometry()
    except READ_ERRORS as error:
        raise DataFileError(path, f"its geometry cannot be read: {error}") from error


class _Reading:
    def __init__(self, path: str, found: Walk, stack: Stack, given: Mapping[str, Any]) -> None:
        self._path, self._walk, self._given = path, found, given
        self._name = stack.held[0].name if stack.held else ""
        self._detector = self._chosen()

    def geometry(self) -> FromFile:
        from pyFAI.integrator.azimuthal import AzimuthalIntegrator

        self._straight()
        distance = self._override("distance", 1e-3, 1) or [self._length("distance", "distance")]
        pixel = self._override("pixel", 1e-3, 2) or [
            self._length(f"{axis}_pixel_size", "pixel") for axis in "xy"
        ]
        beam = self._given.get("beam")
        center = (
            [self._center(axis, size) for axis, size in zip("xy", pixel, strict=True)]
            if beam is None
            else [n * size for n, size in zip(self._numbers("beam", 2), pixel, strict=True)]
        )
        wave = (self._override("wavelength", 1e-10, 1) or [self._wavelength()])[0]
        if min(*distance, *pixel, wave) <= 0:
            raise UsageError(f"{self._path!r}: a distance, pixel size or wavelength is not above 0")
        made = AzimuthalIntegrator(
            dist=distance[0],
            poni1=center[1],
            poni2=center[0],
            pixel1=pixel[1],
            pixel2=pixel[0],
            wavelength=wave,
        )
        told = (
            "as given"
            if beam is not None
            else "as the file has it; beam=(x, y) pixels overrides it"
        )
        return FromFile(
            made,
            f"{self._detector.path}: beam at x {center[0] / pixel[0]:.6g}, "
            f"y {center[1] / pixel[1]:.6g} pixels ({told}), distance {distance[0] * 1e3:.6g} mm, "
            f"pixels {pixel[0] * 1e3:.6g} x {pixel[1] * 1e3:.6g} mm, "
            f"wavelength {wave * 1e10:.6g} angstrom",
        )

    def _chosen(self) -> Group:
        """The detector that the frames are of."""
        each = list(self._walk.of_class("NXdetector"))
        if (name := self._given.get("detector")) is not None:
            each = [group for group in each if group.path.strip("/") == str(name).strip("/")]
        if len(each) > 1:
            each = [group for group in each if self._is_of(group)] or each
        if len(each) == 1:
            return each[0]
        if not each:
            raise UsageError(
                f"{self._path!r}: there is no NXdetector {name or ''}".rstrip(),
                hint="give a .poni file as geometry",
            )
        raise UsageError(
            f"{self._path!r}: it has several detectors",
            hint="name one as detector=: " + ", ".join(group.path for group in each),
        )

    def _is_of(self, group: Group) -> bool:
        if self._name.startswith(group.path.rstrip("/") + "/"):
            return True
        frames = child(group.handle.file, self._name)
        target = text_of(attribute(frames, "target")) if frames is not None else None
        return target is not None and target.startswith(group.path.rstrip("/") + "/")

    def _straight(self) -> None:
        """Raises UsageError for a detector that is turned: beam and distance do not tell how."""
        for name in _TURNED:
            value = self._number(self._detector, name)
            if value:
                raise UsageError(
                    f"{self._path!r}: {self._detector.path}/{name} is {value:g}: a detector that "
                    "is turned is not read from a file",
                    hint="give a .poni file as geometry",
                )
        turns = self._walk.of_class("NXtransformations", under=self._detector.path)
        for group in turns:
            for name in group.handle:
                turn = child(group.handle, name)
                kind = None if turn is None else text_of(attribute(turn, "transformation_type"))
                if kind == "rotation" and self._number(group, name):
                    raise UsageError(
                        f"{self._path!r}: {group.path}/{name} turns the detector, which is not "
                        "read from a file",
                        hint="give a .poni file as geometry",
                    )

    def _number(self, group: Group, name: str) -> float | None:
        """A number, or an array of it many times; ``None`` where there is none."""
        found = child(group.handle, name)
        if not isinstance(found, h5py.Dataset) or found.dtype.kind not in "uif":
            return None
        if not 1 <= found.size <= 1_000_000:
            return None
        values = np.unique(np.asarray(found[()], "f8"))
        if len(values) != 1 or not np.isfinite(values[0]):
            raise UsageError(
                f"{self._path!r}: {group.path}/{name} is no single number",
                hint="give a .poni file as geometry, for frames of one position",
            )
        return float(values[0])

    def _units(self, group: Group, name: str, key: str) -> str:
        units = text_of(attribute(child(group.handle, name), "units"))
        if units is None:
            raise self._missing(f"{group.path}/{name} has no units", key)
        return units

    def _missing(self, words: str, key: str) -> UsageError:
        forms = {
            "beam": "(x, y) in pixels",
            "distance": "in mm",
            "pixel": "in mm",
            "wavelength": "in angstrom",
        }
        return UsageError(
            f"{self._path!r}: {words}",
            hint=f"give it beside geometry='file': {key}=…, {forms[key]}; or a .poni file",
        )

    def _length(self, name: str, key: str) -> float:
        """In metres."""
        value = self._number(self._detector, name)
        if value is None:
            raise self._missing(f"{self._detector.path}/{name} is missing", key)
        units = self._units(self._detector, name, key)
        found = converted(value, units, "m")
        if found is None:
            raise self._missing(f"{self._detector.path}/{name} is in {units!r}, no length", key)
        return found

    def _center(self, axis: str, pixel: float) -> float:
        name = f"beam_center_{axis}"
        value = self._number(self._detector, name)
        if value is None:
            raise self._missing(f"{self._detector.path}/{name} is missing", "beam")
        if self._units(self._detector, name, "beam").lower() in _PIXELS:
            return value * pixel
        return self._length(name, "beam")

    def _wavelength(self) -> float:
        """In metres."""
        top = "/" + self._detector.path.strip("/").split("/")[0]
        groups = list(self._walk.of_class("NXmonochromator", "NXbeam", under=top))
        found = {}
        for group in groups:
            for name in ("wavelength", "incident_wavelength"):
                if (value := self._number(group, name)) is not None:
                    units = self._units(group, name, "wavelength")
                    # Of a length "A" is no ampere.
                    length = converted(value, "angstrom" if units == "A" else units, "m")
                    if length is None:
                        raise self._missing(f"{group.path}/{name} is in {units!r}", "wavelength")
                    found[f"{group.path}/{name}"] = length
        if not found and not self._neutrons():
            for group in groups:
                for name in ("energy", "incident_energy"):
                    if (value := self._number(group, name)) is not None:
                        energy = converted(value, self._units(group, name, "wavelength"), "keV")
                        if energy is not None and energy > 0:
                            found[f"{group.path}/{name}"] = _HC / energy * 1e-10
        if not found:
            words = "no wavelength in an NXmonochromator or NXbeam"
            raise self._missing(words, "wavelength")
        if max(found.values()) > (1 + _APART) * min(found.values()):
            words = "its wavelengths differ: " + ", ".join(found)
            raise self._missing(words, "wavelength")
        return next(iter(found.values()))

    def _neutrons(self) -> bool:
        """Their energy is no photon's."""
        probes = (child(group.handle, "probe") for group in self._walk.of_class("NXsource"))
        return any("neutron" in (text_of(p[()]) or "").lower() for p in probes if p is not None)

    def _override(self, name: str, unit: float, count: int) -> list[float] | None:
        if name not in self._given:
            return None
        values = self._numbers(name, count)
        least, units = _LEAST[name]
        if 0 < min(values) < least:
            raise UsageError(
                f"azimuthal: {name}={self._given[name]!r} is less than {least:g} {units}",
                hint=f"{name} is in {units}, not in metres; a .poni file may have any value",
            )
        return [n * unit for n in values]

    def _numbers(self, name: str, count: int) -> list[float]:
        """Raises UsageError for what is not so many numbers; one number stands for x and y."""
        try:
            values = np.asarray(self._given[name], "f8").ravel()
        except (TypeError, ValueError):
            values = np.empty(0)
        if values.size == 1 and name != "beam":
            values = np.repeat(values, count)
        if values.size != count or not np.isfinite(values).all():
            raise UsageError(f"azimuthal: {name}={self._given[name]!r} is not {count} number(s)")
        return [float(value) for value in values]
