"""A generator as a page that draws pictures by itself, in any browser and without a server."""
