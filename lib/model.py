"""The network of a study, from its family, and the files of its weights (layer 4)."""

import dataclasses
import hashlib
import json
from pathlib import Path

import safetensors.torch
import torch
from torch import nn

from lib import crnn, observatory_cnn, own_network, small_images
from lib.backbones import BACKBONES, MultiTask, multitask
from lib.files import InputError, atomic_path, content_hash, write_json
from lib.studies import N_CLASSES, NetworkSpec

_CLASSIFIER = ("head.", "classifier.", "pre_logits.")   # parts of a timm file that our heads replace
_SMALLEST_MAP = 7                                # pixels a side: ConvNeXt and VGG16 at 224 / 32


def build(spec: NetworkSpec, channels: int = 3, classes: dict[str, int] = N_CLASSES,
          size: tuple[int, int] | None = None) -> nn.Module:
    """Build a network; its random numbers are torch's, so that `torch.manual_seed` before it decides.

    Parameters
    ----------
    spec : NetworkSpec
        `family` is a key of `FAMILIES`; those other than `multitask` are described where they are built.
        Or `module:function` names a function of your own with these arguments (`lib.own_network`).
        `backbone` is a key of `BACKBONES` or a timm name; `light` takes a variant of `convnext`,
        `efficientnet` or `vgg16` that trains on two cores; `weights` is None, "imagenet" or the path of
        a safetensors file with a backbone or a whole network.
    channels : int
        Image channels: 3, or 7 with phase.
    classes : dict
        Target -> number of outputs (`objectives.outputs`).
    size : tuple of int, optional
        (F, T) of the image; the family `table2` has a dense layer that depends on it.

    Returns
    -------
    nn.Module
        Called with (N, C, F, T) it returns a dict of target -> (N, K).

    Raises
    ------
    InputError
        For an unknown backbone, a light variant that does not exist, ImageNet weights that cannot be
        fetched, and a weights file that does not fit. Nothing falls back to random weights.

    Notes
    -----
    Heads: LayerNorm - Dropout p - Linear `hidden` - GELU - Dropout p/2 - Linear K on globally averaged
    features. ConvNeXt's own final norm is left out (R1), so Tiny has 27 818 592 + 397 316 + 399 881
    parameters. VGG16 keeps its 14.7 M convolutions and gets the same heads on 512 averaged features; the
    138 M that R2 quotes are those of the full classifier with its two 4096-wide layers.

    When not to use
    ---------------
    A transformer of fixed image size needs `stft.size` to match it, and has no map for `target_layer`.

    References
    ----------
    systems.md §1.5; R1 `src/model.py`; timm.

    Examples
    --------
    >>> net = build(NetworkSpec(light=True, hidden=64))
    >>> {target: tuple(z.shape) for target, z in net(torch.zeros(2, 3, 64, 64)).items()}
    {'magnitude': (2, 4), 'azimuth': (2, 9)}
    """
    own = ":" in spec.family
    if not own and spec.family not in FAMILIES:
        raise InputError("model.build", "network.family", spec.family,
                         ", ".join(FAMILIES) + ", or module:function of your own")
    make = own_network.builder(spec.family) if own else FAMILIES[spec.family]
    network = make(spec, channels, dict(classes), size)
    if own:
        network = own_network.check(network, spec.family, channels, classes, size)
    network.spec, network.channels, network.classes = spec, channels, dict(classes)
    network.size = None if size is None else tuple(int(n) for n in size)
    if spec.weights not in (None, "imagenet"):
        _load_start(network, Path(spec.weights))
    return network


def _crnn(spec, channels, classes, size):
    """S2: heads for event, magnitude and direction, whichever of them a study asks for."""
    if unknown := set(classes) - {"event", "event_magnitude", "direction", "storm_guess"}:
        raise InputError("model.build", "targets of family crnn", sorted(unknown),
                         "event, event_magnitude, direction")
    return crnn.build(channels, spec.light, spec.weights if spec.weights == "imagenet" else None,
                      classes.get("direction", 2) > 2, spec.dropout, "storm_guess" in classes)


def _image(spec, channels, classes, size):
    """S3: one logit of `event`."""
    _only_event(spec, classes)
    return small_images.build(spec.backbone, channels, spec.dropout, spec.light,
                              spec.weights if spec.weights == "imagenet" else None)


def _table2(spec, channels, classes, size):
    """S4: components by samples, one channel."""
    _only_event(spec, classes)
    if size is None or channels != 1:
        raise InputError("model.build", "channels and size of family table2", (channels, size),
                         "1 and (3, samples), as the representation `series` gives")
    return observatory_cnn.build(size[1], "printed" if spec.backbone == "printed" else "text",
                                 spec.depth, spec.light)


def _only_event(spec, classes):
    if set(classes) != {"event"}:
        raise InputError("model.build", f"targets of family {spec.family}", sorted(classes), "event")


FAMILIES = {"multitask": lambda spec, channels, classes, size: multitask(spec, channels, classes),
            "crnn": _crnn, "image": _image, "table2": _table2}


