"""A stack whose files may have changed since it was opened: looked at again before it is read.

Hours lie between a result that is asked for and one that is computed. A file that has grown by
then gives the frames that were asked for; one that was rewritten gives what it holds now.
"""

from __future__ import annotations

import os
from dataclasses import replace

from nearfield.errors import DataFileError
from nearfield.reductions.index.files import file_id, unchanged
from nearfield.reductions.index.growing import first_frames
from nearfield.reductions.index.opening import open_stack
from nearfield.reductions.stack import Stack


def renewed(stack: Stack) -> Stack:
    """The same stack if its files are as they were, else its frames as the files are now.

    Of a file with more frames than before it is the first ones, and ``partial``. One that is
    written by SWMR keeps the frames that its stack had.

    Raises:
        DataFileError: a file is gone, or has fewer frames or other ones than were asked for.
    """
    if stack.asked is None:
        return stack
    asked = stack.asked
    # To list a Zarr array's files again is all that its index costs.
    if not os.path.isdir(asked.path) and _as_before(stack):  # noqa: PTH112
        return stack
    now = open_stack(asked.path, asked.name, frame_ndim=asked.frame_ndim)
    if (now.shape[1:], now.dtype) != (stack.shape[1:], stack.dtype):
        words = f"it has frames {now.shape[1:]} of {now.dtype} now"
    elif now.shape[0] < stack.shape[0]:
        words = f"it has {now.shape[0]} frames now"
    elif now.shape[0] == stack.shape[0]:
        return now
    else:
        cut = replace(first_frames(now, stack.shape[0]), partial=True)
        return replace(cut, outer=stack.outer)
    raise DataFileError(
        asked.path,
        f"{words}, and had {stack.shape} of {stack.dtype} when it was opened",
        hint="open it again",
    )


def _as_before(stack: Stack) -> bool:
    try:
        return all(unchanged(file_id(file.path), file) for file in stack.files)
    except OSError:
        return False
