"""What a search finds by words: the text of a dataset, and a user's words as an FTS5 query."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from nearfield.datasets import Dataset
from nearfield.errors import UsageError
from nearfield.techniques import also_called

MAX_WORDS = 64
# Names of so many files are searchable; a detector's thousandth data file is found by its PID.
MAX_FILE_NAMES = 200


def text_of_dataset(dataset: Dataset) -> tuple[str, str]:
    """Everything that words are looked for in: the title, and all else, one field per line."""
    names = dict.fromkeys(file.path.rpartition("/")[2] for file in dataset.files[:MAX_FILE_NAMES])
    fields = (
        dataset.description,
        *dataset.techniques,
        # Who types "stxm" or "small angle scattering" finds what the file calls NXstxm or NXsas.
        *also_called((*dataset.techniques, *dataset.technique_ids)),
        dataset.instrument,
        dataset.facility,
        dataset.sample,
        dataset.proposal,
        dataset.format,
        *dataset.keywords,
        *names,
    )
    return dataset.title or "", "\n".join(field for field in fields if field)


def words_of(text: str) -> list[str]:
    """The words of a search, without those that hold no letter or digit (``-``, ``"``, ``*``).

    Raises:
        UsageError: more than 64 words.
    """
    clean = text.encode("utf-8", "replace").decode("utf-8").replace("\0", " ")
    words = [word for word in clean.split() if any(map(_searchable, word))]
    if len(words) > MAX_WORDS:
        raise UsageError(f"a search of {len(words)} words", hint=f"use at most {MAX_WORDS}")
    return words


def _searchable(character: str) -> bool:
    category = unicodedata.category(character)
    return category[0] in "LN" or category == "Co"


def is_blank(text: str) -> bool:
    """Is there no condition at all in ``text``?"""
    return not text.replace("\0", " ").strip()


def tokens(text: str) -> list[str]:
    """Words as the index folds them: no case, no accents, split at everything else.

    For drivers without an index of their own.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return re.findall(r"[^\W_]+", plain.lower())


def matches(words: list[str], *texts: str) -> bool:
    """Is every word in one of the texts, as a run of tokens whose last may be a beginning?"""
    have = [tokens(text) for text in texts]
    return all(any(_holds(text, tokens(word)) for text in have) for word in words)


def has_phrase(phrase: str, *texts: str) -> bool:
    """Does one of the texts hold the phrase, token after token?"""
    want = tokens(phrase)
    return bool(want) and any(has_run(tokens(text), want) for text in texts)


def has_run(have: Sequence[str], want: Sequence[str]) -> bool:
    """Do the tokens ``want`` stand in ``have``, one after the other? Both of one type."""
    return any(have[i : i + len(want)] == want for i in range(len(have) - len(want) + 1))


def _holds(have: list[str], want: list[str]) -> bool:
    if not want:
        return False
    *whole, last = want
    return any(
        have[i : i + len(whole)] == whole and have[i + len(whole)].startswith(last)
        for i in range(len(have) - len(whole))
    )
