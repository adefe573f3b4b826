"""How an update is done fast; no updater knows of it."""
