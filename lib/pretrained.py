"""ImageNet weights through timm, or one clear refusal: never silently random ones (layer 3)."""

import timm
from torch import nn

from lib.files import InputError


def imagenet(name: str, channels: int, source: str, **options) -> nn.Module:
    """Create a timm network without classifier, with its ImageNet weights.

    Parameters
    ----------
    name : str
        timm name with the tag of the weights, as in "vgg16.tv_in1k".
    channels : int
        Input channels. timm repeats the three colour filters over more channels and scales them by
        3 / channels, so that a grey image gives the same response.
    source : str
        Who asks; the error begins with it.
    **options
        Passed on to timm.

    Returns
    -------
    nn.Module

    Raises
    ------
    InputError
        If the weights can be found neither in timm's cache nor at its hub.
    """
    try:
        return timm.create_model(name, pretrained=True, num_classes=0, in_chans=channels, **options)
    except Exception as error:   # hub, network and cache each raise their own kind
        raise InputError(source, f"ImageNet weights of {name}", str(error).split("\n")[0],
                         "a connection to timm's hub, which cannot be reached or lacks them; or "
                         "network.weights = None for random ones, or a safetensors file's path") from error
