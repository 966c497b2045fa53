"""Repositories that are harvested into the embedded catalogue, by OAI-PMH 2.0."""

from nearfield.catalogue.oai.harvesting import HarvestReport, Wanted, harvest
from nearfield.catalogue.oai.repository import Repository

__all__ = ["HarvestReport", "Repository", "Wanted", "harvest"]
