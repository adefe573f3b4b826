"""A trained generator, and what is done with it."""

import base64
import io
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from ganlib.common.data import POINTS, DataSpec
from ganlib.common.data.classes import Conditions, find_class
from ganlib.common.data.in_memory import GIVEN, as_dataset
from ganlib.common.errors import UserError
from ganlib.common.io.console import in_python, progress_bar, stderr_console
from ganlib.common.io.files import expand
from ganlib.common.io.jsonl import read_lines
from ganlib.common.pictures import apart, class_grid, grid, scatter, translation_grid
from ganlib.common.query import DataQuery
from ganlib.config import RunConfig
from ganlib.evaluation import Score
from ganlib.evaluation.extractors.base import TRAINED, make_extractor
from ganlib.evaluation.extractors.small import Classified
from ganlib.evaluation.metrics.base import find_metrics
from ganlib.registry import algorithms
from ganlib.sampling.codes import Space
from ganlib.sampling.directions import Directions, Kind, closed_form, of_classes, principal
from ganlib.sampling.inversion import STEPS, Inverted, invert
from ganlib.sampling.translation.source_images import Inputs, as_sources
from ganlib.sampling.translation.translator import Translator
from ganlib.training.device import devices
from ganlib.training.extensions import sample_grid
from ganlib.training.scores.real_images import RealImages
from ganlib.training.scores.scorer import SCORES, Criteria, Drawing, make_scorer
from ganlib.training.update.streams import loader_of
from ganlib.training.updater import Updater


