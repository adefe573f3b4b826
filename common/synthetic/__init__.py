"""Images that are made when they are asked for: canvases, sliding items, points."""
