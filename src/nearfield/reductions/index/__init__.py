"""From a file to a stack: which bytes hold which frames.

``opening`` is the entrance. It finds the dataset (``signal``, ``links``, ``numbered``), resolves
it to pieces of chunks (``stored``, ``virtual``) and joins these to a few parts (``merging``).
TIFF, EDF, CBF and raw files go through ``images``. ``sources`` opens the files and notes what the
index rests on, ``cache`` keeps the result.
"""

from nearfield.reductions.index.files import same_file
from nearfield.reductions.index.images import open_raw
from nearfield.reductions.index.opening import open_stack
from nearfield.reductions.index.refusing import NotUnderstood
from nearfield.reductions.index.renewing import renewed

__all__ = ["NotUnderstood", "open_raw", "open_stack", "renewed", "same_file"]
