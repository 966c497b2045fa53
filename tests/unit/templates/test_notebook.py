"""What of a notebook is shown while it runs."""

from __future__ import annotations

import pytest

from nearfield.templates.notebook import heading

CODE = {"cell_type": "code", "source": "# a comment\nx = 1"}


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        ([], ""),
        ([CODE], ""),
        ([{"cell_type": "markdown", "source": ["# Title\n", "\n", "## Cut ##\n"]}], "Cut"),
        ([{"cell_type": "markdown", "source": "## One"}, CODE, CODE], "One"),
        ([{"cell_type": "markdown", "source": "## One"},
          {"cell_type": "markdown", "source": "#tag, and no heading"}, CODE], "One"),
    ],
)  # fmt: skip
def test_the_heading_above_a_cell(cells: list[dict[str, object]], text: str) -> None:
    assert heading(cells) == text
