"""Zarr arrays on local storage as stacks, without the zarr library.

``opening`` is the entrance. It finds the array (``finding``, ``documents``), reads how it is stored
(``layout``, ``codecs``), lists its files of chunks (``chunk_files``) and the indexes of its shards
(``shards``). What is not understood is refused, and the zarr library reads it.

Sources: the Zarr specifications, version 3 (https://zarr-specs.readthedocs.io/en/latest/v3/) with
its codecs and chunk key encodings, and version 2.
"""
