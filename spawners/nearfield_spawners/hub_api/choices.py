"""``GET choices``: the profiles that the user may use, and what of them is open to choice."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nearfield.config import Config, Hardware, HardwareConfig, Numbers, Pattern, Range, Words
from nearfield.profiles import usable
from nearfield_spawners.cards import CARDS, techniques_of
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
    """Asks nobody but the images themselves, once for each state of a file."""

    async def get(self) -> None:
        spawner = self.user_spawner()
        config: Config = spawner.site
        names = {profile.environment for profile in usable(config, spawner.principal).values()}
        cards = await CARDS.of((name, config.environments[name]) for name in sorted(names))
        self.answer(choices_of(spawner, cards))


def choices_of(spawner: Any, cards: Mapping[str, dict[str, Any] | None]) -> ChoicesAnswer:
    """What the spawner's user may choose. ``cards`` are those of the environments."""
    config: Config = spawner.site
    running = sum(1 for other in spawner.user.spawners.values() if other.active)
    return ChoicesAnswer(
        profiles=tuple(
            ProfileChoice(
                name=name,
                title=profile.title or name,
                description=profile.description,
                techniques=techniques_of(
                    config.environments[profile.environment], cards.get(profile.environment)
                ),
                environment=_environment(config, profile.environment, cards),
                hardware=tuple(_hardware(config, key) for key in profile.hardware),
                per_user=profile.per_user,
            )
            for name, profile in usable(config, spawner.principal).items()
        ),
        sessions=SessionLimits(
            per_user=config.sessions.per_user, named=config.sessions.named, running=running
        ),
    )


def _environment(
    config: Config, name: str, cards: Mapping[str, dict[str, Any] | None]
) -> EnvironmentShown:
    entry, card = config.environments[name], cards.get(name)
    told = card or {}
    return EnvironmentShown(
        name=name,
        title=entry.title or told.get("title") or name,
        description=entry.description or told.get("description", ""),
        card=card,
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
