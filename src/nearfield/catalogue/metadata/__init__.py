"""What a data file says about itself: one small reader per format, no guesses."""

from nearfield.catalogue.metadata.model import FileLink, FileMetadata, Series
from nearfield.catalogue.metadata.reader import Target, read_file, targets

__all__ = ["FileLink", "FileMetadata", "Series", "Target", "read_file", "targets"]
