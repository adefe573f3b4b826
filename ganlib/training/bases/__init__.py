"""Updaters that methods of one kind derive from."""
