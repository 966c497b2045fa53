"""Where templates are: the site's folders, this checkout's, the ones that came with the wheel."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import nearfield
from nearfield.config import Config
from nearfield.errors import ConfigError, UnknownNameError
from nearfield.templates.card import CARD_NAME, NOTEBOOK_NAME, Card, load_card


@dataclass(frozen=True, slots=True)
class Template:
    """A template folder and its card."""

    folder: Path
    card: Card

    @property
    def notebook(self) -> Path:
        return self.folder / NOTEBOOK_NAME


def shelves(config: Config) -> list[Path]:
    """The folders of template folders, in the order in which they are searched."""
    checkout = Path(nearfield.__file__).resolve().parents[2]
    found = [*config.templates]
    if (checkout / "pyproject.toml").is_file():
        found.append(checkout / "notebooks")
    found.append(Path(sys.prefix) / "share/nearfield/templates")
    return found


def all_templates(config: Config) -> tuple[list[Template], list[ConfigError]]:
    """Every template by name, and what is wrong with those that cannot be used."""
    found: dict[str, Template] = {}
    broken = []
    for shelf in shelves(config):
        for folder in _folders(shelf):
            try:
                card = load_card(folder)
            except ConfigError as error:
                broken.append(error)
                continue
            found.setdefault(card.name, Template(folder, card))
    return [found[name] for name in sorted(found)], broken


def find_template(config: Config, name: str) -> Template:
    """The template of that name, or in the folder of that path.

    What has a path separator or begins with a dot is a path.

    Raises:
        UnknownNameError: there is none of that name; it names those that there are.
        ConfigError: the template's card cannot be used.
    """
    if os.sep in name or name.startswith("."):
        folder = Path(name).expanduser().resolve()
        return Template(folder, load_card(folder))
    known, broken = all_templates(config)
    for template in known:
        if template.card.name == name:
            return template
    for error in broken:
        if f"/{name}/{CARD_NAME}" in error.message:
            raise error
    raise UnknownNameError("template", name, [template.card.name for template in known])


def _folders(shelf: Path) -> list[Path]:
    try:
        return sorted(folder for folder in shelf.iterdir() if (folder / CARD_NAME).is_file())
    except OSError:
        return []
