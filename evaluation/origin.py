"""Where the images that are scored come from."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Origin:
    """Where generated images come from, for the protocol.

    weights: "ema", "raw", or "given" where images are all that is known; bn_mode: see Protocol;
    truncation: None for none; seed: of the samples. classes: what the classes are called that
    labels number, () if that is not known; no part of the protocol. source: what translations
    started from, as its data set's provenance says it; None where it is not known or there is none.
    """

    weights: str = "given"
    bn_mode: str = "given"
    truncation: float | None = None
    seed: int | None = None
    classes: tuple[str, ...] = ()
    source: str | None = None
