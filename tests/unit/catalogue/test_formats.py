"""ORSO, CXI, EIGER, TIFF, EDF and CBF files: what is read of each, and what is none."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile

from nearfield.catalogue import ScanReport
from nearfield.catalogue.metadata import FileMetadata, read_file
from nearfield.datasets import ArrayInfo, Axis, Dataset
from nearfield.errors import DataFileError

Rescan = Callable[..., ScanReport]
Datasets = Callable[[], list[Dataset]]

ORSO = """\
# # ORSO reflectivity data file | 1.0 standard | YAML encoding | https://www.reflectometry.org/
# data_source:
#   owner: {name: A. Person, affiliation: a place}
#   experiment:
#     title: Nickel on silicon
#     instrument: AMOR
#     start_date: 2024-05-06T07:08:09
#     probe: neutron
#     facility: SINQ
#     proposalID: 20240001
#   sample: {name: Ni1000}
#   measurement:
#     instrument_settings:
#       incident_angle: {magnitude: 0.8, unit: deg}
#       wavelength: {min: 3, max: 12, unit: angstrom}
#       polarization: unpolarized
# data_set: 0
# columns:
# - {name: Qz, unit: 1/angstrom, physical_quantity: wavevector transfer}
# - {name: R}
# - {error_of: R}
# # Qz R sR
0.01 1.0 0.1
0.02 0.5 0.1
0.03 0.2 0.1
# data_set: spin_down
0.01 1.0 0.1
0.02 0.5 0.1
"""
CBF = b"""###CBF: VERSION 1.5, CBFlib v0.7.8 - PILATUS detectors

data_frame_00001

_array_data.header_convention "PILATUS_1.2"
_array_data.header_contents
;
# Detector: PILATUS 1M, S/N 10-0001
# 2024-05-06T07:08:09.123
# Pixel_size 172e-6 m x 172e-6 m
# Exposure_time 1.5000000 s
# Wavelength 0.9795 A
# Detector_distance 0.30000 m
# Beam_xy (240.90, 240.00) pixels
;
--CIF-BINARY-FORMAT-SECTION--
X-Binary-Size: 12
X-Binary-Element-Type: "signed 32-bit integer"
X-Binary-Size-Fastest-Dimension: 487
X-Binary-Size-Second-Dimension: 619