class Model:
    """What a run leaves behind: sample(), grid(), latents() and decode(), or in two steps code()
    and draw(); of a translator translate().

    settings: every setting of the run by name. out: the run's folder, or that of an export. images:
    how many real images training saw, None if that is not known. place: as what it was asked for,
    of a hub with the commit. card: what an export says of itself; {} of a run.
    """

    def __init__(
        self,
        updater: Updater,
        settings: Mapping[str, Any],
        out: Path,
        images: int | None = None,
        card: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.updater, self.settings, self.out, self.images = updater, settings, out, images
        self.place, self.card = str(out), card

    @property
    def spec(self) -> DataSpec:
        """The shapes of the images."""
        return self.updater.spec

    @in_python
    def sample(
        self,
        n: int,
        seed: int = 0,
        batch_size: int = 256,
        truncation: float | None = None,
        y: Conditions | None = None,
        statistics: str | None = None,
    ) -> Tensor:
        """n images, float (n, C, H, W) in [-1, 1] on the CPU; image i depends on (seed, i), y[i].

        y: one class for all, by name ("Sandal", "boot") or number; a list of n, or int64 (n,);
        float (n, n_classes), how much of each class; or (n, C', H', W'), source images. By default
        classes as often as among the data, or held-out sources. statistics: "running",
        "standing:N" or "batch", see training/samples/bn_statistics.py.
        """
        batches = self.updater.sample(n, seed, batch_size, truncation, y, statistics)
        return torch.cat([batch.cpu() for batch in batches])

    @in_python
    def grid(
        self,
        n: int | None = None,
        seed: int = 0,
        truncation: float | None = None,
        y: Conditions | None = None,
    ) -> Image.Image:
        """n images in one picture, by default 64; a notebook shows it. Of points, at least 1,000
        dots.

        Of a generator of classes each class (of y, a class or a list of them, else the
        first 16) has a row with an equal share of n, by default 8, and its name; in a column all
        have the same latents. Of a generator that translates, n held-out sources (by default 24)
        are shown beside what is made of them and the truth. A tensor y shows n images as sample()
        gives them.
        """
        if self.spec.native == POINTS:
            return scatter(self.sample(max(n or 0, 1000), seed, truncation=truncation, y=y))
        stream = self.updater.sample_stream(seed, truncation)
        classes = sample_grid.shown_classes(self.updater)
        if classes and not isinstance(y, Tensor):
            if y is not None:
                words, names = [y] if isinstance(y, int | str) else y, self.updater.classes
                classes = [find_class(word, names) for word in words]
            return class_grid(sample_grid.class_rows(stream, classes, n))
        if sample_grid.shows_translations(self.updater) and y is None:
            return translation_grid(sample_grid.translations(stream, n or sample_grid.SOURCES))
        samples = self.sample(64 if n is None else n, seed, truncation=truncation, y=y)
        return grid(apart(samples, self.spec.frames))

    @in_python
    def translate(
        self, images: Inputs, seed: int = 0, tile: int | None = None, statistics: str | None = None
    ) -> Tensor | list[Tensor]:
        """What a translator makes of images of any size, float (n, C, H, W) in [-1, 1] on the CPU;
        where sizes differ, a list of (C, H, W). Each depends on (image, seed) alone.

        images: a PIL image, a list of them, or a tensor (C', H', W') or (n, C', H', W'), uint8 or
        float in [-1, 1] (rounded to 0..255); of maps of classes int32 (n, 2, H', W'). Colour and
        grey become what the generator starts from. tile: of large images, the side of the squares
        that are made at a time, in pixels. statistics: as of sample().

        UserError for a generator that starts from no images, and for what is no such image.
        """
        translator = Translator(self.updater, seed, tile, statistics)
        made = [translator(y) for y in as_sources(images, self.spec)]
        return torch.stack(made) if len({x.shape for x in made}) == 1 else made

    @in_python
    def evaluate(
        self,
        n: int = 10_000,
        metrics: Sequence[str] | None = None,
        dataset: Any = None,
        extractor: str | None = None,
        seed: int = 0,
        truncation: float | None = None,
        statistics: str | None = None,
        segmentation: bool = False,
        intra_images: int | None = None,
        intervals: bool = False,
    ) -> Mapping[str, Score]:
        """Scores of n samples by name, each with its protocol, as `ganlib evaluate` has them.

        metrics: by default "is" and "fid", and of a generator that is told labels what its classes
        and extractor allow of "intra" and "class_accuracy". dataset: the real images, by default
        those of the run: a name, a path, or what train() takes. extractor: by default the run's, or
        the data set's own. segmentation: by a network too that finds the classes of maps in what
        was made of them. intra_images: by an intra-class distance too, of so many samples of each
        class and all of its real images; papers take 5,000. intervals: with a standard error over
        draws of samples, `Score.error`, of scores in features. UserError for what is missing; but
        where images belong to sources and the extractor, which nobody named, cannot be had, a
        warning, and no scores in features.
        """
        find_metrics(metrics or ())
        if intra_images is not None and intra_images < 2:
            raise UserError(
                f"intra_images is {intra_images}: a distance takes at least two of a class."
            )
        updater, run = self.updater, DataQuery.of_run(self.settings)
        if dataset is None or isinstance(dataset, str | Path):
            name, own = None if dataset is None else str(dataset), self.settings.get("extractor")
            query = RealImages(name, run.data_root, back=updater.turned)
            real = query.completed(run)
            if real.dataset == GIVEN:
                raise UserError(
                    "This run was trained on data given in Python: give them, dataset=."
                )
            if updater.config.translates and updater.held_out is None:
                self.give_sources(query)
        else:
            data, own = as_dataset(dataset), None
            real = RealImages(size=run.size, crop=run.crop, memory=data, back=updater.turned)
        criteria = Criteria(
            None if metrics is None else tuple(metrics),
            extractor=extractor,
            intra_images=intra_images,
            intervals=intervals,
            segmentation="--segmentation" if segmentation else None,
        )
        device = updater.clock.device
        scorer = make_scorer(updater, real, criteria, extractor=own, device=device)
        with progress_bar(stderr_console()) as progress:
            return scorer(Drawing(n, seed, truncation, statistics), progress).scores

    def give_sources(self, query: DataQuery | None = None) -> None:
        """Let a translator sample: from the test images that a query names, or from the training
        images where there are no others; what it does not say is as in the run.

        UserError for a data set that is missing or has no such sources, or is given to a generator
        that needs none.
        """
        updater, query = self.updater, query or DataQuery()
        if not updater.config.translates:
            for option, value in (("--dataset", query.dataset), ("--source", query.source)):
                if value is not None:
                    raise UserError(
                        f"This generator needs no images to start from: leave {option} out."
                    )
            return
        run = DataQuery.of_run(self.settings)
        wanted = query.completed(run)
        own = expand(run.dataset or "").resolve()
        if query.dataset is not None and expand(query.dataset).resolve() == own:
            # all of other images is new to the generator
            wanted = replace(wanted, hold_out=run.hold_out)
        try:
            split, data = "test", wanted.of_split("test")
            if data is None or data.source is None:
                split, data = "train", replace(wanted, split="train").open()
        except UserError as error:
            if query.dataset is not None:
                raise
            raise UserError(
                f"This generator translates images, and its run's cannot be opened ({error}): give "
                "--dataset."
            ) from None
        spec, data = self.spec, data.turned() if updater.turned else data
        assert spec.source is not None
        if data.source is not None:
            both = (data.source_kind, data.source.shape[1]), (spec.source_kind, spec.source[0])
            theirs, ours = (f"images of {n} channels" if k == "image" else k for k, n in both)
            if theirs != ours:
                raise UserError(
                    f"The sources of '{data.name}' are {theirs}, and this generator starts from "
                    f"{ours}."
                )
        updater.held_out_split = split
        updater.held_out = loader_of(updater.config, data, spec, 0, device=updater.clock.device)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.spec.native))
        return (
            f"<{self.settings['algorithm']}{self._way}, {shape}, "
            f"iteration {self.updater.iteration}: {self.place}>"
        )

    @property
    def _way(self) -> str:
        return " (back)" if self.updater.turned else ""

    def _repr_html_(self) -> str:
        """What a notebook shows of it: its name, a grid, and the newest scores."""
        title = f"{self.settings['algorithm']}{self._way}, iteration {self.updater.iteration:,}"
        picture, file = "", io.BytesIO()
        with suppress(UserError):  # a translator without its sources
            self.grid().save(file, "PNG")
            url = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
            picture = f'<img alt="samples" src="{url}">'
        # a run scores the way there
        scores = {} if self.updater.turned else _newest_scores(self.out)
        rows = [f"<tr><td>{escape(n)}</td><td>{v:.4g}</td></tr>" for n, v in scores.items()]
        table = f"<table>{''.join(rows)}</table>" if rows else ""
        return f"<div><b>{escape(title)}</b><br>{picture}{table}</div>"

    @in_python
    def latents(
        self, numbers: list[int], seed: int = 0, y: Conditions | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Latents and conditions of the samples with these numbers in sample(..., seed, y=y)."""
        return self.updater.latents(numbers, seed, y)

    def decode(self, z: Tensor, y: Tensor | None = None) -> Tensor:
        """Images for latents, float (n, C, H, W) in [-1, 1] on the CPU: draw(code(z, y), y)."""
        return self.updater.decode(z, y).cpu()

    def code(self, z: Tensor, y: Tensor | None = None, truncation: float | None = None) -> Tensor:
        """What images are drawn from: w of a style-based generator, z of another."""
        return self.updater.sample_stream(0, truncation).code(z, y)

    def draw(self, code: Tensor, y: Tensor | None = None) -> Tensor:
        """Images for codes, float (n, C, H, W) in [-1, 1] on the CPU."""
        return self.updater.sample_stream(0).draw(code, y).cpu()

    @in_python
    def invert(
        self,
        images: Any,
        space: Space = "z",
        steps: int = STEPS,
        seed: int = 0,
        y: Conditions | None = None,
    ) -> Inverted:
        """Codes of images, from which the generator makes them as nearly as it can, by pixels and
        where there is a classifier of the run's data by its features; see invert() in
        sampling/inversion.py. decode(codes, y), of the space "code" draw(codes, y), shows them.

        images: as train() takes them in memory, of the data's own size. seed, y: of the samples
        among which the search begins. UserError for images that do not fit, and for a generator
        without latents.
        """
        x, classifier = as_dataset(images).x, self._classifier()
        stream = self.updater.sample_stream(seed, y=y)
        rows = x[torch.arange(len(x))].float() / 127.5 - 1
        return invert(stream, rows, space=space, steps=steps, classifier=classifier)

    @in_python
    def directions(self, kind: Kind, most: int = 5, space: Space | None = None) -> Directions:
        """Directions in which images change, each of length 1: `most` of "sefa" or "pca", or one
        for each class of the run's data ("classes"); see sampling/directions.py. `.along(codes,
        reach, frames)` goes along them. space: of these codes, "z" or "code", by default "code" for
        "pca" and else "z". UserError for what this generator or its data have not.
        """
        space = space or ("code" if kind == "pca" else "z")
        if space == "layers":
            raise UserError(
                "The w of all layers move along the same directions: give --space=code."
            )
        if kind == "pca" and space == "z":
            raise UserError("--directions=pca are of codes: give --space=code.")
        stream = self.updater.sample_stream(0)
        if kind == "sefa":
            return closed_form(stream, space, most)
        if kind == "pca":
            return principal(stream, most)
        if (classifier := self._classifier()) is None:
            raise UserError(
                "ganlib has no classifier of this run's data, by which classes are found: "
                "give --directions=sefa instead."
            )
        return of_classes(stream, space, classifier)

    def _classifier(self) -> Classified | None:
        """Of the run's data, if it comes with ganlib."""
        name = TRAINED.get(str(self.settings.get("dataset")))
        found = None if name is None else make_extractor(name, self.updater.clock.device)
        return found if isinstance(found, Classified) else None


def _newest_scores(out: Path) -> dict[str, float]:
    """Of the last evaluation in a run's folder, by name; {} if there is none."""
    try:
        lines: list[dict[str, Any]] = read_lines(out / SCORES)
        return {name: score["value"] for name, score in lines[-1]["scores"].items()}
    except (UserError, OSError, IndexError, KeyError, TypeError):  # a picture is worth showing
        return {}


def assemble(settings: Mapping[str, Any], spec: DataSpec, device: str | None = None) -> Updater:
    """An updater without data, its weights still random, on the CPU unless told otherwise.

    Raises pydantic.ValidationError, a ValueError, for settings that the algorithm does not have.
    """
    algorithm = algorithms[settings["algorithm"]]
    config = algorithm.config(
        **{k: v for k, v in settings.items() if k not in RunConfig.model_fields}
    )
    place = devices.pick_device(None, device or "cpu")
    return algorithm.assemble(config, None, spec, place)
