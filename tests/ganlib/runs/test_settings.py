"""Settings: precedence, strictness, and the sentences for what is wrong."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from ganlib.common.errors import UserError
from ganlib.registry import algorithms
from ganlib.runs.resuming import Resumption
from ganlib.runs.run import gather
from ganlib.runs.settings import plugin_folders, read_yaml, resolve


def test_precedence_and_upstream_names() -> None:
    settings = resolve(
        {"algorithm": "wgan_gp", "lam": 3, "n_dis": 2, "batchsize": 16}, {"lam": "1e-1"}
    )
    assert settings.algorithm.lam == 0.1  # type: ignore[attr-defined]
    assert settings.algorithm.n_dis == 2  # type: ignore[attr-defined]
    assert settings.algorithm.batch_size == 16
    assert settings.algorithm.adam_beta2 == 0.9


def test_a_run_of_before_names_inceptions_weights() -> None:
    before = {"algorithm": "sngan", "inception_weights": "a.pth"}
    assert resolve(before).run.extractor_weights == Path("a.pth")
    assert resolve(before, {"extractor_weights": "b.pth"}).run.extractor_weights == Path("b.pth")
    assert resolve({**before, "inception_weights": None}).run.extractor_weights is None


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
        ({"algorithm": "SNGAN"}, "Did you mean 'sngan'"),
        ({"algorithm": "sgnan"}, "Did you mean 'sngan'"),  # srgan is as near by letters in order
        ({"algorithm": "sngan", "epochs": 2, "max_iter": 3}, "Give --epochs or --max-iter, not b"),
        ({"algorithm": "sngan", "epochs": 0}, "epochs is 0, but should be greater"),
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
        ({"algorithm": "sngan", "statistics": "mine"}, "statistics is 'mine', but should be run"),
        ({"algorithm": "sngan", "out": "\ud800"}, r"out is '\\ud800', but should be plain text"),
        ({"algorithm": "sngan", "dataset": "a\0b"}, "dataset is 'a.x00b', but"),
        ({"algorithm": "sngan", "statistics": "standing:0"}, "standing:N for N batches"),
    ],
)
def test_what_is_wrong_is_one_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as caught:
        resolve(given)
    assert "\n" not in str(caught.value)


BOMB = "a: &a [x, x]\n" + "".join(
    f"{b}: &{b} [{', '.join(8 * [f'*{a}'])}]\n" for a, b in pairwise("abcdefgh")
)


@pytest.mark.parametrize(
    "text",
    [
        "- a\n- b\n",
        "a: [1",
        "just words",
        "1: 2\n",
        "\x00",
        "",
        "seed: 1\nlam: 2\nseed: 1\n",
        "dcgan: {lam: 1, lam: 2}\n",
        "a: " + 5000 * "[" + 5000 * "]",
        "a: " + 5000 * "{a: ",
        "? [a]\n: 1\n",
        "seed: !!python/object/apply:os.getcwd []\n",
        "seed: 2026-99-99\n",
    ],
)
def test_a_settings_file_that_is_none(text: str, tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_yaml(file)
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)
    with pytest.raises(UserError, match="no settings file"):
        read_yaml(tmp_path / "missing.yaml")


def test_examples_are_found_by_name_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = [read_yaml(Path(p)) for p in ("vae_mnist", "example_configs/vae_mnist.yaml")]
    assert found[0] == found[1] and found[0]["algorithm"] == "vae"
    Path("vae_mnist").write_text("algorithm: gan\n")
    assert read_yaml(Path("vae_mnist")) == {"algorithm": "gan"}  # one's own comes first
    for missing in ("elsewhere/vae_mnist.yaml", "no_such_example"):
        with pytest.raises(UserError, match=f"no settings file {missing}"):
            read_yaml(Path(missing))
    with pytest.raises(UserError, match="Of ganlib's examples vae_mnist is the nearest"):
        read_yaml(Path("vae_minst.yaml"))


def test_equal_keys_are_named(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("seed: 1\nlam: 2\nseed: 1\n")
    with pytest.raises(UserError, match="'seed' stands there 2 times"):
        read_yaml(file)


def test_a_value_that_unfolds_without_end_is_not_shown_whole(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(BOMB + "seed: *h\n")
    values = {"algorithm": "dcgan", "seed": read_yaml(file)["seed"]}
    with pytest.raises(UserError, match="seed is") as caught:
        resolve(values)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("value", "folders"),
    [(None, []), ("mine", ["mine"]), (["a", "b"], ["a", "b"]), (Path("mine"), ["mine"])],
)
def test_plugin_folders_are_one_or_several(value: Any, folders: list[str]) -> None:
    assert plugin_folders(value) == [Path(folder) for folder in folders]
    if value:
        resolved = resolve({"algorithm": "dcgan", "plugin_dir": value})
        assert list(resolved.run.plugin_dir) == [Path(folder) for folder in folders]


@pytest.mark.parametrize("value", [3, {"a": "b"}, [1], True, [["a"]]])
def test_plugin_folders_of_another_kind_are_refused(value: Any) -> None:
    with pytest.raises(UserError, match="plugin_dir is .*give a folder's path, or a list"):
        plugin_folders(value)


def test_how_long_to_train_is_free_unless_the_rate_knows_it() -> None:
    constant = resolve({"algorithm": "sngan"})
    linear = resolve({"algorithm": "sngan", "lr_decay": "linear"})
    assert "max_iter" not in constant.trajectory() and "max_iter" in linear.trajectory()
    assert "statistics" not in constant.trajectory()
    assert "out" not in constant.trajectory() and "seed" in constant.trajectory()


def test_what_an_older_run_had_no_setting_for_was_done_as_by_default() -> None:
    settings = resolve({"algorithm": "sngan", "n_dis": 5})
    older = {name: v for name, v in settings.flat().items() if name not in ("flip", "loss")}
    new: dict[str, Any] = {"updater": {}}
    resumption = Resumption(settings, {})
    assert resumption.difference(older, new) == ""
    del older["n_dis"]
    assert resumption.difference(older, new) == "n_dis was 1 and is now 5"


def test_sections_of_other_algorithms_are_for_them(tmp_path: Path) -> None:
    file = tmp_path / "grid.yaml"
    file.write_text("width: 0.5\nsngan: {n_dis: 3}\ngan: {k: 2}\n")
    settings = gather({"algorithm": "sngan", "config": file})
    assert settings == gather({"algorithm": "sngan", "width": 0.5, "n_dis": 3})
    assert gather({"algorithm": "vae", "config": file}) == gather(
        {"algorithm": "vae", "width": 0.5}
    )
    with pytest.raises(UserError, match="Which algorithm"):
        gather({"config": file})


def test_a_preset_lies_below_what_is_given(tmp_path: Path) -> None:
    quick = gather({"algorithm": "sngan", "preset": "quick"}).algorithm
    assert (quick.architecture, quick.max_iter) == ("quick", 3000)
    file = tmp_path / "s.yaml"
    file.write_text("preset: quick\nwidth: 0.5\nmax_iter: 7\n")
    given = gather({"algorithm": "sngan", "config": file, "max_iter": 9}).algorithm
    assert (given.width, given.max_iter, given.batch_size) == (0.5, 9, 32)


@pytest.mark.parametrize("algorithm", algorithms.names())
def test_every_method_has_a_quick_preset(algorithm: str) -> None:
    assert gather({"algorithm": algorithm, "preset": "quick"}).algorithm.max_iter <= 20_000


def test_a_preset_that_is_not_there_is_told_which_are() -> None:
    with pytest.raises(UserError, match="give --architecture paper256."):
        gather({"algorithm": "stylegan2", "preset": "paper256"})
    with pytest.raises(UserError, match="sngan has no preset 'qiuck'. It has: quick."):
        gather({"algorithm": "sngan", "preset": "qiuck"})


def test_learning_rate_is_understood_where_it_is_no_setting_of_its_own() -> None:
    for name in ("learning_rate", "lr"):
        assert resolve({"algorithm": "sngan", name: 0.5}).algorithm.adam_alpha == 0.5
    for name in ("size", "image_size"):
        assert resolve({"algorithm": "sngan", name: 64}).run.size == 64
    both = resolve({"algorithm": "gan", "adam_alpha": 0.25}, {"lr": 0.5}).algorithm
    assert (both.adam_alpha, both.lr) == (0.25, 0.5)  # type: ignore[attr-defined]


def test_what_is_said_last_of_how_long_to_train_counts() -> None:
    asked = resolve({"algorithm": "sngan", "max_iter": 9}, {"epochs": 2})
    assert asked.run.epochs == 2
    asked = resolve({"algorithm": "sngan", "epochs": 2}, {"max_iter": 9})
    assert (asked.run.epochs, asked.algorithm.max_iter) == (None, 9)
