"""The documentation's links lead somewhere, and its examples are valid."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest
import typer
import yaml

from nearfield.cli import app
from nearfield.config import load_rules, load_site_config, parse_config

TyperGroup = typer.core.TyperGroup
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


CATALOGUE_KEYS = {"catalogue", "catalogues", "storages"}


def parts() -> list[tuple[str, str]]:
    """Blocks of yaml that say only what catalogues are and where data lie."""
    block = re.compile(r"^( *)```yaml\n(.*?)^ *```", re.M | re.S)
    found = [
        (page.name, dedent(text)) for page in PAGES for _, text in block.findall(page.read_text())
    ]
    return [
        (page, text)
        for page, text in found
        if isinstance(said := yaml.safe_load(text), dict) and said and said.keys() <= CATALOGUE_KEYS
    ]


@pytest.mark.parametrize(("page", "text"), parts())
def test_catalogues_in_the_documentation_are_valid(page: str, text: str) -> None:
    assert parse_config(text, page)


def test_there_are_such_parts() -> None:
    assert {"open-your-catalogue.md", "login.md", "scicat.md"} <= {page for page, _ in parts()}


def test_the_rules_of_the_how_to_are_valid(tmp_path: Path) -> None:
    page = REPO / "docs/how-to/facility-rules.md"
    (text,) = re.findall(r"^```yaml\n(rules:.*?)^```", page.read_text(), re.M | re.S)
    (tmp_path / "rules.yaml").write_text(text)
    assert load_rules(tmp_path / "rules.yaml").rules[0].set


def test_the_example_that_is_installed_is_valid() -> None:
    assert load_site_config(REPO / "hub_config/nearfield.yaml").launcher.group


CONSOLE = re.compile(r"^( *)```console\n(.*?)^ *```", re.M | re.S)


def console(page: Path) -> list[str]:
    """The commands of the page's blocks, without prompts and comments."""
    blocks = "".join(block for _, block in CONSOLE.findall(page.read_text()))
    lines = blocks.replace("\\\n", " ").splitlines()
    return [
        re.sub(r"\s#\s.*", "", found[1]) for x in lines if (found := re.match(r" *[#$] (.*)", x))
    ]


def code(page: Path) -> list[str]:
    """Every command of the page, in blocks and in the text."""
    return console(page) + re.findall(r"`([^`\n]+)`", prose(page))


def nearfields(line: str) -> list[list[str]]:
    """The words after each ``nearfield`` of a line, to the end of that command."""
    return [
        call.split()
        for call in re.findall(
            r"(?:^|/bin/|&& |srun .* )nearfield +([^|;&<>()`\[\s][^|;&<>()`\[]*)", line
        )
    ]


def complaint(words: list[str]) -> str | None:
    """Why the command line would not know these words; values are not looked at."""
    command = typer.main.get_command(app)
    for word in words:
        if word.startswith("--"):
            known = {name for p in command.params for name in (*p.opts, *p.secondary_opts)}
            if word not in known | {"--help"}:
                return f"{command.name} has no option {word}"
        elif isinstance(command, TyperGroup) and re.fullmatch(r"[a-z-]+", word):
            if word not in command.commands:
                return f"{command.name} has no command {word}"
            command = command.commands[word]
    return None


def test_what_is_told_to_be_typed_exists() -> None:
    calls = [
        (page.name, words) for page in PAGES for line in code(page) for words in nearfields(line)
    ]
    assert {"install.md", "doctor.md", "write-profiles.md"} <= {page for page, _ in calls}
    assert not [(page, why) for page, words in calls if (why := complaint(words))]
    assert complaint(["catalogue", "scam", "/data"])
    assert complaint(["doctor", "--usr", "alice"])


def test_files_that_are_told_to_be_installed_exist() -> None:
    text = "\n".join(line for page in PAGES for line in code(page))
    text = re.sub(r"(\S+)\{(\w+),(\w+)\}(\S*)", r"\1\2\4 \1\3\4", text)
    named = set(re.findall(r"\bhub_config/[\w./@-]*\w", text))
    assert {"internal-tls.conf", "nearfield-hub.service"} <= {Path(name).name for name in named}
    assert not [name for name in sorted(named) if not (REPO / name).exists()]


