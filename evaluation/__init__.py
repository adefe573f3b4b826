"""Scores of image sets. Imports nothing from ganlib: a score is a function of a stream of images."""
