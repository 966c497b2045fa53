"""Datasets as people see them in Python: a text, a card in a notebook, code that opens them."""

from nearfield.showing.results import ShownDataset, ShownPage
from nearfield.showing.snippets import snippet

__all__ = ["ShownDataset", "ShownPage", "snippet"]
