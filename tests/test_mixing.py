"""lib.mixing: mixtures are what they say, repeat from a generator, and leave numpy's generator alone."""

import numpy as np
import pytest
import torch

from lib.files import InputError
from lib.mixing import KINDS, LOWER, NEGATIVE, POSITIVE, TEC, UPPER, mix

MEAN, STD = torch.linspace(1, 6, 6), torch.linspace(1, 2, 6)


def _batch(n=8, seed=0):
    """Scaled six-channel images whose polarities follow from content and bounds."""
    r = np.random.default_rng(seed)
    raw = torch.from_numpy(r.uniform(5, 40, (n, 6, 8, 8)).astype(np.float32))
    raw[:, LOWER], raw[:, UPPER] = raw[:, LOWER].clamp(max=19), raw[:, UPPER].clamp(min=21)
    raw[:, POSITIVE] = (raw[:, TEC] > raw[:, UPPER]).float()
    raw[:, NEGATIVE] = (raw[:, TEC] < raw[:, LOWER]).float()
    x = (raw - MEAN.view(1, -1, 1, 1)) / STD.view(1, -1, 1, 1)
    return x, {"event": torch.from_numpy(r.integers(0, 2, n))}


def _mixed(kind, seed=1, **options):
    x, y = _batch(**options)
    return x, y, *mix(x, y, kind, torch.Generator().manual_seed(seed), MEAN, STD)


@pytest.mark.parametrize("kind", KINDS)
def test_same_generator_same_bytes_and_numpy_is_left_alone(kind):
    np.random.seed(5)                                # noqa: NPY002
    before = np.random.get_state()[1].copy()         # noqa: NPY002
    _, _, a, ya = _mixed(kind)
    assert (np.random.get_state()[1] == before).all()   # noqa: NPY002
    _, _, b, yb = _mixed(kind)
    assert torch.equal(a, b) and torch.equal(ya["event"], yb["event"])
    assert not torch.equal(a, _mixed(kind, seed=2)[2])


def test_mixup_is_a_weighted_mean_with_the_weight_in_the_label():
    """Mixed: w x + (1 - w) partner, label: w y + (1 - w) partner's, for one w of the batch."""
    x, y, mixed, soft = _mixed("mixup")
    w = float(((mixed - x.flip(0))[0, TEC] / (x - x.flip(0))[0, TEC]).median())
    assert torch.allclose(mixed, w * x + (1 - w) * x.flip(0), atol=1e-5)
    assert torch.allclose(soft["event"], w * y["event"] + (1 - w) * y["event"].flip(0), atol=1e-6)
    assert 0 < w < 1


def test_cutmix_shows_pixels_of_two_images_only_and_labels_by_area():
    x, y, mixed, soft = _mixed("cutmix")
    own, other = (mixed == x).all(1), (mixed == x.flip(0)).all(1)
    assert (own | other).all()
    share = own[0].float().mean()
    assert torch.allclose(soft["event"], share * y["event"] + (1 - share) * y["event"].flip(0), atol=1e-6)


def test_consistent_mixtures_keep_bounds_in_order_and_polarities_binary():
    """A plain MixUp breaks what the consistent one keeps: polarity 1 where content is beyond its bound."""
    for kind, keeps in (("consistent", True), ("mixup", False)):
        raw = _mixed(kind)[2] * STD.view(1, -1, 1, 1) + MEAN.view(1, -1, 1, 1)
        positive = (raw[:, TEC] > raw[:, UPPER]).float()
        assert torch.allclose(raw[:, POSITIVE], positive, atol=1e-5) == keeps
        assert (raw[:, LOWER] < raw[:, UPPER]).all()


def test_the_middle_of_an_odd_batch_stays():
    x, y, mixed, soft = _mixed("mixup", n=5)
    assert torch.equal(mixed[2], x[2]) and float(soft["event"][2]) == float(y["event"][2])
    assert torch.equal(_mixed("mixup", n=1)[2], _batch(n=1)[0])


def test_what_cannot_be_mixed_is_refused():
    x, y = _batch()
    g = torch.Generator()
    with pytest.raises(InputError, match="mixup, cutmix"):
        mix(x, y, "blur", g, MEAN, STD)
    with pytest.raises(InputError, match="event alone"):
        mix(x, y | {"azimuth": y["event"]}, "mixup", g, MEAN, STD)
    with pytest.raises(InputError, match="six"):
        mix(x[:, :3], y, "consistent", g, MEAN[:3], STD[:3])
