"""The reductions, one module per kind."""
