"""Looking on at runs, from a process of its own that only reads: as a page, and as a table."""
