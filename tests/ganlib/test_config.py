"""Settings: every one has a help text, and those of every run are listed here once more."""

from ganlib.config import RunConfig
from ganlib.registry import algorithms


def test_every_setting_is_explained() -> None:
    for model in (RunConfig, *(algorithms[name].config for name in algorithms.names())):
        for name, field in model.model_fields.items():
            assert field.description, name


def test_the_command_line_is_frozen() -> None:
    """A new setting of every run is a decision: it is added here too."""
    assert list(RunConfig.model_fields) == [
        "algorithm", "preset", "dataset", "source", "data_root", "size", "crop", "flip", "seed",
        "out", "gpu", "device", "deterministic", "precision", "graph", "compile", "accumulate",
        "workers", "checkpoint_blocks", "sync_bn", "init_from", "resume", "max_images", "max_hours",
        "display_interval", "sample_interval",
        "snapshot_interval", "evaluation_interval", "evaluation_images", "metrics", "segmentation",
        "extractor", "inception_weights", "keep_snapshots", "best_by", "tensorboard", "extension",
        "plugin_dir",
    ]  # fmt: skip
