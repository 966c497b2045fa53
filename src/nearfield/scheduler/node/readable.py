"""May this account read a dataset? A bounded number of questions, whatever the dataset holds."""

import errno
import os
from typing import List, Optional, Sequence, Tuple

SAMPLES = 16


def samples(files: Sequence[str], at_most: int = SAMPLES) -> List[str]:
    """The root file, then one file of each folder, then files evenly spread over the rest.

    A file stands for its folder: it cannot be reached unless all folders above let one through.
    """
    chosen = list(files[:1])
    folders = {os.path.dirname(path) for path in chosen}
    for path in files:
        if len(chosen) >= at_most:
            return chosen
        folder = os.path.dirname(path)
        if folder not in folders:
            folders.add(folder)
            chosen.append(path)
    room = at_most - len(chosen)
    taken = set(chosen)
    rest = [path for path in files if path not in taken]
    step = max(1, -(-len(rest) // room)) if room else len(rest) + 1
    # From the end: a dataset that is being written is least complete there.
    return chosen + rest[::-1][::step][:room]


def why_unreadable(path: str) -> str:
    """Why this account may not read a file; "" if it may. No file is opened: its blocks may be
    on tape."""
    try:
        # An automounted or hidden folder shows itself only when it is opened.
        os.close(os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY))
    except PermissionError:
        pass  # a folder may be passed through without being listed
    os.stat(path)
    return "" if os.access(path, os.R_OK) else "permission denied"


def first_unreadable(files: Sequence[str]) -> Optional[Tuple[str, str]]:
    """The first sample that keeps this account from the dataset, and why.

    The first file must be there. Another that is missing is a hole in the data, as the catalogue
    has them too: no question of rights.
    """
    for path in samples(files):
        why = ""
        try:
            why = why_unreadable(path)
        except OSError as error:
            if path == files[0] or error.errno in (errno.EACCES, errno.EPERM):
                why = error.strerror or str(error)
        if why:
            return path, why
    return None
