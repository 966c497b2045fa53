"""Reductions of a file while a detector writes it: each frame is right, again and again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import nearfield
from nearfield.errors import UsageError

WRITER = """
import sys, time
import h5py, hdf5plugin
with h5py.File(sys.argv[1], "w", libver="latest") as file:
    data = file.create_dataset("data", (0, 64, 64), "u2", maxshape=(None, 64, 64),
                               chunks=(int(sys.argv[2]), 64, 64), **hdf5plugin.Bitshuffle())
    file.swmr_mode = True
    print("ready", flush=True)
    end, frame = time.monotonic() + 15, 0
    while time.monotonic() < end:
        for _ in range(7):
            data.resize(frame + 1, 0)
            data[frame] = frame % 65536
            frame += 1
        data.flush()
"""


@pytest.mark.soak
@pytest.mark.parametrize("frames_a_chunk", [1, 5])
def test_while_it_is_written(tmp_path: Path, frames_a_chunk: int) -> None:
    path = tmp_path / "a.h5"
    command = [sys.executable, "-c", WRITER, str(path), str(frames_a_chunk)]
    seen: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        while writer.poll() is None:
            try:
                found = nearfield.reduce(path, roi=(), workers=2).load()
            except UsageError:  # no frame yet
                continue
            count = found.sizes["frame"]
            right = np.arange(count) % 65536 * 4096
            np.testing.assert_array_equal(found["roi"], right)
            assert count == found.attrs["frame_count"]
            assert found.attrs["partial"] == 1 or writer.poll() is not None
            seen.append(count)
    assert writer.returncode == 0
    assert len(set(seen)) >= 3
    assert seen == sorted(seen)
