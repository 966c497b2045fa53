"""``GET choices``: the profiles that the user may use, and what of them is open to choice."""

from __future__ import annotations

from typing import Any

from nearfield.config import Config, Hardware, HardwareConfig, Numbers, Pattern, Range, Words
from nearfield.profiles import usable
from nearfield_spawners.hub_api.handler import PageHandler
from nearfield_spawners.hub_api.models import (
    AnyChoice,
    ChoicesAnswer,
    EnvironmentShown,
    HardwareChoice,
    ListChoice,
    PatternChoice,
    ProfileChoice,
    RangeChoice,
    SessionLimits,
)


class ChoicesHandler(PageHandler):
    """Asks nobody: configuration and the user's groups are all it needs."""

    def get(self) -> None:
        spawner = self.user_spawner()
        self.answer(choices_of(spawner))


def choices_of(spawner: Any) -> ChoicesAnswer:
    """What the spawner's user may choose."""
    config: Config = spawner.site
    running = sum(1 for other in spawner.user.spawners.values() if other.active)
    return ChoicesAnswer(
        profiles=tuple(
            ProfileChoice(
                name=name,
                title=profile.title or name,
                description=profile.description,
                techniques=config.environments[profile.environment].techniques,
                environment=_environment(config, profile.environment),
                hardware=tuple(_hardware(config, key) for key in profile.hardware),
                per_user=profile.per_user,
            )
            for name, profile in usable(config, spawner.principal).items()
        ),
        sessions=SessionLimits(
            per_user=config.sessions.per_user, named=config.sessions.named, running=running
        ),
    )


def _environment(config: Config, name: str) -> EnvironmentShown:
    entry = config.environments[name]
    return EnvironmentShown(
        name=name, title=entry.title or name, description=entry.description, card=None
    )


def _hardware(config: Config, name: str) -> HardwareChoice:
    entry = config.hardware[name]
    return HardwareChoice(
        name=name,
        title=entry.title or name,
        cluster=entry.cluster,
        partition=entry.partition,
        defaults=_defaults(entry),
        choices={key: _choice(choice) for key, choice in entry.choices.named().items()},
    )


def _defaults(entry: HardwareConfig) -> dict[str, int | str | None]:
    shown = set(Hardware.model_fields) - {"partition", "constraint"}
    return entry.model_dump(include=shown)


def _choice(choice: Range | Numbers | Words | Pattern) -> AnyChoice:
    if isinstance(choice, Range):
        return RangeChoice(least=choice.least, most=choice.most, step=choice.step)
    if isinstance(choice, Pattern):
        return PatternChoice(pattern=choice.pattern)
    return ListChoice(values=choice.values)
