"""Catalogues that speak the PaNOSC search API: public data, without a token, to read alone."""

from nearfield.catalogue.panosc.driver import PanoscCatalogue

__all__ = ["PanoscCatalogue"]
