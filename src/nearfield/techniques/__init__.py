"""What techniques are called: one meaning for ``saxs``, ``NXsas`` and a PaNET identifier."""

from nearfield.techniques.naming import (
    also_called,
    identifier,
    known_names,
    label_of,
    names_of,
    technique_ids,
)

__all__ = ["also_called", "identifier", "known_names", "label_of", "names_of", "technique_ids"]
