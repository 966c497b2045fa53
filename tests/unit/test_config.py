"""nearfield.yaml: an error names file, line and key."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from nearfield.config import (
    DEMO_MARK,
    Config,
    Source,
    in_words,
    load_config,
    load_site_config,
    parse_config,
)
from nearfield.config.sources import DRIVERS
from nearfield.errors import ConfigError
from nearfield.storage import locate, near


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "catalogue:\n  nam: x\n",
            ["line 2", "catalogue.nam", "unknown key", "did you mean 'name'"],
        ),
        ("hardware:\n  x:\n    cluster: local\n    cores: many\n", ["line 4", "hardware.x.cores"]),
        ("a: [\n", ["line 2", "not valid YAML"]),
        ("catalogue: {}\ncatalogue: {}\n", ["line 2", "twice"]),
        ("- 1\n", ["line 1", "must be a mapping"]),
        (
            "profiles:\n  p:\n    environment: default\n    hardware: gone\n",
            ["line 4", "no hardware 'gone'"],
        ),
        ("storages:\n  s:\n    prefix: relative\n", ["storages.s", "absolute"]),
        (
            "clusters:\n  c:\n    submitter: sudo\n",
            ["line 2", "clusters.c", "launcher"],
        ),
        ("catalogue:\n  driver: service\n", ["catalogue", "needs url"]),
        ("sessions: {per_user: many}", ["sessions.per_user", "a whole number, not 'many'"]),
        ("hardware: {h: {cores: 0}}", ["hardware.h.cores", "must be at least 1, not 0"]),
        ("hardware: {h: {cores: 1}}", ["hardware.h.cluster", "is missing"]),
        ("clusters: {a: {scheduler: x}}", ["must be 'slurm' or 'local', not 'x'"]),
        ("catalogue: 5", ["line 1, catalogue: must be a mapping"]),
        ("catalogue:\n\tname: x\n", ["line 2", "after spaces: a tab is an error"]),
        ("catalogue:\n  name: x\n path: /x\n", ["line 3", "in the same column"]),
        (
            "catalogues:\n  My SciCat: {driver: scicat, url: 'https://x.org'}\n",
            ["line 2", "a name of a-z 0-9 . _ -", "not 'My SciCat'"],
        ),
        (
            "catalogues:\n  a: {driver: scicat, url: x.org}\n",
            ["catalogues.a.url: must be an address: https://HOST/PATH, not 'x.org'"],
        ),
    ],
)
def test_error_names_line_and_key(text: str, words: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "site.yaml")
    message = str(caught.value)
    assert message.startswith("site.yaml, line")
    assert all(word in message for word in words), message


def test_a_value_is_repeated_only_where_it_was_kept() -> None:
    for kept, words in (
        (True, "must be a whole number, not 'x'"),
        (False, "must be a whole number"),
    ):
        with pytest.raises(ValidationError) as caught:
            Cores.model_validate({"cores": "x"})
        (problem,) = caught.value.errors(include_input=kept)
        assert in_words(problem) == words


class Cores(BaseModel):
    cores: int


def test_empty_and_missing_files() -> None:
    with pytest.raises(ConfigError, match="is empty"):
        parse_config("")
    with pytest.raises(
        ConfigError, match=r"/nowhere/nearfield\.yaml: cannot be read: No such file"
    ):
        load_config(Path("/nowhere/nearfield.yaml"))


def test_a_named_file_that_is_missing_is_an_error_not_a_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NEARFIELD_CONFIG", "/nowhere/x.yaml")
    with pytest.raises(ConfigError):
        load_config()


def test_a_file_that_was_cut_short_is_no_site(tmp_path: Path) -> None:
    file = tmp_path / "nearfield.yaml"
    file.write_text("catalogue: {name: x}\n")
    assert load_config(file).catalogue.name == "x"
    with pytest.raises(ConfigError, match="has no 'clusters'"):
        load_site_config(file)


def test_the_example_of_hub_config_is_valid() -> None:
    example = Path(__file__).parents[2] / "hub_config/nearfield.yaml"
    assert "analysis-small" in load_config(example).profiles


def test_locate_takes_the_longest_prefix() -> None:
    config = parse_config(
        "storages:\n  all: {prefix: /data}\n  beam: {prefix: /data/beam}\n", "x.yaml"
    )
    assert locate(config, "/data/beam/a.h5") == ("beam", "a.h5")
    assert locate(config, "/data/beamtime/a.h5") == ("all", "beamtime/a.h5")
    assert locate(config, "/else/a.h5") == (None, "else/a.h5")


def test_near() -> None:
    config = parse_config(
        "clusters: {c: {}, d: {}}\nhardware: {}\nprofiles: {}\n"
        "storages:\n  s: {prefix: /s, places: [{cluster: c}]}\n  t: {prefix: /t}\n"
    )
    assert near(config.storages["s"], "c")
    assert not near(config.storages["s"], "d")
    assert near(config.storages["t"], "d")


def test_every_key_is_in_the_reference() -> None:
    reference = (Path(__file__).parents[2] / "docs/reference/configuration.md").read_text()
    models = [Config]
    while models:
        model = models.pop()
        for name, field in model.model_fields.items():
            assert f"`{name}`" in reference or f"## {name}" in reference, f"{model.__name__}.{name}"
            models += [m for m in _models_in(field.annotation) if m is not model]


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


HARDWARE = """
hardware:
  large:
    cluster: local
    cores: 8
    choices:
      cores: {least: 4, most: 64, step: 4}
      minutes: [60, 240]
      account: [proj-a, proj-b]
      reservation: {pattern: "beam-[0-9]{8}"}
