"""Pictures of the results of the benchmarks of reductions, for the documentation.

``python -m benchkit.charts`` (``make bench-charts``) reads ``results/reductions.json``,
``reduction_index.json`` and ``reduction_cost.json`` and draws
``docs/reference/images/reductions-speed.svg`` and ``reductions-scale.svg``, and the same as PNG.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

RESULTS = Path(__file__).resolve().parents[1] / "results"
IMAGES = Path(__file__).resolve().parents[2] / "docs/reference/images"
OURS, LIMIT, OTHERS, INK, FAINT = "#0b6e99", "#c9d3da", "#b08d57", "#22303a", "#66757f"
STORAGES = {
    "bslz4": "bitshuffle/LZ4",
    "gzip": "gzip, shuffled",
    "contiguous": "not compressed",
}
NAMES = {
    "decode only": "decoding alone, from memory",
    "ours": "Nearfield",
    "LiberTEM, pipelined": "LiberTEM, pipelined",
    "LiberTEM, dask": "LiberTEM, default",
    "expert xarray": "xarray + dask, by an expert",
    "plain xarray": "xarray + dask, as most write it",
}
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "xtick.color": FAINT,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 8,
    "svg.hashsalt": "nearfield",  # the same results give the same file
}

Found = Mapping[str, Any]


def speed(found: Found) -> Figure:
    """A panel for each way of storing, and one for azimuthal integration."""
    figure = Figure(figsize=(9.6, 7.4), layout="constrained")
    figure.suptitle(
        "One pass over a detector stack: sum of all frames, a region and four masks for each",
        x=0.01, ha="left", fontsize=12, fontweight="bold",
    )  # fmt: skip
    axes = figure.subplots(2, 2).ravel()
    for at, storage in zip(axes, STORAGES, strict=False):
        rows = {name: found[storage][name] for name in NAMES if name in found[storage]}
        whole = rows["decode only"]["gb_per_s"]
        bars(at, rows, lambda row, whole=whole: 100 * row["gb_per_s"] / whole)
        at.set_title(STORAGES[storage])
        at.set_xlabel("% of the speed of decoding alone")
        at.set_xlim(0, 136)
        at.set_xticks(range(0, 101, 20))
    rows = {"ours": found["azimuthal"]["ours"], "pyFAI loop": found["azimuthal"]["pyFAI loop"]}
    bars(axes[3], rows, lambda row: row["gb_per_s"])
    axes[3].set_title("Azimuthal integration, 500 bins")
    axes[3].set_xlabel("GB of pixels in a second, from bitshuffle/LZ4")
    axes[3].set_xlim(0, 1.36 * rows["ours"]["gb_per_s"])
    axes[3].set_ylim(axes[0].get_ylim())
    said(
        figure,
        found,
        "512 \N{MULTIPLICATION SIGN} 512 pixels of 16 bits, a frame a chunk, in the page cache",
    )
    return figure


def bars(at: Axes, rows: Found, length: Any) -> None:
    """One for each row, the first on top, with its speed and how many times ours is as fast."""
    for place, (name, row) in enumerate(rows.items()):
        colour = {"ours": OURS, "decode only": LIMIT}.get(name, OTHERS)
        at.barh(-place, length(row), 0.68, color=colour)
        gb = row["gb_per_s"]
        text = f"{gb:.2g} GB/s" if gb < 10 else f"{gb:.0f} GB/s"
        if name not in ("ours", "decode only"):
            text += f"   Nearfield {row['ours_over']:.2g} \N{MULTIPLICATION SIGN} as fast"
        at.annotate(
            text, (length(row), -place), (4, 0), textcoords="offset points", va="center",
            fontsize=8, fontweight="bold" if name == "ours" else "normal",
        )  # fmt: skip
    at.set_yticks([-n for n in range(len(rows))], [NAMES.get(n, f"h5py + {n}") for n in rows])
    for label, name in zip(at.get_yticklabels(), rows, strict=True):
        label.set_fontweight("bold" if name == "ours" else "normal")
    at.tick_params(axis="y", length=0)
    at.spines["left"].set_visible(False)


def scale(found: Found, index: Found, cost: Found) -> Figure:
    """Memory, the index, and the estimate: what grows, and what does not."""
    figure = Figure(figsize=(10.6, 3.9), layout="constrained")
    figure.suptitle(
        "What does not grow with the stack, and what is known before it is read",
        x=0.01, ha="left", fontsize=12, fontweight="bold",
    )  # fmt: skip
    memory, opening, estimate = figure.subplots(1, 3, width_ratios=[1, 1.15, 1])
    peaks = found["peak_mb"]
    memory.bar([f"{n} GB" for n in peaks], list(peaks.values()), 0.6, color=OURS)
    for place, peak in enumerate(peaks.values()):
        memory.annotate(
            f"{peak:.0f}", (place, peak), (0, 3), textcoords="offset points", ha="center"
        )
    memory.axhline(300, color=OTHERS, lw=1.2, ls="--")
    memory.annotate("promised: at most 300", (-0.4, 300), (0, 4), textcoords="offset points")
    memory.set_ylim(0, 350)
    memory.set_title("Peak memory of a reduction")
    memory.set_ylabel("MB, beyond interpreter and result")
    memory.set_xlabel("stack, decoded")
    for which, colour, words in (("first_s", OTHERS, "first time"), ("cached_s", OURS, "again")):
        for kind, marker in (("chunks", "o"), ("mappings", "^")):
            rows = {int(n.split()[0]): row for n, row in index.items() if n.endswith(f" {kind}")}
            label = f"{words}, {'virtual ' if kind == 'mappings' else ''}{kind}"
            seconds = [row[which] for row in rows.values()]
            opening.loglog(list(rows), seconds, marker=marker, color=colour, lw=1.2, label=label)
    opening.legend(frameon=False, fontsize=7.5)
    opening.set_ylim(top=60)
    opening.set_title("To find a stack's bytes")
    opening.set_xlabel("frames")
    opening.set_ylabel("seconds")
    rows = {name: row for name, row in cost.items() if isinstance(row, dict) and "told_s" in row}
    estimate.axvspan(0.5, 2, color="#eef2f4")
    estimate.axvline(1, color=FAINT, lw=0.8)
    for place, row in enumerate(rows.values()):
        estimate.plot(row["told_s"] / row["took_s"], -place, "o", color=OURS, ms=7)
        estimate.annotate(
            f"{row['took_s']:.2g} s", (2.05, -place), (2, 0), textcoords="offset points",
            va="center", fontsize=7.5, annotation_clip=False,
        )  # fmt: skip
    estimate.set_yticks([-n for n in range(len(rows))], list(rows), fontsize=7.5)
    estimate.tick_params(axis="y", length=0)
    estimate.spines["left"].set_visible(False)
    estimate.set_xscale("log", base=2)
    estimate.set_xlim(0.45, 2.2)
    estimate.set_xticks([0.5, 1, 2], ["half", "right", "twice"])
    estimate.set_title("The estimate, after a first run")
    estimate.set_xlabel("time told over time taken")
    said(figure, found, "each figure from its own benchmark, medians of five")
    return figure


def said(figure: Figure, found: Found, what: str) -> None:
    """What a reader must know to compare, below."""
    facts = found["machine"]
    peer = f", LiberTEM {found['libertem']}" if found.get("libertem") else ""
    figure.supxlabel(
        f"{what}. {facts['cores']} cores, Linux {facts['kernel'].split('-')[0]}, "
        f"Python {facts['python']}{peer}, load {found['load']:.1f} before. "
        f"{found['taken'][:10]}, benchmarks/results",
        x=0.01, ha="left", fontsize=7, color=FAINT,
    )  # fmt: skip


def main() -> None:
    read = {
        name: json.loads((RESULTS / f"{name}.json").read_text())
        for name in ("reductions", "reduction_index", "reduction_cost")
    }
    IMAGES.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE):
        pictures = {
            "speed": speed(read["reductions"]),
            "scale": scale(read["reductions"], read["reduction_index"], read["reduction_cost"]),
        }
        for name, figure in pictures.items():
            path = IMAGES / f"reductions-{name}"
            figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
            figure.savefig(path.with_suffix(".png"), dpi=160)
            print(path.with_suffix(".svg"))


if __name__ == "__main__":
    main()
