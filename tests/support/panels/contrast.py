"""Can the text be read? axe-core leaves open what it cannot see through (clipped lines, marks):
here each text's colour is laid upon the colours below it, as the browser does.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

LEAST = 4.5  # WCAG 2, AA

_MEASURE = """
(selector) => {
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 })
    .getContext("2d", { willReadFrequently: true });
  const lay = (...colours) => {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const light = (rgb) => {
    const [r, g, b] = rgb.map((c) => c / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const seen = [];
  for (const element of document.querySelectorAll(`${selector} *`)) {
    const own = [...element.childNodes].filter((n) => n.nodeType === 3 && n.data.trim());
    if (!own.length || !element.checkVisibility()) continue;
    const grounds = [];
    for (let at = element; at; at = at.parentElement)
      grounds.unshift(getComputedStyle(at).backgroundColor);
    const ground = light(lay(...grounds));
    const ink = light(lay(...grounds, getComputedStyle(element).color));
    const ratio = (Math.max(ground, ink) + 0.05) / (Math.min(ground, ink) + 0.05);
    seen.push([element.tagName + "." + element.className, own[0].data.slice(0, 40), ratio]);
  }
  return seen;
}
"""


def faint(page: Page, selector: str) -> list[str]:
    """Texts in ``selector`` that stand out too little from what is behind them."""
    seen: list[Any] = page.evaluate(_MEASURE, selector)
    assert seen, f"there is no text in {selector}"
    return [f"{what} {text!r}: {ratio:.2f}" for what, text, ratio in seen if ratio < LEAST]
