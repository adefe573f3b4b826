import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ganlib.evaluation import protocol as versions
from ganlib.evaluation.statistics import references
from ganlib.evaluation.statistics.references import load_reference, pixel_digest


def test_a_reference_is_what_it_says(plain: Any, noise: Tensor) -> None:
    found = load_reference("train", noise, plain)
    features = plain(noise).pool
    assert found.n == 1500 and len(found.features) == 1500
    torch.testing.assert_close(found.features, features[found.which])
    assert sorted(found.which.tolist()) == list(range(1500))
    assert found.which[:100].max() > 1000  # of a folder sorted by class not the first class alone
    np.testing.assert_allclose(
        found.moments.covariance(), np.cov(features.double().numpy(), rowvar=False), atol=1e-12
    )


def test_it_is_computed_once(plain: Any, noise: Tensor) -> None:
    first = load_reference("train", noise, plain)
    calls = plain.calls
    second = load_reference("another name", noise.clone(), plain)
    assert plain.calls == calls
    assert torch.equal(first.features, second.features)
    assert torch.equal(first.moments.outer, second.moments.outer)
    assert (first.n, first.digest) == (second.n, second.digest)


@pytest.mark.parametrize("what", ["pixels", "order", "weights", "description", "software"])
def test_whatever_changes_it_is_another_one(
    what: str, plain: Any, noise: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_reference("train", noise, plain)
    calls = plain.calls
    if what == "pixels":
        noise[-1, 0, 0, 0] += 1
    elif what == "order":
        noise = noise.flip(0)
    elif what == "weights":
        plain.digest = "1" * 64
    elif what == "software":
        monkeypatch.setattr(versions, "version", lambda package: "99.0")
    else:
        monkeypatch.setattr(plain, "describe", lambda: {"resize": "other", "precision": "float32"})
    load_reference("train", noise, plain)
    assert plain.calls > calls


@pytest.mark.parametrize("damage", ["cut", "flip", "empty", "folder", "other"])
def test_a_damaged_file_is_computed_again(
    damage: str, plain: Any, noise: Tensor, cache: Path
) -> None:
    good = load_reference("train", noise, plain)
    (file,) = cache.glob("references/*.safetensors")
    content = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        file.write_bytes(
            {"cut": content[:-9], "flip": flipped, "empty": b"", "other": b"\x80\x04."}[damage]
        )
    calls = plain.calls
    again = load_reference("train", noise, plain)
    assert plain.calls > calls
    assert torch.equal(good.features, again.features)
    assert damage == "folder" or file.read_bytes() == content


def test_a_cache_that_cannot_be_written_costs_time_only(
    plain: Any, noise: Tensor, cache: Path
) -> None:
    cache.write_text("a file in the way")
    assert load_reference("train", noise, plain).n == 1500


def test_of_many_images_some_features_are_kept(
    plain: Any, noise: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(references, "CACHED_BYTES", 4 * 8 * 100)
    found = load_reference("train", noise, plain)
    assert found.n == 1500 and found.features.shape == (100, 8)
    torch.testing.assert_close(found.features, plain(noise).pool[found.which])


@pytest.mark.filterwarnings("ignore:.*multi-threaded")  # as a session of workers is
def test_two_processes_at_once_compute_it_once(plain: Any, noise: Tensor, cache: Path) -> None:
    fork = multiprocessing.get_context("fork")
    calls, start = fork.SimpleQueue(), fork.Barrier(2)

    def load() -> None:
        start.wait()
        load_reference("train", noise, plain)
        calls.put(plain.calls)

    both = [fork.Process(target=load) for _ in range(2)]
    for process in both:
        process.start()
    assert sorted(calls.get() for _ in both) == [0, 6]  # blocks
    for process in both:
        process.join()
        assert process.exitcode == 0
    assert [p.suffix for p in cache.glob("references/[!.]*")] == [".safetensors"]


def test_the_digest_is_of_pixels_and_shape(noise: Tensor) -> None:
    assert pixel_digest(noise) == pixel_digest(noise.clone())
    assert pixel_digest(noise) != pixel_digest(noise.view(1500, 1, 4, 16))
