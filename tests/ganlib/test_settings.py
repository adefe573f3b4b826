"""Settings: precedence, strictness, and the sentences for what is wrong."""

from pathlib import Path
from typing import Any

import pytest

from common.errors import UserError
from ganlib.settings import read_yaml, resolve


def test_precedence_and_upstream_names() -> None:
    settings = resolve(
        {"algorithm": "wgan_gp", "lam": 3, "n_dis": 2, "batchsize": 16}, {"lam": "1e-1"}
    )
    assert settings.algorithm.lam == 0.1  # type: ignore[attr-defined]
    assert settings.algorithm.n_dis == 2  # type: ignore[attr-defined]
    assert settings.algorithm.batch_size == 16
    assert settings.algorithm.adam_beta2 == 0.9


def test_yaml_numbers_without_a_dot_are_numbers(tmp_path: Path) -> None:
    """YAML 1.1 reads 2e-4 as a string."""
    file = tmp_path / "s.yaml"
    file.write_text("algorithm: sngan\nadam_alpha: 2e-4\n")
    assert resolve(read_yaml(file)).algorithm.adam_alpha == 2e-4


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "Which algorithm"),
        ({"algorithm": "sngam"}, "Did you mean 'sngan'"),
        ({"algorithm": "sngan", "n_dist": 2}, "Did you mean 'n_dis'"),
        ({"algorithm": "dcgan", "lam": 2}, r"dcgan has no setting 'lam' \(.*wgan_gp have\)"),
        ({"algorithm": "sngan", "n_dis": 0}, "n_dis is 0, but should be greater"),
        ({"algorithm": "sngan", "n_dis": 1.5}, "n_dis is 1.5, but should be a valid integer"),
        ({"algorithm": "sngan", "n_dis": "many"}, "n_dis is 'many'"),
        ({"algorithm": "sngan", "n_dis": True}, "n_dis is True, but should be a number"),
        ({"algorithm": "sngan", "adam_alpha": "nan"}, "adam_alpha is 'nan'"),
        ({"algorithm": "sngan", "adam_beta1": 1}, "adam_beta1 is 1, but should be less than 1"),
        ({"algorithm": "sngan", "architecture": "resnat"}, "Did you mean 'resnet'"),
        ({"algorithm": "sngan", "loss": "x"}, "There are: hinge, softplus"),
        ({"algorithm": "sngan", "gpu": -2}, "gpu is -2"),
        ({"algorithm": "sngan", "gpu": 0, "device": "cpu"}, "not both"),
        ({"algorithm": "sngan", "batch_size": [1]}, "batch_size"),
    ],
)
def test_what_is_wrong_is_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        resolve(given)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["- a\n- b\n", "a: [1", "just words", "1: 2\n", "\x00"])
def test_a_settings_file_that_is_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_yaml(file)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)
    with pytest.raises(UserError, match="no settings file"):
        read_yaml(tmp_path / "missing.yaml")


def test_how_long_to_train_is_free_unless_the_rate_knows_it() -> None:
    constant = resolve({"algorithm": "sngan"})
    linear = resolve({"algorithm": "sngan", "lr_decay": "linear"})
    assert "max_iter" not in constant.trajectory() and "max_iter" in linear.trajectory()
    assert "out" not in constant.trajectory() and "seed" in constant.trajectory()
