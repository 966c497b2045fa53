"""A user's words become an FTS5 query that never is a syntax error and finds what it says."""

from __future__ import annotations

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nearfield.catalogue._match import MAX_ENDINGS, Matcher, all_of
from nearfield.errors import UsageError
from nearfield.querying import Query
from nearfield.querying.words import matches, text_of_dataset, words_of
from nearfield.testing.synthetic import synthetic_dataset


@pytest.fixture(scope="module")
def index() -> sqlite3.Connection:
    """The tables of a catalogue that the words of a search are looked up in."""
    connection = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
    connection.execute(
        "CREATE VIRTUAL TABLE words USING fts5 (title, rest, tags, prefix = '1 2 3',"
        " tokenize = 'unicode61 remove_diacritics 2')"
    )
    connection.execute(
        "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words, instance)"
    )
    return connection


def match_expression(index: sqlite3.Connection, text: str) -> str | None:
    return all_of(Matcher(index, Query(text=text)).text())


def found(index: sqlite3.Connection, text: str, content: str) -> bool:
    index.execute("DELETE FROM words")
    index.execute("INSERT INTO words (title, rest) VALUES ('', ?)", (content,))
    expression = match_expression(index, text)
    assert expression is not None
    rows = index.execute("SELECT count(*) FROM words WHERE words MATCH ?", (expression,))
    return bool(rows.fetchone()[0])


@given(text=st.text(max_size=60))
def test_any_text_is_a_query(index: sqlite3.Connection, text: str) -> None:
    expression = match_expression(index, text)
    if expression is not None:
        found = index.execute("SELECT count(*) FROM words WHERE words MATCH ?", (expression,))
        assert found.fetchone()[0] >= 0


@given(text=st.text(st.characters(blacklist_categories=["Cs"]), max_size=60))
def test_any_query_survives_the_wire(text: str) -> None:
    assert Query.model_validate_json(Query(text=text).model_dump_json()).text == text


plain_word = st.text(st.sampled_from("abcdefgxyz0123456789ABCßéü"), min_size=1, max_size=8)


@given(words=st.lists(plain_word, min_size=1, max_size=6), wanted=st.data())
def test_a_text_is_found_by_beginnings_of_its_words(
    index: sqlite3.Connection, words: list[str], wanted: st.DataObject
) -> None:
    picked = wanted.draw(st.lists(st.sampled_from(words), min_size=1, max_size=4))
    query = " ".join(word[: wanted.draw(st.integers(1, len(word)))] for word in picked)
    assert found(index, query, " - ".join(words))
    assert matches(words_of(query), " - ".join(words))


@given(words=st.lists(plain_word, min_size=1, max_size=4), query=plain_word)
def test_the_fake_finds_what_the_index_finds(
    index: sqlite3.Connection, words: list[str], query: str
) -> None:
    assert found(index, query, " ".join(words)) == matches(words_of(query), " ".join(words))


@pytest.mark.parametrize("text", ["", "  ", "\n\t", "\0"])
def test_an_empty_text_is_no_condition(index: sqlite3.Connection, text: str) -> None:
    assert match_expression(index, text) is None


@pytest.mark.parametrize("text", ['"', "*", "- -", "&|()", "_", "%", "😀", "\u0301"])
def test_signs_alone_find_nothing(index: sqlite3.Connection, text: str) -> None:
    assert not found(index, text, f"words of all kinds {text} _")


def test_too_many_words(index: sqlite3.Connection) -> None:
    with pytest.raises(UsageError, match="100 words"):
        match_expression(index, "a " * 100)


def test_a_thousand_files_are_not_all_indexed() -> None:
    file = synthetic_dataset().files[0]
    many = tuple(file.model_copy(update={"path": f"/d/f_{n:06d}.h5"}) for n in range(1000))
    _, text = text_of_dataset(synthetic_dataset(files=many))
    assert "f_000000.h5" in text
    assert len(text) < 5000


@pytest.mark.parametrize("number", [1, MAX_ENDINGS, MAX_ENDINGS + 1, 200])
def test_few_endings_or_many(index: sqlite3.Connection, number: int) -> None:
    """Whichever way a beginning is asked for, all words that begin so are found."""
    index.execute("DELETE FROM words")
    rows = [("", f"silver{n:03d} scan_{n:03d}") for n in range(number)]
    index.executemany("INSERT INTO words (title, rest) VALUES (?, ?)", rows)
    for text, wanted in (
        ("silver", number),
        ("silver0 ", min(number, 100)),
        ("scan_0", min(number, 100)),
        ("silverx", 0),
    ):
        expression = match_expression(index, text)
        hits = index.execute("SELECT count(*) FROM words WHERE words MATCH ?", (expression,))
        assert hits.fetchone() == (wanted,), text


@pytest.mark.parametrize(
    ("said", "typed", "found"),
    [
        ("NXstxm", "stxm", True),
        ("NXsas", "small angle scattering", True),
        ("X-ray reflectivity", "xrr", True),
        ("NXsas", "xrr", False),
        ("something of their own", "saxs", False),
    ],
)
def test_techniques_are_found_by_what_people_call_them(said: str, typed: str, found: bool) -> None:
    text = "\n".join(text_of_dataset(synthetic_dataset(techniques=(said,))))
    assert matches(words_of(typed), text) is found
