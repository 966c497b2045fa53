"""Worker jobs of a session: a site whose profiles allow them, and what a kernel asks for."""