\x0c\x1a\x04\xd5binary"""


def edf(frames: int = 1, cut: int = 0, **more: str) -> bytes:
    """EDF of 4 by 6 pixels."""
    said = {"HeaderID": "EH:1:0:0", "ByteOrder": "LowByteFirst", "DataType": "UnsignedShort"}
    said |= {"Dim_1": "6", "Dim_2": "4", "Title": "a film", **more}
    text = "{\n" + "".join(f"{key} = {value} ;\n" for key, value in said.items())
    header = text.ljust(510) + "}\n"
    whole = (header.encode("latin-1") + bytes(48)) * frames
    return whole[: len(whole) - cut]


def one(found: FileMetadata) -> ArrayInfo:
    (array,) = found.arrays
    return array


def test_orso(tmp_path: Path) -> None:
    (tmp_path / "a.ort").write_text(ORSO)
    found = read_file(str(tmp_path / "a.ort"))
    assert (found.format, found.title, found.instrument) == ("ORSO", "Nickel on silicon", "AMOR")
    assert (found.facility, found.sample, found.proposal) == ("SINQ", "Ni1000", "20240001")
    assert found.start_time == datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001
    # Neutrons: the probe makes it neutron reflectometry.
    assert found.technique_ids == ("http://purl.org/pan-science/PaNET/PaNET01239",)
    assert found.scientific == {
        "incident_angle": {"value": 0.8, "unit": "deg"},
        "polarization": "unpolarized",
    }
    first, second = found.arrays
    assert (first.path, first.shape, first.signal) == ("0", (3, 3), True)
    assert first.axes == (Axis(name="Qz", units="1/angstrom"), None)
    assert (second.path, second.shape, second.signal) == ("spin_down", (2, 3), False)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not an ORSO file"),
        ("1 2 3\n", "not an ORSO file"),
        (ORSO.replace("A. Person", "[ }"), "not valid YAML"),
        (ORSO.splitlines()[0] + "\n# just words\n1 2\n", "not valid YAML"),
        (ORSO.splitlines()[0] + "\n# a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
        (ORSO.splitlines()[0] + "\n" + "# x: y\n" * 200_000, "a header of more than"),
    ],
)
def test_no_orso(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "a.ort").write_text(text)
    with pytest.raises(DataFileError, match=reason):
        read_file(str(tmp_path / "a.ort"))


@pytest.mark.parametrize(
    "lines",
    [
        ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40))],
        ["a39: &a [1, *a]"],
    ],
)
def test_an_orso_header_stands_for_no_more_than_it_is(tmp_path: Path, lines: list[str]) -> None:
    first, *_ = ORSO.splitlines()
    bomb = [*lines, "data_source: {experiment: {title: *a39, start_date: *a39}}"]
    if lines[0].startswith("a39"):
        bomb[-1] = bomb[-1].replace("*a39", "*a")
    text = "\n".join([first, *(f"# {line}" for line in bomb), "# Qz R", "1 2", ""])
    (tmp_path / "a.ort").write_text(text)
    with pytest.raises(DataFileError, match="more than 20000 values"):
        read_file(str(tmp_path / "a.ort"))


def test_an_orso_file_of_one_line_is_not_held_whole(tmp_path: Path) -> None:
    (tmp_path / "a.ort").write_text(ORSO + "1" * 10_000_000 + "\n")
    tracemalloc.start()
    found = read_file(str(tmp_path / "a.ort"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.format == "ORSO"
    assert most < 5_000_000


@pytest.mark.parametrize("odd", ["title: 5", "title: [1]", "start_date: soon", "sample: 3"])
def test_orso_with_other_types(tmp_path: Path, odd: str) -> None:
    key = odd.split(":", maxsplit=1)[0]
    lines = [f"#     {odd}" if f" {key}:" in line else line for line in ORSO.splitlines()]
    (tmp_path / "a.ort").write_text("\n".join(lines))
    found = read_file(str(tmp_path / "a.ort"))
    assert found.format == "ORSO"
    assert ("soon" in odd) == any("soon" in warning for warning in found.warnings)


def test_edf(tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_bytes(
        edf(SampleDistance="1.25", Title="Gr\xf6\xdfe", HMStartTime="2024-05-06T07:08:09")
    )
    found = read_file(str(tmp_path / "a.edf"))
    assert (found.format, found.title) == ("EDF", "Größe")
    assert (one(found).shape, one(found).dtype, one(found).signal) == ((4, 6), "uint16", True)
    assert found.scientific == {"sampledistance": {"value": 1.25, "unit": "m"}}
    assert found.start_time == datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001


def test_edf_of_several_frames(tmp_path: Path) -> None:
    (tmp_path / "a.edf").write_bytes(edf(frames=3, time="Mon May  6 07:08:09 2024"))
    found = read_file(str(tmp_path / "a.edf"))
    assert one(found).shape == (3, 4, 6)
    assert found.start_time == datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"II*\0", "does not begin"),
        (b"{ Dim_1 = 5 ;", "no end"),
        (edf(cut=10), "truncated"),
        (edf(Dim_1="-5"), "does not say"),
        (edf(DataType="Picture"), "does not say"),
        (edf(Dim_2="9" * 11), "truncated"),
    ],
)
def test_no_edf(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "a.edf").write_bytes(content)
    with pytest.raises(DataFileError, match=reason):
        read_file(str(tmp_path / "a.edf"))


def test_cbf(tmp_path: Path) -> None:
    (tmp_path / "a.cbf").write_bytes(CBF)
    found = read_file(str(tmp_path / "a.cbf"))
    assert (one(found).shape, one(found).dtype) == ((619, 487), "int32")
    assert found.start_time == datetime(2024, 5, 6, 7, 8, 9, 123000)  # noqa: DTZ001
    assert found.scientific["Exposure_time"] == {"value": 1.5, "unit": "s"}
    assert found.scientific["Wavelength"] == {"value": 0.9795, "unit": "angstrom"}
    assert found.scientific["Pixel_size"] == {"value": 172e-6, "unit": "m"}
    for broken in (b"", b"no", CBF.replace(b"Second-Dimension: 619", b"")):
        (tmp_path / "b.cbf").write_bytes(broken)
        with pytest.raises(DataFileError):
            read_file(str(tmp_path / "b.cbf"))


def test_tiff(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    header = "# Exposure_time 2.0 s\r\n# 2024-05-06T07:08:09"
    tifffile.imwrite(path, np.zeros((4, 6), "u2"), description=header, metadata=None)
    found = read_file(str(path))
    assert (found.format, one(found).shape, one(found).dtype) == ("TIFF", (4, 6), "uint16")
    assert found.scientific["Exposure_time"] == {"value": 2.0, "unit": "s"}
    assert found.start_time == datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001


def test_tiff_of_several_pages(tmp_path: Path) -> None:
    path = tmp_path / "a.TIFF"
    when = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    tifffile.imwrite(path, np.zeros((3, 4, 6), "f4"), datetime=when, photometric="minisblack")
    found = read_file(str(path))
    assert one(found).shape == (3, 4, 6)
    assert found.start_time == datetime(2024, 5, 6, 7, 8, 9)  # noqa: DTZ001
    assert found.description is None  # tifffile's own JSON


@pytest.mark.parametrize("content", [b"", b"{}", b"II*\0\xff\xff\xff\x7f", b"MM\0*" + bytes(40)])
def test_no_tiff(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(DataFileError, match="not a TIFF file"):
        read_file(str(tmp_path / "a.tif"))


def test_cxi(tmp_path: Path) -> None:
    path = tmp_path / "a.cxi"
    with h5py.File(path, "w") as file:
        file["cxi_version"] = 160
        file["entry_1/title"] = "a virus"
        file["entry_1/start_time"] = "2024-05-06T07:08:09Z"
        file["entry_1/experiment_identifier"] = "cxi12345"
        file["entry_1/sample_1/name"] = "mimi"
        file["entry_1/instrument_1/name"] = "CXI"
        file["entry_1/instrument_1/source_1/name"] = "LCLS"
        file["entry_1/instrument_1/source_1/energy"] = 1.2e-15
        file["entry_1/instrument_1/detector_1/distance"] = 0.5
        file["entry_1/instrument_1/detector_1/data"] = np.zeros((5, 4, 6))
        file["entry_1/data_1/data"] = h5py.SoftLink("/entry_1/instrument_1/detector_1/data")
    found = read_file(str(path))
    assert (found.format, found.title, found.sample) == ("CXI", "a virus", "mimi")
    assert (found.instrument, found.facility, found.proposal) == ("CXI", "LCLS", "cxi12345")
    assert found.start_time == datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert (one(found).path, one(found).signal) == ("/entry_1/data_1/data", True)
    energy = found.scientific["entry_1/instrument_1/source_1/energy"]
    assert energy == {"value": 1.2e-15, "unit": "J"}


def test_an_eiger_master(folder: Path, rescan: Rescan, datasets: Datasets) -> None:
    for number in (1, 2):
        with h5py.File(folder / f"s_data_{number:06d}.h5", "w") as file:
            file["entry/data/data"] = np.zeros((10, 4, 6), "u4")
    with h5py.File(folder / "s_master.h5", "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        data = entry.create_group("data")
        data.attrs["NX_class"] = "NXdata"
        for number in (1, 2):
            target = h5py.ExternalLink(f"s_data_{number:06d}.h5", "/entry/data/data")
            data[f"data_{number:06d}"] = target
        detector = entry.create_group("instrument/detector")
        entry["instrument"].attrs["NX_class"] = "NXinstrument"
        detector.attrs["NX_class"] = "NXdetector"
        detector["detector_distance"] = 0.2
        detector["detector_distance"].attrs["units"] = "m"
        specific = detector.create_group("detectorSpecific")
        specific["nimages"], specific["ntrigger"], specific["photon_energy"] = 10, 2, 12400.0
        beam = entry.create_group("instrument/beam")
        beam.attrs["NX_class"] = "NXbeam"
        beam["incident_wavelength"] = 0.99987
        beam["incident_wavelength"].attrs["units"] = "angstrom"
        entry["sample/goniometer/omega"] = np.arange(20) * 0.1 + 5
        entry["sample/goniometer/omega"].attrs["units"] = "degree"
    assert rescan().failed == ()
    (found,) = datasets()
    assert [file.path.rpartition("/")[2] for file in found.files] == [
        "s_master.h5",
        "s_data_000001.h5",
        "s_data_000002.h5",
    ]
    assert (found.arrays[0].path, found.arrays[0].signal) == ("/entry/data/data_000001", True)
    assert found.arrays[0].shape == (10, 4, 6)
    said = found.scientific
    assert said["frames"] == 20
    assert said["entry/sample/goniometer/omega"] == {"value": 5.0, "unit": "degree"}
    assert said["entry/sample/goniometer/omega_step"] == {"value": 0.1, "unit": "degree"}
    assert said["entry/instrument/detector/detector_distance"] == {"value": 0.2, "unit": "m"}
    wavelength = said["entry/instrument/beam/incident_wavelength"]
    assert wavelength == {"value": 0.99987, "unit": "angstrom"}
