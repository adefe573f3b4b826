"""One file per metric: METRIC; its first lines describe it. Those of plugin folders join it."""
