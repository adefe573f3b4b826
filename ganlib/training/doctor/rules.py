"""What is wrong with a run, told from the history of its figures: rules as data, each a condition
on the newest line of the log, or on all of them, that is to hold for so many looks in a row.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import nan
from statistics import median
from typing import Any, NamedTuple

Row = Mapping[str, Any]
"""A line of the log, with the doctor's figures under their own names."""
Rows = Sequence[Row]


class Remedy(NamedTuple):
    """A setting to try: a factor on what it is, or a value. only: where it has this value now."""

    setting: str
    to: float | str
    only: Any = None


class Rule(NamedTuple):
    """holds: whether it seems so after these looks, of which the last is the newest. looks: in a
    row, until it is said. what: the words, with figures in braces.
    """

    name: str
    holds: Callable[[Rows], bool]
    looks: int
    what: str
    remedies: Sequence[Remedy] = ()
    otherwise: str = ""


class Finding(NamedTuple):
    """A rule that holds. since: the iteration. looks: for how many it has held."""

    rule: Rule
    since: int
    looks: int
    row: Row

    def sentence(self, settings: Mapping[str, Any], missing: Sequence[str] = ()) -> str:
        """Since when, how sure, what, and what to try of the method's settings."""
        sure = "almost surely" if self.looks >= 2 * self.rule.looks else "probably"
        what = self.rule.what.format_map(
            {"auc": nan, **self.row, "names": ", ".join(missing) or "some"}
        )
        tries = [text for one in self.rule.remedies if (text := _flag(one, settings))][:2]
        advice = " or ".join(tries) or self.rule.otherwise
        return f"Since iteration {self.since}, {sure}: {what}.{advice and f' Try {advice}.'}"


def _flag(remedy: Remedy, settings: Mapping[str, Any]) -> str:
    """The flag as it is written; "" where the method has none, or it is so already."""
    name, to, only = remedy
    now = settings.get(name)
    if now is None or (only is not None and now != only):
        return ""
    if name == "diffaugment" and settings.get("ada"):
        return ""
    before = now if isinstance(now, str) else ",".join(now) if only == () else f"{now:g}"
    if isinstance(to, str):
        new = to
    else:
        new = f"{max(1, round(now * to)) if isinstance(now, int) else now * to:g}"
    return "" if new == before else f"--{name.replace('_', '-')} {new}"


def findings(rows: Rows, rules: Iterable[Rule]) -> list[Finding]:
    """Those of the rules that hold now, and have for as many looks as each asks for."""
    found = []
    for rule in rules if rows else ():
        looks = 0
        while looks < len(rows) and rule.holds(rows[: len(rows) - looks]):
            looks += 1
        if looks >= rule.looks:
            found.append(Finding(rule, rows[-looks]["iteration"], looks, rows[-1]))
    return found


def _of(rows: Rows, name: str) -> float:
    """The newest value; nan without one, of which no comparison holds."""
    return float(rows[-1].get(name, nan))


def _constant(rows: Rows) -> bool:
    return _of(rows, "contrast") < 0.05 and _has_begun(rows)


def _collapsed(rows: Rows) -> bool:
    return _of(rows, "spread") < 0.15 and _of(rows, "contrast") >= 0.05 and _has_begun(rows)


def _has_begun(rows: Rows) -> bool:
    """An untrained generator's samples are alike too, of one colour each."""
    return len(rows) > 2 or any(row.get("spread", 0) > 0.3 for row in rows)


def _lost_classes(rows: Rows) -> bool:
    """Far fewer than were found before; or some are missing, and for long there were no more."""
    now = _of(rows, "classes")
    before: list[float] = [row["classes"] for row in rows[:-1] if "classes" in row]
    stands = len(before) >= STILL and max(before[-STILL:]) <= now
    fewer = now <= max(before, default=0.0) - LOST
    return (stands or fewer) and _of(rows, "missing") > 0


STILL, LOST = 30, 4


def _won(rows: Rows) -> bool:
    """Nothing is taken for real, and by far, which gets no better; or the generator learns nothing
    from it any more.
    """
    apart, before = _of(rows, "apart"), _of(rows[-2:-1], "apart") if len(rows) > 1 else 0.0
    far = apart > 10 and not apart < 0.8 * before
    return _of(rows, "auc") > 0.999 and (far or _of(rows, "grad_gen") < 1e-4)


def _stopped(rows: Rows) -> bool:
    """It cannot tell images that a glance tells from real ones, or its gradient has vanished."""
    norms = [row["grad_dis"] for row in rows if "grad_dis" in row]
    far = _has_begun(rows) and (_of(rows, "nearest") > 1.5 or _of(rows, "spread") < 0.3)
    return norms[-1:] == [0.0] or (far and _of(rows, "auc") < 0.6)


