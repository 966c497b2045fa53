"""Stacks for tests: written by h5py, read back from a ``Stack`` in the plainest way."""
