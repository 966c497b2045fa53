"""The documentation's links lead somewhere, and its examples are valid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nearfield.config import load_site_config, parse_config

REPO = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*REPO.glob("*.md"), *(REPO / "docs").rglob("*.md"), *(REPO / "notebooks").rglob("*.md")]
)
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")


def prose(page: Path) -> str:
    """The page without its blocks of code."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ +(.*)$", prose(page), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_links_lead_somewhere(page: Path) -> None:
    broken = []
    for found in LINK.finditer(prose(page)):
        link = found[1] or found[2]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


def test_every_page_is_in_the_index() -> None:
    """A page that nothing leads to is not found by those whom it is for."""
    index = (REPO / "docs/README.md").read_text()
    pages = {str(p.relative_to(REPO / "docs")) for p in (REPO / "docs").rglob("*.md")}
    missing = [
        page
        for page in sorted(pages - {"README.md"})
        if f"({page})" not in index and not page.startswith("explanation/decisions/")
    ]
    assert not missing, "add a line to docs/README.md"


def examples() -> list[tuple[str, str]]:
    """Blocks of yaml that begin with ``# nearfield.yaml``: whole files."""
    block = re.compile(r"^```yaml\n(# nearfield\.yaml\n.*?)^```", re.M | re.S)
    return [(page.name, text) for page in PAGES for text in block.findall(page.read_text())]


def test_there_are_examples() -> None:
    assert {"from-batchspawner.md", "from-moss.md"} <= {page for page, _ in examples()}


@pytest.mark.parametrize(("page", "text"), examples())
def test_whole_files_in_the_documentation_are_valid(page: str, text: str) -> None:
    assert parse_config(text, page).profiles


def test_the_example_that_is_installed_is_valid() -> None:
    assert load_site_config(REPO / "hub_config/nearfield.yaml").launcher.group
