"""What makes up a comparison: runs as they lie on disk, tables of them, and these as text."""
