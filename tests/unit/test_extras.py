"""Hints name extras, never a package of an index: nobody has registered ours there."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from nearfield.extras import install_extra

ROOT = Path(__file__).resolve().parents[2]
FROM_INDEX = re.compile(r"pip install[^\n]*[\s'\"`]nearfield\b(?![-/])[^\n]*")
SAID = [
    path
    for top in ("src", "spawners", "server_ext", "widgets", "js/src", "docs", "hub_config")
    for path in sorted((ROOT / top).rglob("*"))
    if path.suffix in {".py", ".md", ".ts", ".tsx", ".html", ".def"}
    and "node_modules" not in path.parts
]


def test_nobody_is_told_to_install_our_name_from_an_index() -> None:
    assert len(SAID) > 300
    wrong = [
        f"{path.relative_to(ROOT)}: {found.group()}"
        for path in SAID
        for found in re.finditer(
            r"pip install[^\n]*[\s'\"`]nearfield\b(?![-/])[^\n]*", path.read_text()
        )
    ]
    assert wrong == []


def test_each_extra_that_is_named_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {
        name
        for path in SAID
        for name in re.findall(r"install_extra\(['\"](\w+)['\"]\)", path.read_text())
    }
    assert {"hub", "server", "reduce", "widgets"} <= named
    assert named <= set(project["optional-dependencies"])
    assert "'hub'" in install_extra("hub")


def test_the_page_that_the_hint_names_has_the_section() -> None:
    page, section = re.search(r"(docs/\S+\.md), section (\w+)", install_extra("hub")).groups()
    assert f"# {section}\n" in (ROOT / page).read_text()