def test_programs_of_the_installation_exist() -> None:
    """Nearfield's own are in pyproject.toml; the others come with the venv and JupyterHub."""
    project = (REPO / "pyproject.toml").read_text()
    scripts = set(re.findall(r"^(nearfield[\w-]*) = \"nearfield", project, re.M))
    text = "\n".join(line for page in PAGES for line in code(page))
    named = set(re.findall(r"/opt/nearfield/bin/([\w-]+)", text))
    assert "nearfield" in named
    assert named - scripts <= {"jupyterhub", "node", "python"}


def bash(lines: list[str], root: Path) -> None:
    """Run lines of a guide with their folders below ``root``."""
    script = "\n".join(re.sub(r"(?<![\w.])/(opt|usr|var)/", rf"{root}/\1/", x) for x in lines)
    subprocess.run(["/bin/bash", "-euc", script], check=True, capture_output=True)


def links(page: str) -> list[str]:
    return [line for line in console(REPO / "docs/how-to" / page) if "ln -sfT" in line]


def test_an_upgrade_switches_the_link_that_the_installation_made(tmp_path: Path) -> None:
    for name in ("opt/nearfield-0.1.0", "opt/nearfield-0.2.0", "usr/local/bin"):
        (tmp_path / name).mkdir(parents=True)
    first, (forth, back) = links("install.md"), links("upgrade.md")
    link = tmp_path / "opt/nearfield"
    bash(["new=/opt/nearfield-0.1.0", *first], tmp_path)
    assert link.readlink() == Path("nearfield-0.1.0")
    for _ in range(2):  # as it is the second time, so it is the third
        bash(["new=/opt/nearfield-0.2.0", forth], tmp_path)
        assert link.readlink() == Path("nearfield-0.2.0")
        bash([back], tmp_path)
        assert link.readlink() == Path("nearfield-0.1.0")
    assert not list((tmp_path / "opt").glob("*/*"))
    # Where it is a folder nothing is put inside: the command fails.
    link.unlink()
    link.mkdir()
    with pytest.raises(subprocess.CalledProcessError):
        bash(["new=/opt/nearfield-0.2.0", forth], tmp_path)


def test_a_new_version_is_made_as_the_first_was() -> None:
    """All commands that name the new folder, but for the database's."""
    made, again = (
        [line for line in console(REPO / "docs/how-to" / page) if "$new/" in line or "new=" in line]
        for page in ("install.md", "upgrade.md")
    )
    assert [x for x in made if "nearfield-scan" not in x] == [
        x for x in again if "upgrade-db" not in x
    ]


def test_going_back_takes_the_hubs_database_alone() -> None:
    """The same folder has the catalogue, with what was published since."""
    touched = [
        shlex.split(line)
        for line in console(REPO / "docs/how-to/upgrade.md")
        if "/var/lib/nearfield" in line
    ]
    assert touched
    for words in touched:
        assert words[0] in {"sqlite3", "cd", "install"}
        for word in words:
            if "/var/lib/nearfield/" in word:
                assert word.endswith("/var/lib/nearfield/jupyterhub.sqlite")


def test_nothing_is_installed_by_a_name_that_is_nobodys() -> None:
    """Nearfield is in no public index: who registers the name would run in every session."""
    shipped = [p for p in (REPO / "hub_config").rglob("*") if p.suffix in {".def", ".py", ".conf"}]
    for path in [*PAGES, *shipped]:
        assert not re.search(
            r"pip3? (?:install|wheel|download)[^\n]*[ '\"]nearfield\b", path.read_text()
        )
    image = (REPO / "hub_config/environments/analysis.def").read_text()
    source, target = re.search(r"^%files\n +(\S+) (\S+)$", image, re.M).groups()  # type: ignore[union-attr]
    assert f"set -- {target}/nearfield-*.whl\n" in image
    assert f'-c {target}/constraints.txt "$1[' in image
    wheel = source.replace("/opt/nearfield/", "$new/")
    install = "\n".join(console(REPO / "docs/how-to/install.md"))
    assert f'-w "{wheel}" .' in install
    assert f'cp constraints.txt "{wheel}/"' in install
