"""The examples for clusters: what they start is understood, and they fit the schemas."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

import ganlib
from ganlib.commands.train import command as train
from ganlib.runs.run import gather

FOLDER = Path(ganlib.__file__).parents[1] / "docs" / "clusters"
KUBERNETES, SKYPILOT = FOLDER / "kubernetes.yaml", FOLDER / "skypilot.yaml"


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.mark.parametrize("path", [KUBERNETES, SKYPILOT], ids=lambda path: path.name)
def test_what_is_started_is_understood(path: Path) -> None:
    """And goes on by itself where it has been."""
    line = re.search(r"python -m ganlib train ([^&\n]*)", path.read_text("utf-8"))
    assert line is not None
    words = shlex.split(line[1].replace("$JOB_COMPLETION_INDEX", "2").replace("$out", "/runs/x"))
    values = train.make_context("train", words).params
    settings = gather({name: v for name, v in values.items() if v not in (None, ())})
    assert settings.run.resume == "auto" and str(settings.run.out).startswith("/runs/")


def test_a_pod_writes_where_its_volume_is() -> None:
    pod = read(KUBERNETES)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert {v["name"] for v in pod["volumes"]} == {v["name"] for v in container["volumeMounts"]}
    assert "/runs" in {v["mountPath"] for v in container["volumeMounts"]}
    assert "/runs" in read(SKYPILOT)["file_mounts"]


@pytest.mark.slow
def test_the_job_fits_the_schema_of_kubernetes() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    validate.validate(read(KUBERNETES), "1.37", strict=True)
    bad = read(KUBERNETES)
    bad["spec"]["backoffLimits"] = 3
    with pytest.raises(validate.ValidationError):
        validate.validate(bad, "1.37", strict=True)


@pytest.mark.slow
def test_the_task_fits_the_schema_of_skypilot() -> None:
    schemas = pytest.importorskip("sky.utils.schemas", reason="pip install skypilot")
    jsonschema = pytest.importorskip("jsonschema")
    task = read(SKYPILOT)
    jsonschema.validate(task, schemas.get_task_schema())
    jsonschema.validate(task["resources"], schemas.get_resources_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**task, "runs": ""}, schemas.get_task_schema())
