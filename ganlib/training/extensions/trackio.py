"""The run for Trackio, on this machine, or where TRACKIO_SERVER_URL or TRACKIO_SPACE_ID says."""

from collections.abc import Mapping
from uuid import uuid4

from PIL.Image import Image

from ganlib.training.extensions.reports import PROJECT, Tracker, title
from ganlib.training.trainer import Trainer


class Trackio(Tracker):
    """In the project ganlib."""

    name = package = "trackio"

    def open(self, trainer: Trainer, record: str | None) -> str:
        record = (
            record or f"{title(trainer.out)}-{uuid4().hex[:8]}"
        )  # runs are known by their names
        self._run = self.client.init(
            PROJECT, record, config=self.settings, resume="allow", embed=False
        )
        return record

    def numbers(self, values: Mapping[str, float], iteration: int) -> None:
        self._run.log(dict(values), iteration)

    def text(self, name: str, text: str, iteration: int) -> None:
        self._run.log({name: self.client.Markdown(text)}, iteration)

    def picture(self, name: str, picture: Image, iteration: int) -> None:
        self._run.log({name: self.client.Image(picture)}, iteration)

    def end(self, whole: bool) -> None:
        self._run.finish()


make = Trackio
