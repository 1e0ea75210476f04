"""A network of your own, which a study names as `module:function` (layer 3).

The function is found by name wherever folds are trained, in processes of a pool or on the workers of a
cluster, where an entry made in a dictionary of this process would be missing.
"""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from lib.files import InputError

ARGUMENTS = ["spec", "channels", "classes", "size"]
_ACCEPTED = "module:function of a file that can be imported, with def function(spec, channels, classes, size)"
_MARK = "__source_sha256__"


def source(family: str) -> bytes:
    """Return the bytes of the file behind `module:function`; none for a family of the library.

    Raises
    ------
    InputError
        If there is no such file, or no such function in it.
    """
    if ":" not in family:
        return b""
    data, function = _found(family)[1].read_bytes(), family.partition(":")[2]
    try:
        body = ast.parse(data).body
    except (SyntaxError, ValueError) as error:
        raise _refused(family, str(error)) from error
    if not any(isinstance(node, ast.FunctionDef) and node.name == function
               and [a.arg for a in node.args.args] == ARGUMENTS for node in body):
        raise _refused(family)                     # before anything of the file is run
    return data


def builder(family: str) -> Callable[..., nn.Module]:
    """Return the function behind `module:function`, as its file is now.

    Parameters
    ----------
    family : str
        For example ``"book.examples.own_network:build"``. The function takes what `model.build` takes, and
        returns an nn.Module that maps (N, C, F, T) to a dict of target -> (N, K).

    Raises
    ------
    InputError
        If there is no such file or function, or the file fails when it is run.

    Notes
    -----
    The file is run as it is on disk, without cached bytecode: `runs.run_key` hashes the same bytes. What it
    imports in turn is not hashed; keep a network in one file.
    """
    data, (spec, path) = source(family), _found(family)
    name, _, function = family.partition(":")
    digest, known = hashlib.sha256(data).hexdigest(), sys.modules.get(name)
    if getattr(known, _MARK, None) != digest:
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            exec(compile(data, path, "exec"), module.__dict__)
        except Exception as error:                 # a student's file may raise anything
            sys.modules.pop(name) if known is None else sys.modules.update({name: known})
            raise _refused(family, f"{type(error).__name__}: {error}") from error
        setattr(module, _MARK, digest)
    return getattr(sys.modules[name], function)


def require_trusted(family: str, card: str | Path) -> None:
    """Refuse a module that a card names and nobody here has imported: a card must not choose code to run.

    Raises
    ------
    InputError
        Unless the family is the library's, or its module is imported already.
    """
    if ":" in family and family.partition(":")[0] not in sys.modules:
        raise InputError(card, "network.family", family, "a family of this library; if you know and trust "
                         "that module, import it before you load the weights")


def check(network: nn.Module, family: str, channels: int, classes: dict[str, int],
          size: tuple[int, int] | None) -> nn.Module:
    """Return a network that gives what was asked for; it is tried on two empty images if their size is known.

    Raises
    ------
    InputError
        If it is no nn.Module, fails, or misses a target or its shape.
    """
    if not isinstance(network, nn.Module):
        raise InputError(family, "value returned", type(network).__name__, "a torch.nn.Module")
    if size is None:
        return network
    image, training = torch.zeros(2, channels, *size), network.training
    try:
        with torch.no_grad():
            out = network.eval()(image)
    except Exception as error:                     # likewise
        raise InputError(family, f"forward of {tuple(image.shape)}", f"{type(error).__name__}: {error}",
                         "a network for images (N, C, F, T) of this size") from error
    finally:
        network.train(training)
    shapes = {t: tuple(v.shape) for t, v in out.items() if isinstance(v, torch.Tensor)} \
        if isinstance(out, dict) else type(out).__name__
    wanted = {target: (2, k) for target, k in classes.items()}
    if not isinstance(shapes, dict) or any(shapes.get(t) != shape for t, shape in wanted.items()):
        raise InputError(family, "output for two images", shapes, f"a dict with {wanted}")
    return network


def _found(family):
    """Import specification and file of the module, without running it."""
    name = family.partition(":")[0]
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError) as error:
        raise _refused(family, str(error)) from error
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        raise _refused(family)
    return spec, Path(spec.origin)


def _refused(family, why=""):
    return InputError("model.build", "network.family", family, _ACCEPTED + (f" ({why})" if why else ""))
