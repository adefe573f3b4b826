"""Ways through latent space and the space of codes, and sums of latents."""

import torch
from torch import Tensor

from ganlib.common.generator import Kind


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Points (k, d) on the great circle from a (d,) to b (d,) at t (k,) in [0, 1]; the ends are
    exact.

    Spherical linear interpolation (Shoemake 1985; for latents White 2016, arXiv:1609.04468,
    section 2.1): a straight line would lead through lengths that a generator is never shown. For
    parallel or opposite vectors, which fix no great circle, it is that line.
    """
    # In double precision, in which the sines of small angles keep their digits.
    start, end, t = a.double(), b.double(), t.double()[:, None]
    cosine = (start @ end) / (start.norm() * end.norm())
    angle = torch.acos(cosine.clamp(-1, 1))
    if not torch.sin(angle) > 1e-6:  # false for the NaN of a zero vector too
        return torch.lerp(start, end, t).to(a.dtype)
    points = torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end
    return (points / torch.sin(angle)).to(a.dtype)


def walk(z: Tensor, frames: int, latent: Kind) -> Tensor:
    """From each row of z (k, d) to the next by slerp, of categories in one step halfway:
    (k - 1, frames, d), both ends included.
    """
    if latent == "category":
        second = torch.arange(frames, device=z.device)[:, None] * 2 >= frames
        return torch.where(second, z[1:, None], z[:-1, None])
    t = torch.linspace(0, 1, frames, dtype=torch.float64, device=z.device)
    legs = [slerp(a, b, t) for a, b in zip(z[:-1], z[1:], strict=True)]
    return _inside(torch.stack(legs), latent)


def straight(codes: Tensor, frames: int) -> Tensor:
    """From each of the codes (k, ...) to the next in a line: (k - 1, frames, ...), both ends
    included. The space of codes is made for it: StyleGAN (Karras et al. 2019), section 4.1.
    """
    t = torch.linspace(0, 1, frames, dtype=codes.dtype, device=codes.device)
    t = t.reshape(1, -1, *[1] * (codes.dim() - 1))
    return torch.lerp(codes[:-1, None], codes[1:, None], t)


def signed_sum(z: Tensor, signs: Tensor, latent: Kind) -> Tensor:
    """The sum (d,) of the rows of z (k, d), each times its sign (k,) of 1 or -1: latent arithmetic
    (Radford et al. 2015, section 6.3.2).

    "uniform": clamped to [-1, 1]. "normal": as long as the rows are (their root mean square).
    "category": the first row.
    ValueError if "normal" rows cancel out, so that nothing is left to lengthen.
    """
    if latent == "category":
        return z[0]
    total = signs.to(z) @ z
    if latent == "normal":
        # N(0, I) in d dimensions lies near the sphere of radius sqrt(d), and a sum of k such
        # vectors near radius sqrt(k d), where the generator was never trained. The rows' own
        # length, rather than sqrt(d), leaves a sum of one term as it is.
        length = z.square().sum(1).mean().sqrt()
        if total.norm() <= 1e-6 * length:
            raise ValueError("the latents cancel out")
        total = total * (length / total.norm())
    return _inside(total, latent)


def _inside(z: Tensor, latent: Kind) -> Tensor:
    """Uniform latents clamped to the box that they are drawn from; normal ones have no border."""
    return z.clamp(-1, 1) if latent == "uniform" else z
