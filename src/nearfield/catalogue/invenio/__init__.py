"""The driver ``invenio``: InvenioRDM, and the legacy interface of Zenodo and RODARE."""

from nearfield.catalogue.invenio.driver import InvenioCatalogue

__all__ = ["InvenioCatalogue"]
