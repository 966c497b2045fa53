"""Who sees what, wherever it is asked: the table, and a server of each kind to ask."""
