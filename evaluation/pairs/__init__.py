"""Scores of images against those that they should be: pixels, LPIPS, classes of pixels, frames."""
