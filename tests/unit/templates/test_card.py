"""Cards, and finding templates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from nearfield.config import Config
from nearfield.datasets import ArrayInfo, Dataset
from nearfield.errors import ConfigError, UnknownNameError
from nearfield.templates.card import Card, card_schema, load_card
from nearfield.templates.find import all_templates, find_template

REPO = Path(__file__).resolve().parents[3]
Make = Callable[..., Path]


def schema(**properties: Any) -> dict[str, Any]:
    return {"parameters": {"type": "object", "properties": properties}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colour": "red"}, "colour: unknown key"),
        ({"version": "one"}, "version: "),
        ({"title": ""}, "title: "),
        ({"parameters": {"type": "array"}}, "parameters: must be of type: object"),
        (schema(a={"type": "nix"}), "properties.a"),
        (schema(a={"type": "integer", "default": "x"}), "a: the default does not fit"),
        (schema(**{"a b": {}}), "'a b' is not a name"),
        (schema(**{"if": {}}), "'if' is not a name"),
        (schema(output_dir={}), "given by every run"),
        ({"datasets": {"min": 3, "max": 2}}, "datasets: max is less than min"),
        ({"outputs": [{"path": "../x"}]}, "outputs.0.path: must be"),
        ({"outputs": [{"path": "/etc/x"}]}, "outputs.0.path: must be"),
        ({"outputs": [{"path": ".nearfield/record.json"}]}, "outputs.0.path: must be"),
        ({"summary": "s.json"}, "'s.json' is not among outputs"),
    ],
)  # fmt: skip
def test_errors_name_file_and_key(make_template: Make, change: dict[str, Any], words: str) -> None:
    folder = make_template(**change)
    with pytest.raises(ConfigError) as caught:
        load_card(folder)
    assert str(folder / "card.yaml") in str(caught.value)
    assert words in str(caught.value)


def test_yaml_that_is_none_is_told_with_its_line(make_template: Make) -> None:
    folder = make_template()
    (folder / "card.yaml").write_text("name: a\nversion: [1\n")
    with pytest.raises(ConfigError, match=r"card\.yaml, line \d: not valid YAML"):
        load_card(folder)


def test_published_schema_is_in_sync() -> None:
    published = REPO / "docs/reference/template-card.schema.json"
    assert json.loads(published.read_text()) == card_schema(), (
        f"run: python -m nearfield.templates.card > {published}"
    )


def test_every_key_is_described_in_the_reference() -> None:
    text = (REPO / "docs/reference/template-card.md").read_text()
    assert not [name for name in Card.model_fields if f"`{name}`" not in text]


def card(**change: Any) -> Card:
    return Card.model_validate({"name": "a", "version": "1.0", "title": "A"} | change)


def arrays(*shapes: tuple[int, ...]) -> Dataset:
    found = tuple(ArrayInfo(path=f"/a{i}", shape=s, dtype="<u2") for i, s in enumerate(shapes))
    return Dataset(pid="p", arrays=found)


def test_what_fits() -> None:
    needs = card(datasets={"array": {"min_ndim": 3, "max_ndim": 4}})
    assert needs.misfits(arrays((5,), (2, 3, 4))) == []
    assert needs.misfits(arrays()) == [], "a catalogue may not know the arrays"
    (told,) = needs.misfits(arrays((5,), (2, 3)))
    assert told == "it needs an array of 3 to 4 dimensions; /a1 has the most, 2"


def test_techniques_are_compared_without_case_and_unknown_ones_are_no_reason() -> None:
    saxs = card(techniques=["NXsas"])
    assert saxs.suits(Dataset(pid="p", techniques=("nxSAS",)))
    assert saxs.suits(Dataset(pid="p"))
    assert not saxs.suits(Dataset(pid="p", techniques=("NXarpes",)))
    assert card().suits(Dataset(pid="p", techniques=("NXarpes",)))


def test_the_sites_templates_come_before_ours(make_template: Make, tmp_path: Path) -> None:
    make_template("frames-projection", title="The site's own", where=tmp_path / "site")
    config = Config(templates=(tmp_path / "site",))
    assert find_template(config, "frames-projection").card.title == "The site's own"
    ours = find_template(Config(), "frames-projection")
    assert ours.folder == REPO / "notebooks/frames-projection"


def test_a_folder_can_be_named(make_template: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_template()
    assert find_template(Config(), str(folder)).card.name == "small"
    monkeypatch.chdir(folder)
    assert find_template(Config(), ".").folder == folder


def test_an_unknown_name_names_the_choices() -> None:
    with pytest.raises(UnknownNameError, match="frames-projection"):
        find_template(Config(), "frame-projection")


def test_a_broken_card_hides_no_other_and_says_so_when_asked_for(
    make_template: Make, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    broken = make_template("broken", colour="red", where=site)
    make_template("good", where=site)
    config = Config(templates=(site, tmp_path / "absent"))
    found, errors = all_templates(config)
    assert "good" in {template.card.name for template in found}
    assert len(errors) == 1
    with pytest.raises(ConfigError, match="colour"):
        find_template(config, "broken")
    shutil.rmtree(broken)
    with pytest.raises(UnknownNameError):
        find_template(config, "broken")


def test_our_own_cards_are_plain_yaml() -> None:
    for path in (REPO / "notebooks").glob("*/card.yaml"):
        assert yaml.safe_load(path.read_text())["name"] == path.parent.name
