"""The progress of a reduction, with a button that ends it as the kernel's own does.

A cell that computes keeps the kernel busy, which hears no widget meanwhile: the button interrupts
it, by the command of JupyterLab and Notebook 7, and is there where these are.
"""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

from nearfield_widgets._bundles import STATIC, script, style


class ReductionProgress(anywidget.AnyWidget):
    """A bar and words.

    Raises:
        FileNotFoundError: its JavaScript was not built, as in a clone without Node.
    """

    _esm = script("progress")
    _css = style("progress")

    share = traitlets.Float(0.0, help="How much is done, from 0 to 1.").tag(sync=True)
    words = traitlets.Unicode("", help="The same, and how fast.").tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        if not (STATIC / "progress.js").is_file():
            raise FileNotFoundError(STATIC / "progress.js")
        super().__init__(**traits)

    def show(self, share: float, words: str) -> None:
        """From 0 to 1, and in words."""
        with self.hold_sync():
            self.share, self.words = share, words

    def __repr__(self) -> str:
        return f"reduce: {self.words}"
