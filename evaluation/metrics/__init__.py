"""The files of metrics/ in plugin folders are modules of this package; ganlib has none here."""