def _memorised(rows: Rows) -> bool:
    """By the generator; or by D, to which held-out images are as generated ones."""
    train, test, fake = (_of(rows, f"dis_{name}") for name in ("train", "test", "fake"))
    overfits = _of(rows, "apart") > 2 and train - test > 0.4 * (train - fake)
    return overfits or (_of(rows, "nearest") < 0.5 and _of(rows, "spread") > 0.5)


def _diverges(rows: Rows) -> bool:
    """A figure that should stay as it is has grown to TIMES its median."""
    for name in rows[-1]:
        if name.startswith(LARGE):
            before = [abs(row[name]) for row in rows[:-1] if name in row]
            if len(before) > 1 and abs(_of(rows, name)) > TIMES * max(1.0, median(before)):
                return True
    return False


LARGE, TIMES = ("grad_", "dis_", "loss_"), 100


def _oscillates(rows: Rows) -> bool:
    """By turns D takes real images for the more real ones, and generated ones."""
    auc: list[float] = [row["auc"] for row in rows[-TURNS:] if "auc" in row]
    return min(sum(x < 0.35 for x in auc), sum(x > 0.65 for x in auc)) >= 2


TURNS = 8


def _unmet(rows: Rows) -> bool:
    return _of(rows, "loss_gp") > 1


SLOWER, AUGMENT = Remedy("adam_alpha", 0.5), Remedy("diffaugment", "color,translation,cutout", ())
CLIP, COLLAPSE = Remedy("clip", "0.01"), "collapse"
RULES = (
    Rule(
        "constant-data",
        lambda rows: _of(rows, "data_deviation") < 0.02,
        1,
        "the training images are alike, or of one colour each (deviation {data_deviation:.2g})",
        otherwise="other data",
    ),
    Rule(
        "duplicated-data",
        lambda rows: _of(rows, "data_distinct") < 0.5,
        1,
        "of the training images only the part {data_distinct:.2g} is not another one again",
        otherwise="other data, each image once",
    ),
    Rule(
        "meaningless-labels",
        lambda rows: _of(rows, "data_labels") < 3,
        1,
        "the labels say nothing of the images: the nearest to each has its label by chance alone",
        otherwise="labels in the order of the images",
    ),
    Rule(
        "constant-images",
        _constant,
        3,
        "samples are of one colour each, or black (contrast {contrast:.2g} of the data's)",
        (SLOWER,),
    ),
    Rule(
        COLLAPSE,
        _collapsed,
        3,
        "samples are alike (spread {spread:.2g} of the data's)",
        (Remedy("n_dis", 2), SLOWER, Remedy("batch_size", 2)),
    ),
    Rule(
        "partial-collapse",
        _lost_classes,
        2,
        "samples are of {classes:.0f} of the classes; missing: {names}",
        (Remedy("n_dis", 2), SLOWER, Remedy("batch_size", 2)),
    ),
    Rule(
        "discriminator-won",
        _won,
        3,
        "the discriminator tells all samples from real images, {apart:.2g} deviations apart",
        (
            Remedy("loss", "nonsaturating", "minimax"),
            CLIP,
            Remedy("n_dis", 0.5),
            Remedy("adam_alpha_dis", 0.5),
            AUGMENT,
        ),
    ),
    Rule(
        "discriminator-stopped",
        _stopped,
        3,
        "the discriminator does not tell bad samples from real images (auc {auc:.2f})",
        (Remedy("lam", 0.1), Remedy("n_dis", 2), Remedy("adam_alpha_dis", 2)),
        "a larger learning rate of the discriminator",
    ),
    Rule(
        "memorising",
        _memorised,
        2,
        "training images are learned by heart: samples repeat them, or held-out images are to the "
        "discriminator as samples are",
        (AUGMENT, Remedy("ada_target", "0.6", 0.0)),
        "more images",
    ),
    Rule(
        "divergence",
        _diverges,
        1,
        "losses, gradients or outputs of the discriminator have grown a hundredfold",
        (CLIP, Remedy("lam", 10), Remedy("adam_alpha", 0.1)),
    ),
    Rule(
        "oscillation",
        _oscillates,
        1,
        "by turns the discriminator takes real images for real and samples (auc {auc:.2f})",
        (SLOWER, Remedy("ema_decay", "0.999", 0.0)),
    ),
    Rule(
        "penalty",
        _unmet,
        2,
        "the slope of the discriminator is not what its penalty asks for (loss_gp {loss_gp:.2g})",
        (Remedy("lam", 10), SLOWER),
    ),
)
