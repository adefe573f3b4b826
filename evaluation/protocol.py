"""The record without which a score means nothing: where the images come from, how it was obtained,
what computed it, and a hash of all that decides.
"""

import json
import platform
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal, TypeAlias

Plain: TypeAlias = str | int | float | bool | None
Better = Literal["lower", "higher", "nearer to 1", ""]
"""Where better scores are; "" where none is better than another."""
_BETTER: dict[Better, re.Pattern[str]] = {
    "lower": re.compile(
        r"((intra-)?(fd|fid)|kd|kid|c?mmd|mind|fld(?!-gap)|ppl|duplicates?|reverse_kl|l1|lpips|mse|gdl)"
        r"(?![a-z])",
        re.IGNORECASE,
    ),
    "higher": re.compile(
        r"(is|(class-)?(precision|recall)|class-accuracy|cas|density|coverage|vendi|authpct|fld-gap"
        r"|modes|high_quality|psnr|ssim|diversity|pixel_accuracy|mean_iou)(?![a-z])",
        re.IGNORECASE,
    ),
    "nearer to 1": re.compile(r"sharpness(?![a-z])", re.IGNORECASE),
}
"""By the names of ganlib's own scores."""
DIRECTIONS = tuple(_BETTER)

BASELINES = "beside"
"""Of Score.more: what trivial translations reach, by their names."""
RECORDED_ONLY = ("seed", "versions", "trained_on")
"""Fields that two comparable scores may differ in: which samples, on which machine, of a generator
that was trained on what.
"""


@dataclass(frozen=True)
class Protocol:
    """How one score was obtained, in plain types.

    extractor, extractor_digest: the network and the SHA-256 of its weights. resize: how images come
    to its size. rounding: "round" where floats became uint8, "given" where images came as uint8,
    "none" for points and for floats that stayed as they were. n_generated, n_reference: numbers of
    images. reference: the split they are compared with, reference_digest: a hash of its pixels;
    both None where a score needs no reference. settings: the score's own, as splits, subsets or k.
    weights: "ema", "raw" or "given" for images from elsewhere. bn_mode: by which statistics batch
    normalisation made them, "running", "standing:N", "batch" (in groups), "image" (each image
    alone) or "given". truncation: the generator's, None for none. precision: of the extractor's
    arithmetic. trained_on: the fixed networks whose features the generator's losses compared, by
    name and the beginning of their digest; None if there was none or it is not known.
    rank_deficient: fewer images than features on one side, so that a Frechet distance
    is biased all the more.
    """

    extractor: str
    extractor_digest: str
    resize: str
    precision: str
    n_generated: int
    reference: str | None = None
    n_reference: int | None = None
    reference_digest: str | None = None
    settings: Mapping[str, Plain] = field(default_factory=dict)
    rounding: str = "round"
    weights: str = "given"
    bn_mode: str = "given"
    truncation: float | None = None
    rank_deficient: bool = False
    seed: int | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    trained_on: str | None = None

    @property
    def hash(self) -> str:
        """12 hexadecimal digits of all that decides; RECORDED_ONLY is left out."""
        fields = {name: x for name, x in asdict(self).items() if name not in RECORDED_ONLY}
        text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
        return sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """As plain types, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> "Protocol":
        """What to_dict gave; TypeError for other fields."""
        return cls(**record)


def differences(a: Protocol | Mapping[str, Any], b: Protocol | Mapping[str, Any]) -> list[str]:
    """Why two scores may not stand in one column: 'n_generated: 10000 against 50000', or []; also
    of what to_dict() gave.
    """
    x, y = (deciding(one.to_dict() if isinstance(one, Protocol) else one) for one in (a, b))
    return [f"{n}: {plain(x.get(n))} against {plain(y.get(n))}" for n in differing((x, y))]


def plain(value: Any) -> str:
    """The value of a setting or of a field of a protocol, as a word."""
    return "none" if value is None else str(value)


def deciding(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that count: all but RECORDED_ONLY, flat."""
    return flatten({name: x for name, x in protocol.items() if name not in RECORDED_ONLY})


