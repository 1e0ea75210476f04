"""Augmentation of spectrogram images: the published set and one that records could show (layer 4).

Images are (N, C, F, T), log10 power scaled to zero mean and unit variance per channel: zero is the training
mean, time runs along the last axis, frequency along the one before. Everything works on a whole batch.
"""

import math

import torch
from torch.nn import functional

from lib.files import InputError

GAIN = 0.05                  # R2: amplitude +-5 %
SHIFT = 0.1                  # share of the window; at most 36 min of a 6 h night [D]
MASK = 0.125                 # widest mask, share of the axis (SpecAugment, Park et al. 2019) [D]
FLOOR_DECADES = (1.5, 3.0)   # noise floor below a channel's mean level, in decades of power [D]
FLIP_P = 0.5                 # R1 train.py, as are the next five
ROTATION_DEG = 15.0
JITTER = (0.2, 0.2, 0.1)     # brightness, contrast, saturation
TRANSLATION = 0.1
ERASING_P = 0.1
ERASING_AREA = (0.02, 0.33)  # torchvision's default, as is the aspect ratio 0.3 to 3.3
_COMPONENTS = 3              # H, D, Z; further channels are normalised cross-spectra

EFFECTS = {
    "flip": "Reverses time with probability 0.5: onsets become decays, evening becomes morning; no record "
            "runs backwards.",
    "rotation": "Turns the image by up to 15 degrees: a steady tone becomes a chirp and time mixes with "
                "frequency; no record can look like it.",
    "jitter": "Rescales log power by up to 20 %, stretches it about its mean by up to 20 %, and H, D, Z "
              "apart or together by 10 %: acts on the exponent of power, so no gain or source does it.",
    "translation": "Shifts time and frequency by up to 10 % and fills with the mean: the time part is a "
                   "later start, the frequency part moves every resonance; no record does the latter.",
    "erasing": "Replaces a rectangle of 2 to 33 % of the image by the mean with probability 0.1: no record "
               "loses one band for one hour only.",
    "gain": "Multiplies the field by 0.95 to 1.05, which adds one constant to log power in H, D and Z: "
            "time and frequency stay; a calibration error looks like it.",
    "instrument_noise": "Adds a white noise floor 1.5 to 3 decades below the mean level: quiet cells rise, "
                        "loud cells stay; a noisier sensor looks like it.",
    "time_shift": "Shifts the window by up to 10 % of its length in whole frames, wrapped around: each frame "
                  "stays a measured one, with a seam where the ends meet; a later start looks like it.",
    "masks": "Sets up to 1/8 of the frames and 1/8 of the frequencies to the mean: the time stripe looks "
             "like a filled gap, the frequency stripe like a notch filter; both occur.",
}


def augment(x: torch.Tensor, y, kind: str | None, generator: torch.Generator,
            decades: float | torch.Tensor = 1.0):
    """Change a batch of scaled log10 power spectrograms as records, or as the paper, would.

    Parameters
    ----------
    x : float tensor, shape (N, C, F, T)
        Scaled log10 power; not modified.
    y : object
        Labels, passed through: nothing here turns or moves a source, so no label changes.
    kind : {"physical", "published"} or None
        A key of `SETS`; None returns the batch as it is.
    generator : torch.Generator
        Equal states give equal batches. One on the device of `x` is quickest.
    decades : float or tensor, shape (C,)
        Decades of power in one unit of `x`: the standard deviation it was divided by.

    Returns
    -------
    x : float tensor, shape (N, C, F, T)
    y : object

    Raises
    ------
    InputError
        For an unknown set.

    When not to use
    ---------------
    `published` is here to repeat the paper: four of its five steps make images that no record can give
    (`EFFECTS`). Never augment before the split: copies of one record on both sides leak (A1, L1.4).

    References
    ----------
    validity.md B2; R1 `train.py` (published), R2 (gain, noise, masks).
    """
    if kind is None:
        return x, y
    if kind not in SETS:
        raise InputError("augment.augment", "training.augmentation", kind, ", ".join(SETS) + " or None")
    decades = torch.as_tensor(decades, dtype=x.dtype, device=x.device).reshape(-1, 1, 1)
    layout = torch.contiguous_format if x.is_contiguous() else torch.channels_last
    x = x.contiguous()                           # broadcasting over channels-last images is 3 times slower
    for name in SETS[kind]:
        x = _STEPS[name](x, generator, decades.expand(x.shape[1], 1, 1))
    return x.contiguous(memory_format=layout), y


def _uniform(x, shape, low, high, generator):
    """Random numbers for the batch, drawn where the generator lives."""
    draw = torch.rand(shape, generator=generator, device=generator.device, dtype=x.dtype)
    return (low + (high - low) * draw).to(x.device)


def _replace_components(x, components):
    """Put back H, D, Z; the channels after them have no power and stay."""
    return components if x.shape[1] == _COMPONENTS else torch.cat((components, x[:, _COMPONENTS:]), 1)


def _gain(x, generator, decades):
    """(1 + g)^2 in power is 2 log10(1 + g) on the log scale, the same for every component."""
    gain = _uniform(x, (len(x), 1, 1, 1), 1 - GAIN, 1 + GAIN, generator)
    return _replace_components(x, x[:, :_COMPONENTS] + 2 * torch.log10(gain) / decades[:_COMPONENTS])


