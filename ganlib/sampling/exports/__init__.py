"""Generators to give away: weights with a card, and ONNX."""
