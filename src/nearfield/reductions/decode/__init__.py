"""Decoding chunks without the GIL and without HDF5's lock."""
