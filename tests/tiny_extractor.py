"""An extractor that costs nothing, as a plugin."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ganlib.evaluation import extractors as place_of_extractors
from ganlib.evaluation.extractors.base import extractors

TINY = '''"""Four numbers of an image, as features and as logits."""
import torch
from ganlib.evaluation.extractors.base import Extractor, Features

class Tiny(Extractor):
    name, digest, n_features, n_classes = "tiny", "0" * 64, 4, 4

    def __init__(self, device, options):
        self.device, self.options = device, options

    def __call__(self, x):
        x = x.to(self.device).float().mean(1) / 255
        high, wide = x.shape[1] // 2, 2 * x.shape[2] // 3
        x = torch.stack([x.mean((1, 2)), x.std((1, 2)), x[:, 9, 9], x[:, high, wide]], 1)
        return Features(x, x)

make = Tiny
'''


@contextmanager
def tiny_extractor(place: Path) -> Iterator[Path]:
    """The folder `place`/plugins with the extractor `tiny`, which is forgotten afterwards."""
    entries, places = dict(extractors.entries), list(place_of_extractors.__path__)
    folder = place / "plugins" / "extractors"
    folder.mkdir(parents=True)
    (folder / "tiny.py").write_text(TINY)
    try:
        yield folder.parent
    finally:
        extractors.entries.clear()
        extractors.entries.update(entries)
        place_of_extractors.__path__[:] = places
        sys.modules.pop("ganlib.evaluation.extractors.tiny", None)
