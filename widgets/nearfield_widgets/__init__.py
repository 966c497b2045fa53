"""Widgets for notebooks, on anywidget: their JavaScript comes with the kernel.

``DatasetPicker`` finds and chooses datasets. It is loaded when first used, so that importing this
package costs nothing; it takes the extra ``widgets`` where the kernel runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nearfield_widgets.picker import DatasetPicker

__all__ = ["DatasetPicker"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from nearfield_widgets.picker import DatasetPicker
    except ModuleNotFoundError as error:
        if error.name not in {"anywidget", "ipywidgets", "traitlets"}:
            raise
        from nearfield.errors import BlockedError
        from nearfield.extras import install_extra

        raise BlockedError(
            f"widgets need {error.name}, which this kernel does not have",
            hint=f"{install_extra('widgets')}; then restart the kernel",
        ) from error
    return DatasetPicker


def __dir__() -> list[str]:
    return sorted(__all__)
