"""lib.augment: what each step does to time, frequency and power."""

import numpy as np
import pytest
import torch

from lib import augment
from lib.files import InputError


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def _batch(n=64, channels=3, rows=20, frames=30):
    return torch.randn(n, channels, rows, frames, generator=_generator(9))


def _step(name, x, decades=1.0, seed=0):
    scale = torch.as_tensor(decades).reshape(-1, 1, 1).expand(x.shape[1], 1, 1)
    return augment._STEPS[name](x, _generator(seed), scale)


@pytest.mark.parametrize("kind", ["published", "physical"])
@pytest.mark.parametrize("channels_last", [False, True])
def test_equal_generators_give_equal_batches_and_labels_stay(kind, channels_last):
    """Same seed, same bytes; another seed differs; the input and the labels are not touched."""
    x, y = _batch(channels=7), {"magnitude": torch.arange(64)}
    if channels_last:
        x = x.contiguous(memory_format=torch.channels_last)
    before = x.clone()
    first, labels = augment.augment(x, y, kind, _generator(1))
    again, _ = augment.augment(x, y, kind, _generator(1))
    other, _ = augment.augment(x, y, kind, _generator(2))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(x, before) and labels is y
    assert first.stride() == x.stride() and first.dtype == x.dtype and torch.isfinite(first).all()


def test_none_is_the_identity_and_an_unknown_set_is_refused():
    x = _batch()
    assert augment.augment(x, None, None, _generator())[0] is x
    with pytest.raises(InputError, match="found 'mixup'; accepted: published, physical"):
        augment.augment(x, None, "mixup", _generator())


def test_every_step_is_described_and_belongs_to_one_set():
    steps = [name for names in augment.SETS.values() for name in names]
    assert sorted(steps) == sorted(augment.EFFECTS) == sorted(augment._STEPS)


def test_gain_adds_one_constant_per_window_in_decades():
    """An amplitude factor g adds 2 log10 g to log power; in units of x it is divided by their size."""
    x, decades = _batch(2000), torch.tensor([0.5, 1.0, 2.0])
    added = (_step("gain", x, decades) - x) * decades.view(1, 3, 1, 1)
    per_window = added[:, 0, 0, 0]
    assert torch.allclose(added, per_window.view(-1, 1, 1, 1).expand_as(added), atol=1e-5)
    gain = 10 ** (per_window / 2)
    assert 0.95 - 1e-5 <= gain.min() < 0.951 and 1.049 < gain.max() <= 1.05 + 1e-5


def test_instrument_noise_adds_powers():
    """Independent: invert log10, add one constant power per window and channel, take log10 again."""
    x, decades = _batch(8).double(), torch.tensor([0.5, 1.0, 2.0]).double().view(1, 3, 1, 1)
    noisy = _step("instrument_noise", x, decades.flatten()) * decades
    power = 10.0 ** (x * decades)
    floor = torch.log10((10.0 ** noisy - power)[:, :, 0, 0])
    assert torch.allclose(10.0 ** noisy, power + 10.0 ** floor[:, :, None, None], rtol=1e-6)
    below = (x.mean((2, 3)) * decades[..., 0, 0]) - floor
    assert (below > 1.5 - 1e-3).all() and (below < 3 + 1e-3).all()
    assert torch.allclose(below, below[:, :1].expand_as(below), atol=1e-3)   # one floor per window


@pytest.mark.parametrize("name", ["gain", "instrument_noise"])
def test_phase_channels_have_no_power_to_change(name):
    x = _batch(channels=7)
    changed = _step(name, x)
    assert torch.equal(changed[:, 3:], x[:, 3:]) and not torch.equal(changed[:, :3], x[:, :3])


def test_time_shift_moves_whole_frames_of_all_channels_together():
    """Brute force: each window equals numpy.roll of itself by at most a tenth of its length."""
    x, found = _batch(200), set()
    for before, after in zip(x.numpy(), _step("time_shift", x).numpy(), strict=True):
        shifts = [s for s in range(-3, 4) if np.array_equal(np.roll(before, s, -1), after)]
        assert len(shifts) == 1
        found.update(shifts)
    assert found == set(range(-3, 4))


