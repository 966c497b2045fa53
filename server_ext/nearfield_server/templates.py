"""``GET templates``: what can be run here."""

from __future__ import annotations

import asyncio

from jupyter_server.auth.decorator import authorized
from tornado import web

from nearfield.config import Config
from nearfield_server.handler import Handler
from nearfield_server.models import TemplatesAnswer, TemplateShown


class TemplatesHandler(Handler):
    """``GET templates``: the cards, as the command ``nearfield templates list`` has them."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        config = await self.access.config()
        self.answer(await asyncio.to_thread(templates_of, config))


def templates_of(config: Config) -> TemplatesAnswer:
    """Every template by name, and what is wrong with those that cannot be used."""
    from nearfield.templates.find import all_templates

    found, broken = all_templates(config)
    return TemplatesAnswer(
        templates=tuple(
            TemplateShown.model_validate(
                {**template.card.model_dump(mode="json"), "folder": str(template.folder)}
            )
            for template in found
        ),
        broken=tuple(error.message for error in broken),
    )
