"""Axes and units of an openPMD mesh: what the standard says in SI and powers of base units."""

from __future__ import annotations

from typing import Any

from nearfield.catalogue.metadata.values import number_of, text_of, texts_of
from nearfield.catalogue.metadata.walk import Walk, attribute, child
from nearfield.datasets import ArrayInfo, Axis

# The order of unitDimension: length, mass, time, current, temperature, substance, light.
_BASE = ("m", "kg", "s", "A", "K", "mol", "cd")
_NAMED = {
    (0, 1, -2, -1, 0, 0, 0): "T",
    (1, 1, -3, -1, 0, 0, 0): "V/m",
    (-2, 0, 0, 1, 0, 0, 0): "A/m^2",
    (-3, 0, 1, 1, 0, 0, 0): "C/m^3",
    (2, 1, -2, 0, 0, 0, 0): "J",
    (2, 1, -3, -1, 0, 0, 0): "V",
}


def describe_mesh(found: Walk, array: ArrayInfo) -> dict[str, Any]:
    """``axes`` and ``units`` of a mesh component, as far as its record says them."""
    component = child(found.root, array.path)
    record = child(found.root, array.path.rpartition("/")[0] or "/")
    # A scalar record is a dataset itself and has the attributes of both.
    if component is not None and attribute(component, "axisLabels") is not None:
        record = component
    if component is None or record is None:
        return {}
    units = units_of(attribute(record, "unitDimension"), number_of(attribute(component, "unitSI")))
    labels = texts_of(attribute(record, "axisLabels"))
    if text_of(attribute(record, "dataOrder")) == "F":
        labels.reverse()
    if len(labels) != len(array.shape):
        return {"units": units or array.units}
    grid = attribute(record, "gridUnitSI")
    # openPMD 2.0 has one for each axis.
    scales = grid.ravel().tolist() if getattr(grid, "size", 1) > 1 else [grid] * len(labels)
    if len(scales) != len(labels):
        scales = [None] * len(labels)
    cartesian = text_of(attribute(record, "geometry")) in (None, "cartesian")
    axes = tuple(
        Axis(name=label, units=_scaled("m", number_of(scale)) if cartesian else None)
        for label, scale in zip(labels, scales, strict=True)
    )
    return {"units": units or array.units, "axes": axes}


def units_of(dimension: Any, scale: float | None) -> str | None:
    """From the powers of the base units (``unitDimension``) and ``unitSI``; ``None``: not said."""
    powers = dimension.ravel().tolist() if hasattr(dimension, "ravel") else ()
    if len(powers) != len(_BASE) or not any(powers):
        return None
    if any(number_of(power) is None for power in powers):
        return None
    key = tuple(powers)
    name = _NAMED.get(key) or " ".join(
        base if power == 1 else f"{base}^{power:g}"
        for base, power in zip(_BASE, key, strict=True)
        if power
    )
    return _scaled(name, scale)


def _scaled(unit: str, scale: float | None) -> str | None:
    """``m``, or ``1e-06 m`` where the numbers are in such; ``None`` where the file has no say."""
    if scale is None or scale <= 0:
        return None
    return unit if scale == 1 else f"{scale:g} {unit}"
