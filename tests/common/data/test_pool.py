"""The pool against a list in plain Python."""

import torch

from ganlib.common.data.pool import Pool


def test_it_is_a_list_that_images_are_swapped_with() -> None:
    random = torch.Generator().manual_seed(0)
    pool, images, swapped = Pool(5, (1, 2, 2)), [], 0
    for _ in range(12):
        x = torch.rand(3, 1, 2, 2, generator=random)
        u = torch.rand(3, 2, generator=random)
        shown = pool(x, u)
        for one, (chance, place), got in zip(x, u.tolist(), shown, strict=True):
            if len(images) < 5:
                images.append(one)
                wanted = one
            elif chance < 0.5:
                wanted, images[int(5 * place)] = images[int(5 * place)], one
                swapped += 1
            else:
                wanted = one
            assert torch.equal(got, wanted)
        assert torch.equal(pool.images[: len(images)], torch.stack(images))
        assert pool.count == len(images)
    assert 10 < swapped < 25


def test_the_last_place_is_within_it() -> None:
    pool = Pool(3, (1, 1, 1))
    x = torch.arange(4.0).view(4, 1, 1, 1)
    shown = pool(x, torch.tensor([[0.0, 1.0]]).expand(4, 2))
    assert shown.flatten().tolist() == [0, 1, 2, 2]
