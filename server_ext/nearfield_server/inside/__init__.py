"""A look inside one HDF5 file, bounded in every direction, by a process of its own.

``files`` says which files may be opened, ``walk`` follows links through them, ``tree``, ``values``
and ``picture`` look, ``__main__`` is the process, ``looker`` the server's side of it. HDF5 may hang
on a file system that is away, or crash on a damaged file: the server must not.
"""
