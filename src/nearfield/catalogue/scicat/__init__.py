"""SciCat backends: api v4, and v3 where there is no v4."""

from nearfield.catalogue.scicat.catalogue import SciCatCatalogue

__all__ = ["SciCatCatalogue"]
