"""From a completed run to a derived dataset in the catalogue, exactly once."""
