"""Datasets in a terminal and in a notebook: readable, and harmless whatever a record holds."""

from __future__ import annotations

from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import h5py
import numpy as np
import pytest

import nearfield
from nearfield.catalogue import CatalogueStore, Thumbnail
from nearfield.datasets import Access, ArrayInfo, DataFile, Dataset
from nearfield.errors import QuerySyntaxError, UnknownNameError
from nearfield.querying import Page, SourceState
from nearfield.showing import ShownDataset, ShownPage, snippet
from nearfield.testing.synthetic import DAY_ONE, synthetic_dataset

EVIL = "<script>alert(1)</script>\" onmouseover='x' \x1b[2J"
PICTURE = Thumbnail("image/png", b"\x89PNG")


class Tags(HTMLParser):
    """The elements of a text with their attributes, and what is between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def evil(**fields: object) -> Dataset:
    texts = ("title", "instrument", "facility", "sample", "proposal", "license", "source")
    values: dict[str, object] = dict.fromkeys(texts, EVIL)
    values |= {"techniques": (EVIL,), "creators": (EVIL,) * 5, "warnings": (EVIL,), "doi": EVIL}
    values["access"] = Access(owner=EVIL, owner_group=EVIL)
    return synthetic_dataset(1, **{"pid": "a<b>&c", **values, **fields})


@pytest.mark.parametrize("page", [None, "javascript:alert(1)", "https://[", 'https://x.test/"><b>'])
def test_nothing_of_a_record_becomes_markup(page: str | None) -> None:
    shown = ShownDataset.of(evil(landing_page=page))
    for html in (shown._repr_html_(), ShownPage.of(Page(datasets=(shown,), total=1))._repr_html_()):
        found = Tags(html)
        assert {tag for tag, _ in found.tags} <= {
            *("div", "dl", "dt", "dd", "ul", "li", "a", "bdi", "code"),
            *("table", "thead", "tbody", "tr", "th", "td"),
        }
        for _, attributes in found.tags:
            assert set(attributes) <= {"style", "href", "target", "rel", "scope"}
            assert (attributes.get("href") or "https://").startswith("https://")
        assert "<script>alert(1)</script>" in found.text
    for text in (repr(shown), repr(ShownPage.of(Page(datasets=(shown,), total=1)))):
        assert "\x1b" not in text


def test_a_card_tells_what_one_wants_to_know() -> None:
    dataset = synthetic_dataset(
        2,
        pid="10.5281/zenodo.7",
        title="Silver behenate",
        doi="10.5281/zenodo.7",
        techniques=("SAXS",),
        instrument="ID10",
        license="CC-BY-4.0",
        source="facility",
        also_in=("portal",),
        availability="tape",
        access=Access(owner="ada", public=True, embargo_until=datetime(2999, 1, 1, tzinfo=UTC)),
    )
    shown = ShownDataset.of(dataset)
    text = Tags(shown._repr_html_())
    for said in ("Silver behenate", "SAXS", "ID10", "CC-BY-4.0", "facility, also in portal"):
        assert said in text.text
        assert said in repr(shown)
    assert "ada, everybody from 2999-01-01 on" in text.text
    assert "on tape" in text.text
    assert dict(text.tags)["a"]["href"] == "https://doi.org/10.5281/zenodo.7"
    # Nothing sets a colour: the notebook's theme does.
    styles = " ".join(attributes.get("style") or "" for _, attributes in text.tags)
    assert "color:inherit" in styles
    assert "#" not in styles


def test_the_picture_is_asked_for_once_and_only_when_it_is_shown() -> None:
    asked: list[int] = []

    def look() -> Thumbnail:
        asked.append(1)
        return PICTURE

    shown = ShownDataset.of(synthetic_dataset(1, thumbnail=True), look)
    repr(shown)
    assert not asked
    for _ in range(2):
        assert (
            dict(Tags(shown._repr_html_()).tags)["img"]["src"] == "data:image/png;base64,iVBORw=="
        )
    assert asked == [1]
    ShownDataset.of(synthetic_dataset(1), look)._repr_html_()
    assert asked == [1]


def test_a_source_that_cannot_give_the_picture_costs_the_picture_alone() -> None:
    def look() -> Thumbnail:
        raise OSError

    html = ShownDataset.of(synthetic_dataset(1, thumbnail=True), look)._repr_html_()
    assert "<img" not in html
    assert "<dl" in html
    huge = Thumbnail("image/png", b"x" * 600_000)
    assert "<img" not in ShownDataset.of(evil(thumbnail=True), lambda: huge)._repr_html_()


def test_it_stays_the_dataset_that_it_is() -> None:
    dataset = synthetic_dataset(3)
    shown = ShownDataset.of(dataset)
    assert shown == dataset
    assert isinstance(shown, Dataset)
    assert Dataset.model_validate(shown.model_dump()) == dataset


def test_a_page_tells_its_sources_and_can_be_walked_through() -> None:
    states = (
        SourceState(source="home", state="answered", total=2),
        SourceState(source="icat", state="timeout", message="no answer in 3 s"),
    )
    found = tuple(synthetic_dataset(n) for n in (1, 2))
    page = ShownPage.of(Page(datasets=found, total=2, total_exact=False, sources=states))
    assert (len(page), list(page), page[1]) == (2, list(found), found[1])
    assert repr(page).splitlines()[-2:] == ["2 of 2 or more datasets", "icat: no answer in 3 s"]
    assert "icat: no answer in 3 s" in Tags(page._repr_html_()).text


class TestSnippet:
    def run(self, dataset: Dataset, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
        asked: list[tuple[str, object]] = []

        def given(pid: str, source: str | None = None) -> Dataset:
            asked.append((pid, source))
            return dataset

        monkeypatch.setattr("nearfield.api.dataset", given)
        names: dict[str, object] = {}
        exec(snippet(dataset), names)  # noqa: S102  # what a cell does with it
        return {**names, "asked": asked}

    def test_it_opens_the_signal(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        dataset = with_signal(tmp_path / "a.h5")
        names = self.run(dataset, monkeypatch)
        assert names["signal"].shape == (2, 3)  # type: ignore[attr-defined]
        assert names["ds"] is dataset
        assert names["asked"] == [(dataset.pid, None)]
        names["file"].close()  # type: ignore[attr-defined]

    def test_a_number_of_one_source_names_the_source(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names = self.run(synthetic_dataset(1, pid="42", source="icat"), monkeypatch)
        assert names["asked"] == [("42", "icat")]

    @pytest.mark.parametrize("path", ['/a/"b\\', "/a/\n\u2028é😀"])
    def test_any_name_is_one_text(self, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("h5py.File", lambda file, mode: {path: "found"})
        array = ArrayInfo(path=path, shape=(1,), dtype="u2", units="a\nb", signal=True)
        dataset = synthetic_dataset(1, arrays=(array,))
        assert self.run(dataset, monkeypatch)["signal"] == "found"

    @pytest.mark.parametrize("where", ["tape", "remote"])
    def test_what_is_not_here_is_not_opened(self, where: str) -> None:
        array = ArrayInfo(path="/x", shape=(1,), dtype="u2", signal=True)
        dataset = synthetic_dataset(1, arrays=(array,), availability=where)
        assert "h5py" not in snippet(dataset)


def with_signal(file: Path) -> Dataset:
    with h5py.File(file, "w") as made:
        made["entry/data"] = np.zeros((2, 3), "u2")
    return synthetic_dataset(
        1,
        pid="6f1d7f0a-6c0b-5c57-9d2f-0d6f5d1c8a11",
        source="home",
        files=(DataFile(path=str(file), size=1, mtime=DAY_ONE),),
        arrays=(ArrayInfo(path="/entry/data", shape=(2, 3), dtype="uint16", signal=True),),
    )


def test_search_takes_the_language(tmp_path: Path) -> None:
    file = tmp_path / "c.sqlite"
    store = CatalogueStore(file)
    store.register([synthetic_dataset(n, pid=f"d-{n}", instrument=f"I{n}") for n in range(3)])
    store.close()
    assert [d.pid for d in nearfield.search("instrument:I1", catalogue=file)] == ["d-1"]
    assert nearfield.search("instrument:I1", instrument="I2", catalogue=file)[0].pid == "d-2"
    assert nearfield.search("pid:d-0", catalogue=file)[0].pid == "d-0"
    assert nearfield.dataset("d-0", catalogue=file).instrument == "I0"
    with pytest.raises(QuerySyntaxError):
        nearfield.search("instrment:I1", catalogue=file)
    with pytest.raises(UnknownNameError):
        nearfield.search(instrment="I1", catalogue=file)
    with pytest.raises(UnknownNameError):
        nearfield.dataset("d-0", source="nowhere", catalogue=file)
