"""The spawn form: works without JavaScript, holds nothing that the options do not check again."""

from __future__ import annotations

from html import escape
from typing import Any

from nearfield.config import Hardware
from nearfield.profiles import usable


def describe(hardware: Hardware) -> str:
    """``4 cores, 16 GiB, 8 h, 1 GPU``."""
    hours, minutes = divmod(hardware.minutes, 60)
    time = " ".join([f"{hours} h"] * bool(hours) + [f"{minutes} min"] * bool(minutes))
    parts = [
        f"{hardware.cores} core{'s' if hardware.cores > 1 else ''}",
        f"{hardware.memory_mb / 1024:.3g} GiB",
        time,
    ]
    if hardware.gpus:
        parts.append(f"{hardware.gpus} GPU{'s' if hardware.gpus > 1 else ''}")
    return ", ".join(parts)


def options_form(spawner: Any) -> str:
    """The profiles this user may use, and a field for dataset PIDs."""
    config = spawner.site
    allowed = usable(config, spawner.principal)
    if not allowed:
        return "<p>No profile is open to you here. Please ask the administrators.</p>"
    # After a refusal the form comes back with what was asked for.
    asked = spawner.user_options or {}
    chosen = asked.get("profile")
    chosen = chosen if chosen in allowed else next(iter(allowed))
    listed = asked.get("datasets", ())
    pids = "\n".join(map(str, listed)) if isinstance(listed, list | tuple) else ""
    rows = []
    for name, profile in allowed.items():
        hardware = config.hardware[profile.hardware[0]]
        environment = config.environments[profile.environment]
        size = describe(hardware)
        key = escape(name, quote=True)
        rows.append(
            f'<div class="form-check"><input class="form-check-input" type="radio" name="profile"'
            f' id="profile-{key}" value="{key}"{" checked" if name == chosen else ""}>'
            f'<label class="form-check-label" for="profile-{key}">'
            f"<strong>{escape(profile.title or name)}</strong><br>"
            f"{escape(environment.title or profile.environment)}: {escape(size)}</label></div>"
        )
    return (
        '<fieldset class="mb-3"><legend>Environment and hardware</legend>'
        f"{''.join(rows)}</fieldset>"
        '<div class="mb-3"><label class="form-label" for="datasets">Datasets (PIDs, one per line)'
        '</label><textarea class="form-control" id="datasets" name="datasets" rows="3"'
        f' aria-describedby="datasets-help">{escape(pids)}</textarea>'
        '<div id="datasets-help" class="form-text">They appear as folders of links under'
        " <code>$NEARFIELD_DATA</code> (<code>/data</code> in images).</div></div>"
    )
