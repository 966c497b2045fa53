"""Random stacks of frames in files, random reductions, and what is right, by numpy alone."""
