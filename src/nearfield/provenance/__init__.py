"""What a run did: one versioned JSON record, and the means to write it safely."""
