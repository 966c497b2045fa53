"""From a file to a stack: which bytes hold which frames."""
