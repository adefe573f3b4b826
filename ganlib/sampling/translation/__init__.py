"""A trained translator applied to files and pictures of any size."""
