"""What to do where a package of an optional part is missing: said in one place.

Nearfield is in no package index, and what bears its name there is not ours: no hint may tell
anybody to install it by that name.
"""

from __future__ import annotations


def install_extra(extra: str) -> str:
    """The hint of an error: which extra of Nearfield brings what is missing."""
    return (
        f"install Nearfield again with its extra {extra!r}, from your clone or your site's wheel: "
        "docs/how-to/install.md, section Extras"
    )
