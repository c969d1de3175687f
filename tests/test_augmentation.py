"""Tests of what changes a batch: moved, mirrored, partly erased, made smaller."""

import pytest
import torch
from torch.nn import functional as F

from gnet_lib.augmentation import erase_rectangles, shift_and_flip, small_first


def some_images() -> torch.Tensor:
    """Forty images of bytes, no two alike and none its own mirror image."""
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (40, 1, 28, 28), dtype=torch.uint8, generator=generator)


# --- moved and mirrored ------------------------------------------------------------------


def shifted_by_torch(images: torch.Tensor, down: int, right: int) -> torch.Tensor:
    """Shift by torch's replicate padding and a crop: another way to the same."""
    height, width = images.shape[2:]
    padded = torch.nn.functional.pad(images, (3, 3, 3, 3), mode="replicate")
    return padded[:, :, 3 - down : 3 - down + height, 3 - right : 3 - right + width]


@pytest.mark.parametrize("shape", [(600, 1, 28, 28), (600, 3, 9, 7)])
def test_shift_and_flip_against_replicate_padding(shape):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(shape, generator=generator)
    result = shift_and_flip(images, max_shift=2, generator=generator)
    counts = {}
    for down in range(-2, 3):
        for right in range(-2, 3):
            for is_mirrored in (False, True):
                candidate = shifted_by_torch(images, down, right)
                if is_mirrored:
                    candidate = candidate.flip(3)
                same = (candidate == result).flatten(1).all(dim=1)
                counts[down, right, is_mirrored] = same.sum().item()
    # Each image is exactly one of the 50 possible ones, and each is about equally
    # frequent: 12 of 600 on average, with a standard deviation of 3.4.
    assert sum(counts.values()) == 600
    assert min(counts.values()) >= 1 and max(counts.values()) <= 30
    mirrored = sum(number for key, number in counts.items() if key[2])
    assert 240 <= mirrored <= 360


def test_shift_and_flip_keeps_type_and_does_not_touch_its_input():
    images = some_images()
    before = images.clone()
    by_byte = shift_and_flip(images, generator=torch.Generator().manual_seed(5))
    by_float = shift_and_flip(images.float(), generator=torch.Generator().manual_seed(5))
    assert by_byte.dtype == torch.uint8 and by_float.dtype == torch.float32
    assert torch.equal(by_byte.float(), by_float)
    assert torch.equal(images, before)


def test_shift_and_flip_is_repeatable_with_the_global_generator():
    images = some_images()
    torch.manual_seed(7)
    first, second = shift_and_flip(images), shift_and_flip(images)
    torch.manual_seed(7)
    assert torch.equal(first, shift_and_flip(images))
    assert not torch.equal(first, second)


def test_shift_and_flip_without_shift_only_mirrors():
    images = some_images()
    result = shift_and_flip(images, max_shift=0)
    is_same = (result == images).flatten(1).all(dim=1)
    is_mirrored = (result == images.flip(3)).flatten(1).all(dim=1)
    assert torch.equal(is_same, ~is_mirrored)
    assert is_same.any() and is_mirrored.any()


def test_shift_and_flip_refuses():
    with pytest.raises(ValueError, match=r"images must .*\(28, 28\)"):
        shift_and_flip(torch.zeros(28, 28))
    for max_shift in (-1, 28, 1.5):
        with pytest.raises(ValueError, match=f"max_shift must .*0 to 27.* {max_shift}"):
            shift_and_flip(torch.zeros(1, 1, 28, 28), max_shift)  # pyright: ignore[reportArgumentType]


# --- partly erased -----------------------------------------------------------------------


def rectangle(changed: torch.Tensor) -> tuple[int, int]:
    """Height and width of the rectangle of True; it must be full."""
    rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
    height, width = (int(each[-1] - each[0]) + 1 for each in (rows, columns))
    assert int(changed.sum()) == height * width
    return height, width


def test_erased_are_full_rectangles_of_the_stated_areas_and_chance():
    images = torch.full((2_000, 2, 40, 60), 0.5)
    images[:, :, 0, 0], images[:, :, -1, -1] = -1, 3  # the range of the noise
    result = erase_rectangles(images, 0.25, torch.Generator().manual_seed(0))
    is_changed = (result != images)[:, :, 1:-1, 1:-1]  # the corners may have been noise or not
    assert torch.equal(is_changed[:, 0], is_changed[:, 1])  # all channels of a pixel, or none
    sizes = [rectangle(each) for each in is_changed[:, 0] if each.any()]
    assert 430 < len(sizes) < 570  # 500 on average, with a standard deviation of 19
    areas = torch.tensor([height * width for height, width in sizes]) / 2_400
    assert areas.min() < 0.04 and 0.25 < areas.max() <= 0.35
    assert 0.13 < areas.mean() < 0.20  # the middle of 2 and 33 % is 17.5; at the edge less is seen
    ratios = torch.tensor([height / width for height, width in sizes])
    assert 0.25 < ratios.min() < 0.4 and 2.5 < ratios.max() < 4
    noise = result[:, :, 1:-1, 1:-1][is_changed]
    assert -1 <= noise.min() < -0.95 and 2.95 < noise.max() <= 3
    assert abs(noise.mean() - 1) < 0.01


def test_chance_0_and_1_type_and_repeats():
    images = some_images()
    assert torch.equal(erase_rectangles(images, 0), images)
    seeds = [torch.Generator().manual_seed(4) for _ in range(2)]
    once, again = (erase_rectangles(images, 1, each) for each in seeds)
    assert once.dtype == torch.uint8 and torch.equal(once, again)
    assert (once != images).flatten(1).any(1).all()
    assert not torch.equal(once, erase_rectangles(images, 1, seeds[0]))


# --- made smaller ------------------------------------------------------------------------


def test_small_first_is_an_antialiased_resize_until_its_time():
    images = torch.rand(4, 3, 28, 14)
    small = small_first(images, done=0.59, size=20, until=0.6)
    assert torch.equal(small, F.interpolate(images, (20, 10), mode="bilinear", antialias=True))
    torch.testing.assert_close(small.mean(), images.mean(), rtol=0, atol=0.02)
    assert small_first(images, done=0.6, size=20, until=0.6) is images


def test_bad_arguments():
    for function in (shift_and_flip, erase_rectangles):
        with pytest.raises(ValueError, match=r"images must .*\(28, 28\)"):
            function(torch.zeros(28, 28))
        with pytest.raises(ValueError, match="generator must .* 3"):
            function(torch.zeros(1, 1, 28, 28), generator=3)  # pyright: ignore[reportArgumentType]
    images = torch.zeros(1, 1, 28, 28)
    with pytest.raises(ValueError, match="chance must .* 2"):
        erase_rectangles(images, 2)
    for changes in ({"size": 29}, {"size": 0}, {"done": 1.1}, {"until": -1}):
        (name,) = changes
        with pytest.raises(ValueError, match=f"{name} must"):
            small_first(images, **{"done": 0.0, **changes})  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="images must be floats"):
        small_first(images.byte(), done=0)