def test_masks_are_one_stripe_of_time_and_one_of_frequency():
    """At most an eighth of each axis is set to zero, contiguously; everything else stays."""
    x = _batch(400) + 10
    after = _step("masks", x)
    hidden = after == 0
    assert torch.equal(after[~hidden], x[~hidden])
    rows, frames = hidden.all(3).all(1), hidden.all(2).all(1)                # (N, F), (N, T)
    assert torch.equal(hidden, (rows[:, None, :, None] | frames[:, None, None, :]).expand_as(x))
    for stripe, widest in ((rows, 2), (frames, 3)):
        assert set(stripe.sum(1).tolist()) == set(range(widest + 1))
        assert (torch.diff(stripe.int(), dim=1) == 1).sum(1).max() <= 1


def test_flip_reverses_time_in_about_half_of_the_windows():
    x = _batch(1000)
    after = _step("flip", x)
    flipped = (after == x.flip(-1)).flatten(1).all(1)
    assert torch.equal(after[~flipped], x[~flipped])
    assert abs(int(flipped.sum()) - 500) < 4 * np.sqrt(250)


def test_resample_by_a_right_angle_and_by_whole_pixels_is_exact():
    """A quarter turn equals rot90 and a shift of 3 frames and 2 rows equals slicing."""
    x = _batch(4, rows=20, frames=20)
    turned = augment._resample(x, torch.full((4,), torch.pi / 2), torch.zeros(4, 2))
    assert torch.allclose(turned, torch.rot90(x, -1, (2, 3)), atol=1e-4) or torch.allclose(
        turned, torch.rot90(x, 1, (2, 3)), atol=1e-4)
    moved = augment._resample(x, torch.zeros(4), torch.tensor([[3 / 20, 2 / 20]]).expand(4, 2))
    assert torch.allclose(moved[:, :, 2:, 3:], x[:, :, :-2, :-3], atol=1e-4)
    assert (moved[:, :, :2].abs() < 1e-4).all() and (moved[:, :, :, :3].abs() < 1e-4).all()


def test_rotation_keeps_pixel_distances_on_an_image_that_is_not_square():
    """A point 8 frames from the centre moves on a circle of 8 pixels, by at most 15 degrees."""
    x = torch.zeros(300, 1, 21, 41)
    x[:, :, 10, 28] = 1.0
    after = _step("rotation", x)
    rows, frames = (torch.arange(n) - n // 2 for n in (21, 41))
    weight = after[:, 0] / after[:, 0].sum((1, 2), keepdim=True)
    f, t = (weight * rows[:, None]).sum((1, 2)), (weight * frames).sum((1, 2))
    angle = torch.rad2deg(torch.atan2(f, t)).abs()
    assert torch.allclose(torch.hypot(f, t), torch.tensor(8.0), atol=0.2)
    assert 13 < angle.max() < 16


def test_jitter_scales_stretches_and_spreads_within_its_limits():
    """Overall scale 0.8 to 1.2; contrast about the mean 0.8 to 1.2; components about grey 0.9 to 1.1."""
    constant = _step("jitter", torch.ones(2000, 3, 2, 2))
    assert 0.8 <= constant.min() < 0.81 and 1.19 < constant.max() <= 1.2 + 1e-5
    x = _batch(2000)
    after = _step("jitter", x)
    grey = after.mean(1).flatten(1).std(1) / x.mean(1).flatten(1).std(1)     # brightness x contrast
    assert 0.8 * 0.8 <= grey.min() < 0.7 and 1.35 < grey.max() <= 1.2 * 1.2 + 1e-4
    spread = (after - after.mean(1, keepdim=True)).flatten(1).std(1) / (
        x - x.mean(1, keepdim=True)).flatten(1).std(1) / grey
    assert 0.9 - 1e-4 <= spread.min() < 0.91 and 1.09 < spread.max() <= 1.1 + 1e-4


def test_erasing_hits_a_tenth_of_the_windows_with_a_rectangle_of_allowed_area():
    x = torch.ones(4000, 3, 20, 30)
    hidden = (_step("erasing", x) == 0)[:, 0]
    hit = hidden.flatten(1).any(1)
    assert abs(int(hit.sum()) - 400) < 4 * np.sqrt(360)
    area = hidden[hit].float().mean((1, 2))
    assert area.min() > 0.01 and area.max() < 0.36
    boxes = hidden[hit].any(2).sum(1) * hidden[hit].any(1).sum(1)
    assert torch.equal(boxes, hidden[hit].sum((1, 2)))                       # full rectangles
