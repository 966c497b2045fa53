"""Sizes and times as people say them."""

from __future__ import annotations

from nearfield.config import Hardware


def plural(count: int, one: str) -> str:
    return f"{count} {one}{'' if count == 1 else 's'}"


def memory(mebibytes: int) -> str:
    """``7.81 GiB``; below one GiB ``800 MiB``."""
    return f"{mebibytes / 1024:.3g} GiB" if mebibytes >= 1024 else f"{mebibytes} MiB"


def duration(minutes: int) -> str:
    """``1 h 30 min``; from two days on ``3 d 4 h``."""
    days, rest = divmod(minutes, 24 * 60) if minutes >= 48 * 60 else (0, minutes)
    parts = ((days, "d"), (rest // 60, "h"), (rest % 60, "min"))
    return " ".join(f"{count} {unit}" for count, unit in parts if count) or "0 min"


def describe(hardware: Hardware) -> str:
    """``4 cores, 16 GiB, 8 h, 1 GPU``."""
    parts = [
        plural(hardware.cores, "core"),
        memory(hardware.memory_mb),
        duration(hardware.minutes),
    ]
    if hardware.gpus:
        parts.append(plural(hardware.gpus, "GPU"))
    return ", ".join(parts)
