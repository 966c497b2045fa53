"""What is white on the accent can be read (WCAG 2, AA: 4.5 to 1)."""

from __future__ import annotations

import re
from pathlib import Path

STYLE = Path(__file__).resolve().parents[3] / "js/src/style.css"


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_white_on_the_accent() -> None:
    text = STYLE.read_text()
    [colour] = re.findall(r"--nf-under-white: (#[0-9a-f]{6});", text)
    assert 1.05 / (luminance(colour) + 0.05) >= 4.5
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", text)
    plain = [
        sel.strip()
        for sel, body in rules
        if re.search(r"background(-color)?: var\(--nf-accent\)", body)
    ]
    # Lines and handles alone: nothing is written on them.
    assert all(re.search(r"thumb|progress-bar|stepline", sel) for sel in plain), plain
