"""NeXus files, as https://manual.nexusformat.org describes them and as facilities write them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from nearfield.catalogue.metadata import eiger
from nearfield.catalogue.metadata.axes import axes_of
from nearfield.catalogue.metadata.model import FileMetadata
from nearfield.catalogue.metadata.values import (
    joined,
    number_of,
    text_of,
    texts_of,
    time_of,
    title_from,
    unique,
)
from nearfield.catalogue.metadata.walk import (
    READ_ERRORS,
    Group,
    Walk,
    attribute,
    child,
    follow,
    identity,
    members,
    scalar,
    shown_name,
    text,
)
from nearfield.querying.times import instant
from nearfield.techniques import technique_ids

# An NXdata title is free text. It counts as a technique only if it names one: these are the
# heads of technique names in PaNET (http://purl.org/pan-science/PaNET).
_TECHNIQUE_WORDS = (
    "reflectivity", "reflectometry", "diffraction", "diffractometry", "scattering",
    "spectroscopy", "spectrometry", "microscopy", "tomography", "radiography", "ptychography",
    "holography", "imaging", "interferometry", "crystallography", "fluorescence",
    "absorption", "dichroism", "photoemission",
)  # fmt: skip
MAX_SCIENTIFIC = 200
MAX_LONG = 10_000
MAX_DEFAULTS = 10
_QUANTITIES = {
    "NXmonochromator": ("energy", "wavelength"),
    "NXbeam": ("incident_energy", "incident_wavelength"),
    "NXsample": ("temperature", "magnetic_field", "pressure"),
    "NXdetector": ("distance",),
}


def is_nexus(found: Walk) -> bool:
    """Does the file say that it is NeXus?"""
    root = found.root
    return (
        attribute(root, "NeXus_version") is not None
        or text_of(attribute(root, "NX_class")) == "NXroot"
        or bool(_entries(found))
    )


def _entries(found: Walk) -> list[Group]:
    """The entries; where none is named so, what of the root holds data or an instrument."""
    named = list(found.of_class("NXentry"))
    if named:
        return named
    inside = {group.path.rsplit("/", 1)[0] for group in found.of_class("NXdata", "NXinstrument")}
    return [
        g
        for g in found.groups
        if g.path in inside and g.nx_class is None and g.path.count("/") == 1
    ]


def read_nexus(found: Walk) -> FileMetadata:
    """Metadata of all entries; where entries differ, their distinct values joined by ``"; "``."""
    entries, plots, elsewhere = _plots(found)
    arrays, signal_link = _arrays(found, plots, elsewhere)
    plot_titles = [_title_of_data(plot) for plot in plots]
    definitions = unique(
        name
        for entry in entries
        for group in (entry, *found.of_class("NXsubentry", under=entry.path))
        for name in texts_of(scalar(group.handle, "definition"))
    )
    named = [t for t in plot_titles if t and any(w in t.lower() for w in _TECHNIQUE_WORDS)]
    starts = _times(entries, "start_time")
    ends = _times(entries, "end_time")
    title, warnings = title_from(text(e.handle, "title", MAX_LONG) for e in entries)
    if title is None:
        title, warnings = title_from(plot_titles)
    techniques = tuple(unique([*definitions, *named]))
    start, end = min(starts[0], key=instant, default=None), max(ends[0], key=instant, default=None)
    warnings += [*found.warnings, *_odd_times(starts[1], ends[1], start, end)]
    return FileMetadata(
        format="NeXus",
        title=title,
        description=joined((text(e.handle, "experiment_description") for e in entries), limit=2000),
        techniques=techniques,
        technique_ids=technique_ids(techniques, probe=_probe(found)),
        instrument=_instrument(found, entries),
        facility=joined(_facilities(found)),
        sample=joined(text(g.handle, "name") for g in found.of_class("NXsample")),
        proposal=joined(_proposals(found, entries)),
        start_time=start,
        end_time=end,
        arrays=arrays,
        signal_link=signal_link,
        scientific={**_scientific(found), **eiger.facts(found)},
        links=tuple(found.links),
        warnings=tuple(warnings),
        problems=tuple(found.problems),
    )


def _plots(found: Walk) -> tuple[list[Group], list[Group], str | None]:
    """The entries and what plots of them show, the file's default first.

    Last, where the file's default plot is if it is in another file.
    """
    entries = _entries(found)
    first = _default(found, Group("/", found.root, None))
    if isinstance(first, Group):
        inside = f"{first.path}/"
        entries.sort(key=lambda entry: not inside.startswith(f"{entry.path}/"))
    plots: list[Group] = []
    elsewhere = first if isinstance(first, str) else None
    for entry in entries:
        is_first = isinstance(first, Group) and f"{first.path}/".startswith(f"{entry.path}/")
        plot: Group | str | None = first if is_first and _is_data(first) else None
        plot = plot or _default(found, entry)
        if isinstance(plot, str):
            elsewhere = elsewhere or (None if plots else plot)
            continue
        if plot is None or not _is_data(plot):
            below = plot.path if plot is not None else entry.path
            plot = next(found.of_class("NXdata", under=below), None) or next(
                found.of_class("NXdata", under=entry.path), None
            )
        if plot is not None:
            plots.append(plot)
    return entries, plots, elsewhere


def _is_data(group: Group | str | None) -> bool:
    return isinstance(group, Group) and group.nx_class == "NXdata"


def _default(found: Walk, start: Group) -> Group | str | None:
    """The group that ``default`` names, and that one's ``default``, down to an NXdata.

    A path if it leads into another file. From the root, not below the entry: entries have
    their own say.
    """
    at: Group | None = None
    here = start
    for _ in range(MAX_DEFAULTS):
        name = text_of(attribute(here.handle, "default"))
        if name is None or _is_data(here):
            return at
        place = follow(here.handle, name, here.path)
        if place is not None and place.handle is None:
            return place.path
        group = None if place is None else _known(found, place.handle)
        if group is None:
            found.warnings.append(f"{here.path}: default {name!r} names no group that is there")
            return at
        at = here = group
        if start.path == "/" and group.nx_class == "NXentry":
            return at
    return at


def _known(found: Walk, handle: Any) -> Group | None:
    """The group of the walk that this is, whatever path led to it."""
    try:
        key = identity(handle)
        return next((group for group in found.groups if identity(group.handle) == key), None)
    except READ_ERRORS:
        return None


def _instrument(found: Walk, entries: list[Group]) -> str | None:
    names: list[str | None] = [text(g.handle, "name") for g in found.of_class("NXinstrument")]
    if not any(names):
        # Files without NXinstrument that note it among their own metadata.
        groups = [
            *entries,
            *(g for e in entries for g in found.of_class("NXcollection", under=e.path)),
        ]
        names = [text(g.handle, "instrument") or text(g.handle, "beamline") for g in groups]
    return joined(names) or text_of(attribute(found.root, "instrument"))


def _facilities(found: Walk) -> Iterator[str | None]:
    for source in found.of_class("NXsource"):
        yield text(source.handle, "name") or text(source.handle, "facility_name")


def _proposals(found: Walk, entries: list[Group]) -> Iterator[str | None]:
    for entry in entries:
        yield text(entry.handle, "experiment_identifier")
        yield text(entry.handle, "proposal_number")
    for user in found.of_class("NXuser"):
        yield text(user.handle, "proposal_number")


def _probe(found: Walk) -> str | None:
    """What the beam is made of, where all sources agree."""
    said = unique(text(source.handle, "probe") for source in found.of_class("NXsource"))
    return said[0] if len(said) == 1 else None


def _times(entries: list[Group], name: str) -> tuple[list[datetime], list[str]]:
    """Times of all entries, and what is wrong with the others."""
    times: list[datetime] = []
    odd: list[str] = []
    for entry in entries:
        value = scalar(entry.handle, name)
        word = text_of(value)
        time = time_of(word)
        if time is not None:
            times.append(time)
        elif word:
            odd.append(f"{name} {word[:100]!r} is not a time that can be understood")
        elif value is not None:
            odd.append(f"{name} is there and says nothing")
    return times, odd


def _odd_times(
    starts: list[str], ends: list[str], start: datetime | None, end: datetime | None
) -> list[str]:
    odd = unique([*starts, *ends])
    if start is not None and end is not None and instant(end) < instant(start):
        odd.append(f"end_time {end.isoformat()} is before start_time {start.isoformat()}")
    return odd


def _title_of_data(plot: Group) -> str | None:
    return text(plot.handle, "title") or text_of(attribute(plot.handle, "title"))


def _signal_name(plot: Group) -> str | None:
    """The signal's name: the group's ``signal``, or (before 2014) the field with ``signal=1``."""
    if name := text_of(attribute(plot.handle, "signal")):
        return name
    try:
        names = members(plot.handle)
    except READ_ERRORS:
        return None
    for name in names:
        field = child(plot.handle, name)
        mark = attribute(field, "signal") if field is not None else None
        if mark is not None and (text_of(mark) == "1" or number_of(mark) == 1):
            return str(name)
    return "data" if "data" in names else None


def _arrays(
    found: Walk, plots: list[Group], elsewhere: str | None
) -> tuple[tuple[Any, ...], str | None]:
    """The arrays, the one that a plot shows first marked and in front.

    None is marked if that one is in another file: then, second, where it is linked.
    """
    arrays = dict(found.arrays)
    for plot in plots if elsewhere is None else ():
        name = _signal_name(plot)
        place = follow(plot.handle, name, plot.path) if name else None
        if place is None:
            continue
        if place.handle is None:
            return tuple(arrays.values()), place.path
        try:
            key = identity(place.handle)
        except READ_ERRORS:
            continue
        if key in arrays:
            path = f"{plot.path}/{shown_name(name or '')}"
            first = arrays.pop(key)
            axes = axes_of(plot, name, len(first.shape)) if name else ()
            first = first.model_copy(update={"signal": True, "path": path, "axes": axes})
            return (first, *arrays.values()), None
    # A master file of frames names none, and means them all the same.
    return tuple(arrays.values()), elsewhere or eiger.first_frames(found)


def _scientific(found: Walk) -> dict[str, Any]:
    """Scalars that describe the measurement, by HDF5 path; ``{"value", "unit"}`` with a unit."""
    said: dict[str, Any] = {}
    for group in found.groups:
        if group.nx_class == "NXcollection":
            try:
                names = members(group.handle)
            except READ_ERRORS:
                continue
        else:
            names = list(_QUANTITIES.get(group.nx_class or "", ()))
        for name in names:
            if len(said) >= MAX_SCIENTIFIC:
                return said
            value = _scalar_with_unit(group.handle, name)
            if value is not None and name.isprintable():
                said[f"{group.path}/{name}".lstrip("/")] = value
    return said


def _scalar_with_unit(group: Any, name: str) -> Any:
    value = scalar(group, name, limit=1)
    plain: Any = number_of(value) if value is not None else None
    if plain is None:
        words = texts_of(value)
        return words[0] if words else None
    field = child(group, name)
    unit = text_of(attribute(field, "units")) or text_of(attribute(field, "unit"))
    if unit == "A" and ("wavelength" in name or name == "lambda"):
        unit = "angstrom"  # nobody's wavelength is in ampere
    return {"value": plain, "unit": unit} if unit else plain
