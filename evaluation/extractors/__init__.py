"""One file per extractor: make(device, options) -> Extractor; its first line describes it."""
