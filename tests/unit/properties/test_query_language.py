"""No text is a crash: it is understood, or refused at a character that is there; and back again."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from nearfield.errors import QuerySyntaxError
from nearfield.querying import Query
from nearfield.querying.complete import complete
from nearfield.querying.fields import FIELDS
from nearfield.querying.language import parse
from nearfield.querying.pids import pid_asked_for
from nearfield.querying.writing import to_text

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)

# Pieces that mean something, in any order, and anything at all between them.
PIECES = st.sampled_from(
    [
        *(field.name for field in FIELDS),
        *('"', ":", ",", "<", ">=", "=", "!=", "..", " ", "\0", "\n", "-", "“", "»", "≤"),
        *("saxs", "ID10", "2024", "2024-03", "7d", "8", "8keV", "keV", "1/angstrom", "1e999"),
        *("energy", "AND", "OR", "NOT", "10.5281/zenodo.1", "entry/x", "°C", "raw", "\ud800"),
    ]
)
TEXTS = st.one_of(
    st.text(max_size=80),
    st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=14).map("".join),
)


@given(TEXTS)
def test_a_text_is_understood_or_refused_at_one_of_its_characters(text: str) -> None:
    try:
        query = parse(text, now=NOW)
    except QuerySyntaxError as error:
        assert 0 <= error.position <= len(text)
        assert error.message
        assert "^" in str(error)
    else:
        pid_asked_for(query)
        assert Query.model_validate(query.model_dump()) == query


@given(TEXTS)
def test_what_was_understood_is_written_and_read_again(text: str) -> None:
    try:
        query = parse(text, now=NOW)
    except QuerySyntaxError:
        return
    written = to_text(query)
    assert parse(written, now=NOW) == query
    assert to_text(parse(written, now=NOW)) == written


@given(TEXTS, st.integers(-5, 100))
def test_completion_replaces_a_part_of_the_text(text: str, at: int) -> None:
    found = complete(text, at)
    assert 0 <= found.start <= found.end <= len(text)
