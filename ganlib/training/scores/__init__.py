"""Scores of a generator that this process has."""
