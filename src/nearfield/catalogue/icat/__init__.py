"""The driver ``icat``: an icat.server through its REST interface."""

from nearfield.catalogue.icat.driver import IcatCatalogue

__all__ = ["IcatCatalogue"]
