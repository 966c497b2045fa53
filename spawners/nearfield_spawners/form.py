"""The spawn form: works without JavaScript, holds nothing that the options do not check again.

Everything to choose is in plain inputs. The page's script (``js/src/spawn``) adds the search for
datasets, availability and the placement to them; it replaces nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nearfield.config import (
    ChoiceName,
    Config,
    HardwareConfig,
    Numbers,
    ProfileConfig,
    Range,
    Words,
)
from nearfield.errors import UsageError
from nearfield.profiles import usable
from nearfield_spawners.amounts import describe, duration, memory
from nearfield_spawners.assets import TEMPLATES, asset_urls
from nearfield_spawners.form_fields import CHOICES, field_name
from nearfield_spawners.options import parse_options

# What a number of each option is in words; the rest are bare numbers.
_WORDS: Mapping[str, Callable[[int], str]] = {"memory_mb": memory, "minutes": duration}
_LABELS: Mapping[ChoiceName, tuple[str, str]] = {
    "cores": ("CPU cores", ""),
    "memory_mb": ("Memory", "MiB"),
    "minutes": ("Time limit", "minutes"),
    "gpus": ("GPUs", ""),
    "gpu_type": ("GPU type", ""),
    "account": ("Account", ""),
    "qos": ("Quality of service", ""),
    "reservation": ("Reservation", ""),
}


def say(option: str, value: object) -> str:
    """A value of an option in words: ``8 GiB``, ``1 h 30 min``, ``4``."""
    words = _WORDS.get(option)
    return words(value) if words is not None and isinstance(value, int) else str(value)


@dataclass(frozen=True)
class Input:
    """One thing of a hardware that is open to choice."""

    option: ChoiceName
    name: str
    label: str
    unit: str
    kind: str
    """``range``, ``list`` or ``text``."""
    value: str
    limits: str
    entries: tuple[tuple[str, str], ...] = ()
    """Of a list: value and words."""
    least: int | None = None
    most: int | None = None
    step: int | None = None


@dataclass(frozen=True)
class HardwareRow:
    name: str
    title: str
    size: str
    cluster: str
    partition: str
    checked: bool
    inputs: tuple[Input, ...]


@dataclass(frozen=True)
class ProfileCard:
    name: str
    title: str
    description: str
    environment: str
    techniques: tuple[str, ...]
    checked: bool
    hardware_field: str
    hardware: tuple[HardwareRow, ...]


def _input(
    profile: str, name: str, hardware: HardwareConfig, option: ChoiceName, asked: object
) -> Input:
    choice = hardware.choices.named()[option]
    default = getattr(hardware, option)
    value = asked if asked is not None and choice.allows(asked) else default
    label, unit = _LABELS[option]
    text = "" if value is None else str(value)
    field = field_name(option, profile, name)
    if isinstance(choice, Range):
        limits = f"{say(option, choice.least)} to {say(option, choice.most)}"
        if choice.step > 1:
            limits += f", in steps of {say(option, choice.step)}"
        kind, bounds = "range", (choice.least, choice.most, choice.step)
        return Input(option, field, label, unit, kind, text, limits, (), *bounds)
    if isinstance(choice, Numbers | Words):
        entries = tuple((str(v), say(option, v)) for v in choice.values)
        if default is None:
            entries = (("", "the site's default"), *entries)
        return Input(option, field, label, "", "list", text, "", entries)
    return Input(option, field, label, "", "text", text, f"Must match {choice.pattern}")


def _rows(
    config: Config, name: str, profile: ProfileConfig, asked: Mapping[str, Any]
) -> tuple[HardwareRow, ...]:
    mine = asked.get("profile") == name
    chosen = asked.get("hardware") if mine else None
    if chosen not in profile.hardware:
        chosen = profile.hardware[0]
    rows = []
    for key in profile.hardware:
        hardware = config.hardware[key]
        given: Mapping[str, Any] = asked if mine and key == chosen else {}
        inputs = tuple(
            _input(name, key, hardware, option, given.get(option))
            for option in CHOICES
            if option in hardware.choices.named()
        )
        rows.append(
            HardwareRow(
                name=key,
                title=hardware.title or key,
                size=describe(hardware),
                cluster=hardware.cluster,
                partition=hardware.partition or "",
                checked=key == chosen,
                inputs=inputs,
            )
        )
    return tuple(rows)


def _cards(
    config: Config, allowed: Mapping[str, ProfileConfig], asked: Mapping[str, Any]
) -> tuple[ProfileCard, ...]:
    chosen = asked.get("profile")
    if chosen not in allowed:
        chosen = next(iter(allowed), None)
    cards = []
    for name, profile in allowed.items():
        environment = config.environments[profile.environment]
        cards.append(
            ProfileCard(
                name=name,
                title=profile.title or name,
                description=profile.description,
                environment=environment.title or profile.environment,
                techniques=environment.techniques,
                checked=name == chosen,
                hardware_field=field_name("hardware", name),
                hardware=_rows(config, name, profile, {**asked, "profile": chosen}),
            )
        )
    return tuple(cards)


def _asked(spawner: Any) -> tuple[dict[str, Any], str, bool]:
    """What the form shows first, what of a link's wishes is wrong, and whether a link chose."""
    link = getattr(getattr(spawner, "handler", None), "preselected", None)
    if link is None:
        # After a refusal, or the next time, the form comes back with what was asked for.
        return dict(spawner.user_options or {}), "", False
    try:
        parse_options(link)
    except UsageError as error:
        return dict(link), f"The link that brought you here does not fit: {error.message}.", True
    if (name := link.get("profile")) and name not in usable(spawner.site, spawner.principal):
        return dict(link), f"The link asks for profile {name!r}, which is not open to you.", True
    return dict(link), "", True


_templates = Environment(
    loader=FileSystemLoader(TEMPLATES / "nearfield"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def options_form(spawner: Any) -> str:
    """The form's HTML: datasets, the profiles this user may use, and their hardware."""
    allowed = usable(spawner.site, spawner.principal)
    asked, problem, linked = _asked(spawner)
    listed = asked.get("datasets", ())
    pids = [str(pid) for pid in listed] if isinstance(listed, list | tuple) else []
    hub_url = getattr(getattr(spawner, "hub", None), "base_url", "/hub/")
    return _templates.get_template("form.html").render(
        cards=_cards(spawner.site, allowed, asked),
        pids=pids,
        problem=problem,
        linked=linked and "profile" in asked,
        named="profile" in asked,
        sized=not asked.keys().isdisjoint({"hardware", *CHOICES}),
        user=getattr(getattr(spawner, "user", None), "name", ""),
        server=getattr(spawner, "name", ""),
        ending=getattr(spawner, "last_ending", None),
        hub_url=hub_url,
        assets=asset_urls(hub_url),
        searchable=bool(spawner.site.catalogue.url),
    )
