"""The JavaScript and CSS of the widgets, made by ``make js``; in the wheel but not in git."""

from __future__ import annotations

from pathlib import Path

STATIC = Path(__file__).parent / "static"

_NOT_BUILT = """
export default {
  render({ el }) {
    el.textContent = "This widget was not built: run `make js` in Nearfield's checkout.";
  },
};
"""


def script(name: str, folder: Path = STATIC) -> str:
    """The bundle ``name``; in a clone without Node one that says what to do."""
    try:
        return (folder / f"{name}.js").read_text(encoding="utf-8")
    except FileNotFoundError:
        return _NOT_BUILT


def style(name: str, folder: Path = STATIC) -> str:
    """The style sheet ``name``, or none."""
    try:
        return (folder / f"{name}-style.css").read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
