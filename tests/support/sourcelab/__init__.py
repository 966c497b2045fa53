"""Sources of other kinds than Nearfield's own, filled with the contract suite's records."""
