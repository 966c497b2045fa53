"""Widgets for notebooks. The package is where their Python side lives; there is none yet."""
