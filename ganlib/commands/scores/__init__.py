"""What `ganlib evaluate` does: from a target to its scores."""
