"""Images from where they lie to a device: once, what fits; else without waiting for the device."""

import torch
from torch import Tensor

from ganlib.common.data.spec import Images

PART = 1 / 3  # of the GPU's free memory, for one tensor: the rest is for networks and evaluation


def place(images: Images, device: torch.device) -> Images:
    """A tensor on the GPU, if it takes at most PART of the free memory; all else as it is."""
    if device.type != "cuda" or not isinstance(images, Tensor):
        return images
    free, _ = torch.cuda.mem_get_info(device)
    return images.to(device) if images.nbytes <= PART * free else images


def upload(x: Tensor, device: torch.device) -> Tensor:
    """The tensor on the device; to a GPU from pinned memory, so that nobody waits for the copy."""
    if x.is_cpu and device.type == "cuda":
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)
