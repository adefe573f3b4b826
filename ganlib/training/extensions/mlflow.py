"""The run for MLflow, on the server MLFLOW_TRACKING_URI."""

import os
import time
from collections.abc import Mapping

from PIL.Image import Image

from ganlib.training.extensions.reports import PROJECT, Tracker, title
from ganlib.training.trainer import Trainer

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
"""A server that has gone keeps a run waiting for seconds, once, and not for minutes."""


class Mlflow(Tracker):
    """In the experiment MLFLOW_EXPERIMENT_NAME, by default ganlib."""

    name = package = "mlflow"

    def open(self, trainer: Trainer, record: str | None) -> str:
        for name, value in PATIENCE.items():
            os.environ.setdefault(name, value)
        self._client = self.client.MlflowClient()
        if record is None:
            home = self.client.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
            run = self._client.create_run(home.experiment_id, run_name=title(trainer.out))
            record = str(run.info.run_id)
            settings = [self.client.entities.Param(n, str(v)) for n, v in self.settings.items()]
            self._client.log_batch(record, params=settings)
        self._record = record
        self._client.update_run(record, "RUNNING")
        return record

    def numbers(self, values: Mapping[str, float], iteration: int) -> None:
        now, metric = time.time_ns() // 10**6, self.client.entities.Metric
        found = [metric(name, float(x), now, iteration) for name, x in values.items()]
        self._client.log_batch(self._record, metrics=found)

    def text(self, name: str, text: str, iteration: int) -> None:
        self._client.set_tag(self._record, name, text)

    def picture(self, name: str, picture: Image, iteration: int) -> None:
        self._client.log_image(self._record, picture, key=name, step=iteration)

    def end(self, whole: bool) -> None:
        self._client.set_terminated(self._record, "FINISHED" if whole else "FAILED")


make = Mlflow
