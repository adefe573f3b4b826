"""Adaptive augmentation: the probability p of augmenting follows from what D thinks of real images.

Karras et al. 2020, https://arxiv.org/abs/2006.06676, section 3 with r_t. It is all on the device:
no update waits for the host.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from ganlib.common.augment import is_probability

EVERY = 4
"""Minibatches of real images after which p is moved."""


class Adaptation(NamedTuple):
    """p: the probability, 0-dim in [0, 1]. counts: (4,), since p was last moved, over all shares of
    the batch: the sum of the logits' signs, how many logits, real images and minibatches.

    target: of r_t, the mean sign. images: after how many p comes from 0 to 1.
    """

    p: Tensor
    counts: Tensor
    target: float
    images: int

    @torch.no_grad()
    def note(self, logits: Tensor, shares: int) -> None:
        """Count a minibatch's logits (N, ...), of which this is one of so many equal shares.

        What the shares have counted is averaged after an iteration, so each counts for all.
        """
        self.counts[0].add_(logits.sign().sum(), alpha=shares)
        self.counts[1].add_(logits.numel() * shares)
        self.counts[2].add_(len(logits) * shares)
        self.counts[3].add_(1)

    @torch.no_grad()
    def move(self) -> dict[str, Tensor]:
        """After an iteration: move p if EVERY minibatches were counted; p and r_t, to log.

        The paper keeps p from below 0 alone. Above 1 nothing would be augmented more often, only
        later less often: p stays in [0, 1].
        """
        signs, logits, images, batches = self.counts.unbind()
        r = signs / logits.clamp(min=1)
        due = batches >= EVERY
        step = torch.sign(r - self.target) * images / self.images
        self.p.add_(step.masked_fill(~due, 0)).clamp_(0, 1)
        self.counts.masked_fill_(due, 0)
        return {"ada_p": self.p.clone(), "ada_r": r}


def is_of_adaptation(name: str) -> bool:
    """Whether a buffer of this name is in an updater for the sake of adaptation alone."""
    return name == "ada_seen" or is_probability(name)
