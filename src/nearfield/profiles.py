"""Who may use which profile, and what of its hardware a user has chosen."""

from __future__ import annotations

from collections.abc import Mapping

from nearfield.config import ChoiceName, Config, Hardware, HardwareConfig, ProfileConfig
from nearfield.datasets import Principal
from nearfield.errors import UnknownNameError, UsageError

ChosenValue = int | str


def usable(config: Config, user: Principal) -> dict[str, ProfileConfig]:
    """The profiles that this user may use, in the configuration's order."""
    return {
        name: profile
        for name, profile in config.profiles.items()
        if (not profile.users and not profile.groups)
        or user.name in profile.users
        or not user.groups.isdisjoint(profile.groups)
    }


def choose(config: Config, user: Principal, name: str) -> ProfileConfig:
    """The profile of that name. Raises UnknownNameError, which names those that exist."""
    allowed = usable(config, user)
    if name not in allowed:
        raise UnknownNameError("profile", name, allowed)
    return allowed[name]


def choose_hardware(
    config: Config, profile: ProfileConfig, name: str | None
) -> tuple[str, HardwareConfig]:
    """The hardware asked for, or the profile's first. Raises UnknownNameError."""
    name = profile.hardware[0] if name is None else name
    if name not in profile.hardware:
        raise UnknownNameError("hardware", name, profile.hardware)
    return name, config.hardware[name]


def with_choices(hardware: HardwareConfig, values: Mapping[ChoiceName, ChosenValue]) -> Hardware:
    """What is asked of the scheduler once the user has chosen.

    Raises:
        UsageError: names each value that is not open to choice, or not within its limits.
    """
    choices = hardware.choices.named()
    problems = []
    for name, value in values.items():
        choice = choices.get(name)
        if choice is None:
            problems.append(f"{name} is not open to choice here")
        elif not choice.allows(value):
            problems.append(f"{name} must be {choice}, not {str(value)[:80]!r}")
    if problems:
        open_ones = ", ".join(choices) or "nothing"
        raise UsageError("; ".join(problems), hint=f"open to choice: {open_ones}")
    fixed = hardware.model_dump(include=set(Hardware.model_fields))
    return Hardware.model_validate(fixed | dict(values))
