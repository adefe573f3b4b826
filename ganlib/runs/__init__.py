"""From settings to a run on disk."""