def _instrument_noise(x, generator, decades):
    """Powers of record and floor add: log10(10^a + 10^b) = b + softplus((a - b) ln 10) / ln 10."""
    field, decades = x[:, :_COMPONENTS], decades[:_COMPONENTS]
    below = _uniform(x, (len(x), 1, 1, 1), *FLOOR_DECADES, generator)
    floor = field.mean((2, 3), keepdim=True) - below / decades
    e_folds = decades * math.log(10)                           # natural logarithms in one unit of x
    return _replace_components(x, floor + functional.softplus((field - floor) * e_folds) / e_folds)


def _time_shift(x, generator, decades):
    """Every frame stays measured: the shift is in whole frames and wraps around."""
    n, frames = len(x), x.shape[-1]
    widest = int(SHIFT * frames)
    shift = torch.floor(_uniform(x, (n, 1), -widest, widest + 1, generator)).long()
    index = (torch.arange(frames, device=x.device) - shift) % frames                      # (N, T)
    return x.gather(-1, index[:, None, None, :].expand_as(x))


def _masks(x, generator, decades):
    """SpecAugment without time warping: one stripe of each kind, at the training mean."""
    rows, frames = (_stripe(x, length, generator) for length in x.shape[-2:])
    return x.masked_fill(rows[:, None, :, None] | frames[:, None, None, :], 0.0)


def _stripe(x, length, generator):
    """Random interval of up to `MASK` of an axis: bool (N, length)."""
    width = torch.floor(_uniform(x, (len(x), 1), 0, int(MASK * length) + 1, generator))
    start = torch.floor(_uniform(x, (len(x), 1), 0, 1, generator) * (length - width + 1))
    position = torch.arange(length, device=x.device)
    return (position >= start) & (position < start + width)


def _flip(x, generator, decades):
    chosen = _uniform(x, (len(x), 1, 1, 1), 0, 1, generator) < FLIP_P
    return torch.where(chosen, x.flip(-1), x)


def _rotation(x, generator, decades):
    angle = torch.deg2rad(_uniform(x, (len(x),), -ROTATION_DEG, ROTATION_DEG, generator))
    return _resample(x, angle, x.new_zeros(len(x), 2))


def _translation(x, generator, decades):
    shift = _uniform(x, (len(x), 2), -TRANSLATION, TRANSLATION, generator)
    return _resample(x, x.new_zeros(len(x)), shift)


def _resample(x, angle, shift):
    """Rotate by `angle` (N,) in pixels about the centre, then shift by shares (N, 2) of (time, frequency)."""
    n, _, rows, frames = x.shape
    v = (torch.arange(rows, device=x.device, dtype=x.dtype) + 0.5) * 2 / rows - 1         # -1 ... 1
    u = (torch.arange(frames, device=x.device, dtype=x.dtype) + 0.5) * 2 / frames - 1
    u = u[None, None, :] - 2 * shift[:, 0, None, None]                                    # (N, 1, T)
    v = v[None, :, None] - 2 * shift[:, 1, None, None]                                    # (N, F, 1)
    cos, sin = torch.cos(angle).view(n, 1, 1), torch.sin(angle).view(n, 1, 1)
    grid = torch.stack((cos * u - sin * v * rows / frames, sin * u * frames / rows + cos * v), -1)
    return functional.grid_sample(x, grid, padding_mode="zeros", align_corners=False)


def _jitter(x, generator, decades):
    brightness, contrast, saturation = (
        _uniform(x, (len(x), 1, 1, 1), 1 - j, 1 + j, generator) for j in JITTER)
    x = x * brightness
    mean = x.mean((1, 2, 3), keepdim=True)
    x = mean + contrast * (x - mean)
    grey = x.mean(1, keepdim=True)
    return grey + saturation * (x - grey)


def _erasing(x, generator, decades):
    n, _, rows, frames = x.shape
    chosen, area, ratio, top, left = (_uniform(x, (n, 1), low, high, generator) for low, high in (
        (0, 1), ERASING_AREA, (math.log(0.3), math.log(3.3)), (0, 1), (0, 1)))
    side = torch.sqrt(area * rows * frames)
    height = torch.clamp(torch.round(side * torch.exp(ratio / 2)), max=rows)
    width = torch.clamp(torch.round(side * torch.exp(-ratio / 2)), max=frames)
    top, left = torch.floor(top * (rows - height + 1)), torch.floor(left * (frames - width + 1))
    f, t = torch.arange(rows, device=x.device), torch.arange(frames, device=x.device)
    f, t = (f >= top) & (f < top + height) & (chosen < ERASING_P), (t >= left) & (t < left + width)
    return x.masked_fill(f[:, None, :, None] & t[:, None, None, :], 0.0)


_STEPS = {"flip": _flip, "rotation": _rotation, "jitter": _jitter, "translation": _translation,
          "erasing": _erasing, "gain": _gain, "instrument_noise": _instrument_noise,
          "time_shift": _time_shift, "masks": _masks}
SETS = {"published": ("flip", "rotation", "jitter", "translation", "erasing"),
        "physical": ("gain", "instrument_noise", "time_shift", "masks")}
