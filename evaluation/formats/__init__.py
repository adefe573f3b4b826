"""Images of any program as blocks to be scored: arrays, folders, files."""
