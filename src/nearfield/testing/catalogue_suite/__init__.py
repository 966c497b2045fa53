"""The parts of the suite that every catalogue driver passes; see ``catalogue_contract``."""
