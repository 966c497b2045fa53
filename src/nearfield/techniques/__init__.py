"""What techniques are called: one meaning for ``saxs``, ``NXsas`` and a PaNET identifier."""

from nearfield.techniques.naming import (
    identifier,
    known_names,
    label_of,
    names_of,
    technique_ids,
)

__all__ = ["identifier", "known_names", "label_of", "names_of", "technique_ids"]
