"""What the index does not understand: said, and left to h5py."""

from __future__ import annotations


class NotUnderstood(Exception):
    """Bytes of a stack were not resolved; the words say why. Its reading is h5py's then."""


class Absent(Exception):
    """What a path or link names is not there; the words say what."""
