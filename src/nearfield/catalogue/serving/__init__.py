"""What the catalogue's service speaks besides its own interface: PaNOSC, OAI-PMH, writing."""
