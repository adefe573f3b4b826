"""A model from where it lies: a run, a snapshot, an export, the gallery or a hub."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as read_tensors

from ganlib.common.data import DataSpec
from ganlib.common.errors import UserError, one_line
from ganlib.common.io.console import in_python
from ganlib.common.io.files import as_user_error, expand, reading, regular
from ganlib.common.query import KINDS, DataQuery, label
from ganlib.common.sources.parse import FOLDER, sources
from ganlib.registry import add_plugins, check_registered
from ganlib.sampling.exports import hub
from ganlib.sampling.model import Model, assemble
from ganlib.training.extensions.posthoc_ema import take_average
from ganlib.training.snapshot import SPEC, read_snapshot, snapshot_at
from ganlib.training.updater import Updater

WEIGHTS, CARD = "generator.safetensors", "model_card.json"
GALLERY = Path(__file__).with_name("gallery")
"""A folder for each generator that comes with ganlib, as `ganlib export` writes them."""
OF_GALLERY = "gallery:"


@in_python
def load(
    path: str | Path,
    device: str | None = None,
    dataset: str | Path | None = None,
    data_root: str | Path | None = None,
    plugin_dir: str | Path | Sequence[str | Path] = (),
    source: str | None = None,
    back: bool = False,
    at: str | int = "last",
    ema_length: float | None = None,
) -> Model:
    """The model that lies at `path`, on the CPU unless told otherwise.

    path: a run's folder, of which `at` names the snapshot ("last", "best" or an iteration); a
    snapshot file; a folder that `ganlib export` wrote; "gallery:NAME", which comes with ganlib; or,
    where no such file or folder is, "user/name" or "user/name@REVISION" on a Hugging Face hub,
    which takes the packages of ganlib[hub].
    dataset: of a translator, where the images that it samples from are (test images, if there are
    some), a name or a path; data_root: the folder with its files; source: what of them it starts
    from, as --source says it, by default what its run did. plugin_dir: a folder, or
    several, of methods of your own. back: of a translator that goes both ways, the way back, from
    images to sources. ema_length: by an average of the weights of this length, in parts of the
    training, of a run with --ema-every.

    Raises UserError if there is nothing, for a file that is damaged, from another version, or of an
    algorithm that is not registered, for a data set that does not fit, for a way back where there
    is none, and for what an export does not hold.
    """
    add_plugins(*map(Path, [plugin_dir] if isinstance(plugin_dir, str | Path) else plugin_dir))
    path = expand(path)
    if is_export(path):
        for option, wanted in ((f"--at={at}", at != "last"), ("ema_length", ema_length)):
            if wanted:
                raise UserError(
                    f"{option} is for a run's folder, and {path} is none: leave it out."
                )
        folder, place = _found(str(path))
        model = load_export(folder, device, dataset, data_root, source, back)
        model.place = place
        return model
    path = snapshot_at(path, at)
    content = read_snapshot(path)
    settings, state = content["settings"], content["updater"]
    try:
        updater = _assembled(path, settings, content["spec"], device)
        updater.load_state_dict(state["modules"])
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"{path} does not fit '{settings['algorithm']}' as it is here: "
            "its settings or its networks have changed since."
        ) from error
    updater.iteration = state["iteration"]
    updater.frozen.digests = dict(state.get("frozen", {}))  # which protocols name
    if ema_length is not None:
        take_average(updater, path.parent.parent, ema_length)
    if back:
        updater.turn()
    model = Model(updater, settings, path.parent.parent, state["positions"].get(""))
    return _starting(model, dataset, data_root, source)


def load_export(
    folder: str | Path,
    device: str | None = None,
    dataset: str | Path | None = None,
    data_root: str | Path | None = None,
    source: str | None = None,
    back: bool = False,
) -> Model:
    """The model that an export holds: its samples are those of the snapshot it was made from. It
    holds one direction, of which its card says which; back: no other than the way back will do.
    dataset, data_root, source: see load().

    Raises UserError if the folder holds no export, a damaged one, one that does not fit this
    library, or the way there where the way back is asked for.
    """
    folder = Path(folder)
    missing = f"{folder} holds no whole {CARD} and {WEIGHTS}."
    with as_user_error(lambda _: missing, (OSError, ValueError, SafetensorError)):
        card = json.loads(regular(folder / CARD).read_text("utf-8"))
        content = regular(folder / WEIGHTS).read_bytes()
        weights = read_tensors(content)
    digest = sha256(content).hexdigest()
    kinds = (RuntimeError, ValueError, KeyError, TypeError, AttributeError, OverflowError)
    with as_user_error(lambda e: f"{folder} does not fit this ganlib: {one_line(e)}.", kinds):
        if card.get("sha256", digest) != digest:
            raise UserError(f"{folder / WEIGHTS} is damaged, or not that of its {CARD}.")
        settings, seen = shareable(card["settings"]), card["images_seen"]
        spec = SPEC.validate_python(asdict(DataSpec(**card["data"])))  # lists become tuples
        updater = _assembled(folder, settings, spec, device)
        frozen = card.get("frozen", {}).items()
        updater.frozen.digests = {str(name): str(digest) for name, digest in frozen}
        if card.get("direction") == direction(turned=True):
            updater.turn()
        updater.sampling_gen.load_state_dict(weights)  # of any precision, into float32
        updater.iteration = int(card["iteration"])
        model = Model(updater, settings, folder, None if seen is None else int(seen), card=card)
    if back and not updater.turned:
        raise UserError(f"{folder} does not hold the way back: export the run with --back.")
    return _starting(model, dataset, data_root, source)


def is_export(path: str | Path) -> bool:
    """Whether an exported folder lies there, or nothing and it is a name in the gallery or on a
    hub. UserError for a file in such a folder.
    """
    name, path = str(path), Path(path)
    with reading(path):
        if path.is_file() and path.name in (WEIGHTS, CARD):
            raise UserError(f"{path} is a file of an export: give its folder, {path.parent}.")
        if path.exists():
            return (path / CARD).is_file() and not (path / "snapshots").is_dir()
    return name.startswith(OF_GALLERY) or bool(
        path.suffix.lower() not in (".pt", *KINDS) and hub.NAME.fullmatch(name)
    )


def direction(turned: bool) -> str:
    """Which way a translator of both ways goes, for the card."""
    return "back, from images to sources" if turned else "from sources to images"


def shareable(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings in which data are called by a short name in place of a path: where they lay is true
    nowhere else, and what a card from elsewhere names is not to be opened.
    """
    found = dict(settings)
    if found.get("dataset"):
        found["dataset"] = label(found["dataset"])
    if source := found.get("source"):
        word, colon, more = source.partition(":")
        if word == FOLDER or word not in sources.names():
            found["source"] = f"./{label(source)}"  # which is no word
        elif "/" in more or "\\" in more:
            found["source"] = f"{word}{colon}{label(more)}"
    return found


def _found(name: str) -> tuple[Path, str]:
    """The folder of an export, and as what it is known: of a hub with the commit."""
    if Path(name).exists():
        return Path(name), name
    if name.startswith(OF_GALLERY):
        wanted = name.removeprefix(OF_GALLERY)
        names = sorted(card.parent.name for card in GALLERY.glob(f"*/{CARD}"))
        if wanted not in names:
            there = ", ".join(names) or "none"
            raise UserError(f"The gallery has no '{wanted}'; there are: {there}.")
        return GALLERY / wanted, name
    matched = hub.NAME.fullmatch(name)
    assert matched is not None
    return hub.download(matched[1], matched[2], (CARD, WEIGHTS))


def _assembled(
    path: Path, settings: Mapping[str, Any], spec: DataSpec, device: str | None
) -> Updater:
    check_registered(path, settings["algorithm"])
    return assemble(settings, spec, device)


def _starting(
    model: Model, dataset: str | Path | None, data_root: str | Path | None, source: str | None
) -> Model:
    """With what a translator starts from, if that is said."""
    if dataset is not None:
        root = None if data_root is None else Path(data_root)
        model.give_sources(DataQuery(str(dataset), root, source=source))
    return model