profiles:
  p: {environment: default, hardware: [large]}
"""


def test_what_a_user_may_choose() -> None:
    choices = parse_config(HARDWARE).hardware["large"].choices.named()
    allowed = {
        "cores": ([4, 8, 64], [0, 5, 68, "8", True, 8.0]),
        "minutes": ([60, 240], [61, "60", True]),
        "account": (["proj-a"], ["proj", "proj-a ", "", 1]),
        "reservation": (["beam-20261121"], ["beam-2026112", "beam-20261121\n", "x beam-20261121"]),
    }
    assert set(choices) == set(allowed)
    for name, (good, bad) in allowed.items():
        assert all(choices[name].allows(value) for value in good), name
        assert not any(choices[name].allows(value) for value in bad), name


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("cores: 8", "cores: 6"), "line 3, hardware.large: cores is 6, but choices.cores is"),
        (("most: 64", "most: 2"), "line 7, hardware.large.choices.cores"),
        (('"beam-[0-9]{8}"', '"beam-["'), "is not a regular expression"),
        (('"beam-[0-9]{8}"', '"a)|(b"'), "line 10, hardware.large.choices.reservation"),
        (('"beam-[0-9]{8}"', '"(?=b).*"'), "look-around, including look-ahead"),
        (('"beam-[0-9]{8}"', "'(b)\\1'"), "backreferences are not supported"),
        (("[large]", "[large, small]"), "line 12: profiles.p.hardware: no hardware 'small'"),
        (("proj-a", "'proj a'"), "line 9, hardware.large.choices.account"),
    ],
)
def test_choices_that_do_not_fit(change: tuple[str, str], expected: str) -> None:
    text = HARDWARE.replace(*change)
    with pytest.raises(ConfigError) as error:
        parse_config(text, "f.yaml")
    assert expected in str(error.value)


def test_no_pattern_takes_longer_for_a_longer_word() -> None:
    """Each of these keeps Python's own engine busy for years."""
    for pattern in ("(a+)+b", "(a|aa)+b", "(a|a?)+b", "(.*a){40}b"):
        choices = parse_config(HARDWARE.replace("beam-[0-9]{8}", pattern)).hardware["large"].choices
        assert choices.reservation is not None
        assert not choices.reservation.allows("a" * 64)
        assert choices.reservation.allows("a" * 63 + "b")


def test_the_kind_of_a_storage_is_no_key_any_more() -> None:
    with pytest.raises(ConfigError, match=r"line 2, storages\.raw\.kind"):
        parse_config("storages:\n  raw: {prefix: /raw, kind: gpfs}\n", "f.yaml")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("driver: scicatt, url: 'http://x'", "catalogues.sci: 'driver' must be one of 'scicat'"),
        ("url: 'http://x'", "catalogues.sci: the key 'driver' is missing"),
        ("driver: scicat", "catalogues.sci.url: is missing"),
    ],
)
def test_a_wrong_source_is_told_by_the_keys_of_the_file(said: str, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_config(f"catalogues:\n  sci: {{{said}}}\n")
    assert words in str(refused.value)


def test_the_names_of_the_drivers_are_all_there() -> None:
    kinds = get_args(get_args(Source)[0])
    assert {get_args(kind.model_fields["driver"].annotation)[0] for kind in kinds} == DRIVERS


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("catalogues: {a: {driver: scicat, url: 'https://x.org', tokn: hub}}", "token"),
        ("storages: {raw: {prefix: /d, places: [{cluster: local, partitions: [x]}]}}", "partition"),
        ("hardware: {h: {cluster: local, choices: {core: [1]}}}", "cores"),
    ],
)
def test_a_key_is_guessed_from_those_of_its_place(text: str, key: str) -> None:
    with pytest.raises(ConfigError, match=f"did you mean '{key}'"):
        parse_config(text)
    with pytest.raises(ConfigError) as elsewhere:
        parse_config("storages: {raw: {prefix: /d, kind: posix}}")
    # 'bind' is a key of clusters.
    assert "did you mean" not in str(elsewhere.value)


def test_a_file_that_another_version_of_the_demo_wrote_says_so(tmp_path: Path) -> None:
    left = tmp_path / "near field.yaml"
    left.write_text(f"{DEMO_MARK}storages: {{raw: {{prefix: /d, kind: posix}}}}\n")
    with pytest.raises(ConfigError) as caught:
        load_config(left)
    assert "storages.raw.kind: unknown key" in caught.value.message
    assert f"rm '{left}'" in str(caught.value.hint)
    left.write_text("storages: {raw: {prefix: /d, kind: posix}}\n")
    with pytest.raises(ConfigError) as ours:
        load_config(left)
    assert ours.value.hint is None
