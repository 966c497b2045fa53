"""The events of a streamed search: one JSON object each, told apart by ``event``."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from nearfield.querying import DatasetsEvent, EndEvent, SourceEvent, SourceState
from nearfield.querying.events import EVENT


def test_a_source_event_is_the_state_and_its_kind() -> None:
    state = SourceState(source="icat", state="timeout", message="no answer in 3 s", seconds=3.0)
    event = SourceEvent.of(state)
    assert event.model_dump(exclude_none=True) == {
        "event": "source",
        "source": "icat",
        "state": "timeout",
        "message": "no answer in 3 s",
        "total_exact": True,
        "seconds": 3.0,
    }
    assert event.told == state


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('{"event": "source", "source": "icat", "state": "asking"}', SourceEvent),
        ('{"event": "datasets", "source": "icat", "datasets": []}', DatasetsEvent),
        ('{"event": "end", "total": 0}', EndEvent),
    ],
)
def test_a_line_is_read_as_its_kind(line: str, kind: type) -> None:
    assert type(EVENT.validate_json(line)) is kind


@pytest.mark.parametrize("line", ['{"event": "more"}', "{}", '{"event": "end", "total": -1}'])
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(ValidationError):
        EVENT.validate_json(line)