def flatten(protocol: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """The fields of a protocol, a score's own settings among them, other nested ones as "a.b"."""
    flat: dict[str, Any] = {}
    for name, value in protocol.items():
        inner = prefix if name == "settings" else f"{prefix}{name}."
        nested = flatten(value, inner) if isinstance(value, Mapping) else None
        flat.update(nested if nested is not None else {f"{prefix}{name}": value})
    return flat


def differing(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """The names under which not all of the records have the same; one that lacks it has None."""
    records = list(records)
    names = dict.fromkeys(name for record in records for name in record)
    return [n for n in names if any(record.get(n) != records[0].get(n) for record in records)]


@dataclass(frozen=True)
class Score:
    """One number, its spread (over splits or subsets) if it has one, and how it was obtained.

    more: plain values to read it by, as "by_class", its value for each class, and "real", what real
    images reach. error: its standard error over draws of samples, where that was asked for.
    """

    name: str
    value: float
    std: float | None
    protocol: Protocol
    more: Mapping[str, Any] = field(default_factory=dict)
    better: Better = ""
    """By default as its name tells, which a file need not repeat."""
    error: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "better", self.better or better_by_name(self.name))

    def to_dict(self) -> dict[str, Any]:
        """As plain types: value, std, protocol and its hash, and what else there is."""
        return {
            "value": self.value,
            "std": self.std,
            "protocol": self.protocol.to_dict(),
            "hash": self.protocol.hash,
            **({} if self.error is None else {"error": self.error}),
            **({"more": dict(self.more)} if self.more else {}),
            **({"better": self.better} if self.better != better_by_name(self.name) else {}),
        }

    @classmethod
    def from_dict(cls, name: str, record: Mapping[str, Any]) -> "Score":
        """What to_dict gave; the hash is computed anew."""
        protocol = Protocol.from_dict(record["protocol"])
        more = record.get("more", {})
        better = record.get("better", "")
        error = record.get("error")
        return cls(name, record["value"], record["std"], protocol, more, better, error)


def better_by_name(name: str) -> Better:
    """Where better scores of this name are, "" where it does not tell."""
    return next((way for way, names in _BETTER.items() if names.match(name)), "")


@dataclass(frozen=True)
class Origin:
    """Where generated images come from, for the protocol.

    weights: "ema", "raw", or "given" where images are all that is known; bn_mode: see Protocol;
    truncation: None for none; seed: of the samples. classes: what the classes are called that
    labels number, () if that is not known; no part of the protocol. source: what translations
    started from, as its data set's provenance says it; None where it is not known or there is none.
    trained_on: see Protocol.
    """

    weights: str = "given"
    bn_mode: str = "given"
    truncation: float | None = None
    seed: int | None = None
    classes: tuple[str, ...] = ()
    source: str | None = None
    trained_on: str | None = None


FEATURES = ("torch", "torch-fidelity")
"""Packages whose change may change those of most extractors."""
PACKAGES = (*FEATURES, "numpy")


@dataclass(frozen=True)
class Instrument:
    """What a score is measured by: the fields of the protocol that say it, and in `settings` what
    else does.
    """

    extractor: str
    resize: str = "none"
    extractor_digest: str = ""
    precision: str = "float32"
    settings: Mapping[str, Plain] = field(default_factory=dict)


@dataclass(frozen=True)
class Split:
    """What scores compare with: n images, and a digest of their pixels."""

    name: str
    n: int
    digest: str


def stamp(
    by: Instrument,
    origin: Origin,
    n: int,
    settings: Mapping[str, Plain],
    against: Split | None = None,
    rounding: str = "round",
    rank_deficient: bool = False,
    packages: Iterable[str] = (),
) -> Protocol:
    """The protocol of a score of n images of this origin. packages: further ones that have a say in
    it.
    """
    source = {} if origin.source is None else {"source": origin.source}
    return Protocol(
        **{**vars(by), "settings": {**by.settings, **settings, **source}},
        n_generated=n,
        reference=None if against is None else against.name,
        n_reference=None if against is None else against.n,
        reference_digest=None if against is None else against.digest,
        rounding=rounding,
        weights=origin.weights,
        bn_mode=origin.bn_mode,
        truncation=origin.truncation,
        rank_deficient=rank_deficient,
        seed=origin.seed,
        versions={**versions(), **package_versions(packages)},
        trained_on=origin.trained_on,
    )


def versions() -> dict[str, str]:
    """Of Python and the packages that have a say in a score."""
    return {"python": platform.python_version(), **package_versions(PACKAGES)}


def package_versions(packages: Iterable[str]) -> dict[str, str]:
    """Of those packages that are installed."""
    found = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found