def target_layer(model: MultiTask, size: tuple[int, int]) -> nn.Module:
    """Layer whose feature map Grad-CAM reads: the deepest stage with at least 7 x 7 pixels.

    At 224 that is the last stage (stride 32; VGG16's last convolution, stride 16), at 64 the stage of
    stride 8: the last one would be a 2 x 2 map, too coarse to tell a band from its surroundings. A
    shallower layer shows finer but less class-specific evidence.

    Parameters
    ----------
    model : MultiTask
    size : tuple of int
        (F, T) of the input image.

    Raises
    ------
    InputError
        If the backbone has no convolutional feature maps.
    """
    backbone = getattr(model, "backbone", None)
    stages = [(stage["reduction"], backbone.get_submodule(stage["module"]))
              for stage in getattr(backbone, "feature_info", None) or []]
    stages = [stage for stage in stages if not isinstance(stage[1], nn.MaxPool2d)]
    if not stages or getattr(backbone, "output_fmt", "NCHW") != "NCHW":
        raise InputError("model.target_layer", "network.backbone", model.spec.backbone,
                         "a convolutional backbone: " + ", ".join(BACKBONES))
    deep = [layer for stride, layer in stages if min(size) // stride >= _SMALLEST_MAP]
    return deep[-1] if deep else stages[0][1]


def save_weights(model: MultiTask, path: str | Path, card: dict) -> None:
    """Write weights as safetensors and a JSON card beside them, each whole or not at all.

    Parameters
    ----------
    model : MultiTask
    path : path
        Ends in .safetensors; the card is the same name with .json.
    card : dict
        Study, scores, anything with a JSON form. Network, channels, classes and checksums are added.

    Raises
    ------
    InputError
        If the folder cannot be written or has no space left.
    """
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with atomic_path(path) as temporary:
        try:
            safetensors.torch.save_file(state, temporary)
        except safetensors.SafetensorError as error:      # its own kind for a full disk
            raise InputError(path, "writing", str(error), "a folder with space left") from error
        digest = hashlib.sha256(temporary.read_bytes()).hexdigest()
    write_json(_card_path(path), {
        **card, "network": model.spec, "channels": model.channels, "classes": model.classes,
        "size": model.size,
        "sha256": digest, "tensors": {name: content_hash(t.numpy()) for name, t in state.items()}})


def load_weights(path: str | Path) -> tuple[MultiTask, dict]:
    """Read a network that `save_weights` wrote.

    Parameters
    ----------
    path : path
        The safetensors file; its card must be beside it.

    Returns
    -------
    model : MultiTask
        In evaluation mode.
    card : dict

    Raises
    ------
    InputError
        If file or card is missing, damaged or of another network; names the first wrong tensor.
    """
    path, card = Path(path), _read_card(path)
    spec = NetworkSpec(**{**card["network"], "weights": None})
    own_network.require_trusted(spec.family, _card_path(path))
    with torch.random.fork_rng(devices=[]):      # the random weights below are overwritten
        network = build(spec, card["channels"], card["classes"], card["size"])
    state = _read_state(path)
    _load_exactly(network, state, path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != card["sha256"]:
        changed = [n for n in sorted(state) if content_hash(state[n].numpy()) != card["tensors"].get(n)]
        raise InputError(path, f"tensor {changed[0]}" if changed else "file", "values that changed",
                         f"the file that {_card_path(path).name} describes; copy both again")
    return network.eval(), card


def _load_start(network, path):
    """Start from a file: a whole network of ours, or a timm backbone with or without its classifier."""
    state = _read_state(path)
    if any(name.startswith("backbone.") for name in state):
        return _load_exactly(network, state, path)
    kept = {n: t for n, t in state.items() if not n.startswith(_CLASSIFIER)}
    return _load_exactly(getattr(network, "backbone", network), kept, path)


def _read_state(path):
    try:
        return safetensors.torch.load_file(path)
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise InputError(path, "reading", str(error), "a complete safetensors file") from error


def _load_exactly(module, state, path):
    """Load only if names and shapes are all as expected and every value is finite."""
    expected = module.state_dict()
    for name in [*expected, *sorted(state)]:
        found = tuple(state[name].shape) if name in state else "nothing"
        wanted = f"shape {tuple(expected[name].shape)}" if name in expected else "no tensor of this name"
        if found == "nothing" or name not in expected or found != tuple(expected[name].shape):
            raise InputError(path, f"tensor {name}", found, wanted)
        if not torch.isfinite(state[name]).all():
            raise InputError(path, f"tensor {name}", "NaN or infinity", "finite weights")
    module.load_state_dict(state)


def _card_path(path):
    return Path(path).with_suffix(".json")


def _read_card(path):
    source = _card_path(path)
    try:
        card = json.loads(source.read_text(encoding="utf-8"))
        known = {field.name for field in dataclasses.fields(NetworkSpec)}
        missing = {"network", "channels", "classes", "size", "sha256", "tensors"} - set(card)
        wrong = set(card.get("network", ())) - known
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise InputError(source, "reading", str(error), "the card written beside the weights") from error
    if missing or wrong:
        raise InputError(source, "fields", sorted(missing | wrong), "the card written beside the weights")
    return card
