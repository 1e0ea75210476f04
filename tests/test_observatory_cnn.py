"""lib.observatory_cnn: Table 2 of seed 004 to the last parameter, and the memory of its first layer."""

import pytest
import torch
from torch import nn

from lib import observatory_cnn as cnn
from lib.files import InputError

PRINTED = [      # layer, window, activation, output shape, parameters: Table 2
    ("Conv2d", "3x3", "ReLU", (3, 10_080, 32), 320), ("MaxPool2d", "1x2", "", (3, 5040, 32), 0),
    ("Conv2d", "1x3", "ReLU", (3, 5040, 64), 6_208), ("MaxPool2d", "1x2", "", (3, 2520, 64), 0),
    ("Conv2d", "1x3", "ReLU", (3, 2520, 64), 12_352), ("Flatten", "", "", (483_840,), 0),
    ("Linear", "", "Softmax", (64,), 30_965_824), ("Linear", "", "", (2,), 130)]


def _light(seed=0, n=60, **options):
    torch.manual_seed(seed)
    return cnn.build(n, light=True, **options)


def test_table_2_layer_by_layer():
    table = cnn.parameter_table()
    assert [tuple(row) for row in table.itertuples(index=False)] == PRINTED
    assert table["parameters"].sum() == 30_984_834


def test_text_differs_from_print_in_the_hidden_activation_only():
    table, printed = cnn.parameter_table(activations="text"), cnn.parameter_table()
    assert table["activation"].tolist() == ["ReLU", "", "ReLU", "", "ReLU", "", "ReLU", ""]
    assert table.drop(columns="activation").equals(printed.drop(columns="activation"))


@pytest.mark.parametrize(("n", "flat"), [(60, 2880), (1440, 69_120), (10_080, 483_840), (43_200, 2_073_600)])
def test_other_windows_change_the_dense_layer_only(n, flat):
    """Flattened 64 x 3 x n / 4 for an hour, a day, a week and a month."""
    table = cnn.parameter_table(n)["parameters"]
    assert table.tolist() == [320, 0, 6_208, 0, 12_352, 0, 64 * flat + 64, 130]


@pytest.mark.parametrize(("depth", "total"), [(1, 320), (2, 6_528), (3, 18_880), (5, 18_880 + 2 * 12_352)])
def test_depth_adds_convolutions_and_keeps_the_flattened_length(depth, total):
    table = cnn.parameter_table(depth=depth)
    assert table.loc[table["layer"] == "Conv2d", "parameters"].sum() == total
    assert table.loc[table["layer"] == "Flatten", "output_shape"].item() == (483_840,)


def test_first_convolution_mixes_the_components_and_no_sample_is_lost():
    """By hand: the first output of one filter is a 3 x 3 sum over zero-padded components and time."""
    torch.manual_seed(0)
    network, x = cnn.build(12), torch.randn(1, 1, 3, 12)
    conv = network.layers[0].requires_grad_(False)
    padded = nn.functional.pad(x[0, 0], (1, 1, 1, 1))
    by_hand = [[(padded[i:i + 3, j:j + 3] * conv.weight[5, 0]).sum() + conv.bias[5] for j in range(12)]
               for i in range(3)]
    assert torch.allclose(conv(x)[0, 5], torch.tensor(by_hand), atol=1e-5)


def test_printed_hidden_units_sum_to_one_and_stay_small():
    torch.manual_seed(0)
    network, x = cnn.build(60, "printed"), torch.randn(3, 1, 3, 60)
    hidden = network.layers[:-1](x)
    assert torch.allclose(hidden.sum(1), torch.ones(3)) and hidden.max() < 0.1
    out = network(x)["event"]
    assert out.shape == (3, 2) and not torch.allclose(out.sum(1), torch.ones(3))


@pytest.mark.parametrize("activations", cnn.ACTIVATIONS)
@pytest.mark.parametrize("light", [False, True])
def test_memory_is_what_torch_keeps_for_the_backward_pass(activations, light):
    """Storages saved by autograd, counted once each and without the weights, to the byte."""
    torch.manual_seed(0)
    network, saved = cnn.build(60, activations, light=light), {}
    own = {p.untyped_storage().data_ptr() for p in network.parameters()}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            saved[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        out = network(torch.randn(5, 1, 3, 60))
    assert out["event"].requires_grad
    assert sum(size for size, _ in saved.values()) == 5 * cnn.kept_bytes(60, light)


def test_first_layer_bytes_are_those_of_its_output():
    with torch.device("meta"):
        out = cnn.build(10_080).layers[0](torch.zeros(32, 1, 3, 10_080))
    assert cnn.first_layer_bytes(10_080, 32) == out.numel() * out.element_size() == 123_863_040


def test_batch_fits_and_one_more_window_would_not():
    memory = 2_000_000_000
    batch = cnn.batch_for_memory(10_080, memory)
    fixed = 16 * 30_984_834
    assert fixed + cnn.step_bytes(10_080, batch) <= memory < fixed + cnn.step_bytes(10_080, batch + 1)
    with pytest.raises(InputError, match=r"accepted: \d+ MB or more for windows of 10080"):
        cnn.batch_for_memory(10_080, 500_000_000)


@pytest.mark.parametrize("activations", cnn.ACTIVATIONS)
def test_light_variant_is_small_and_every_weight_learns(activations):
    torch.manual_seed(0)
    network = _light(n=1440, activations=activations)
    x, y = torch.randn(6, 1, 3, 1440), torch.arange(6) % 2
    nn.functional.cross_entropy(network(x)["event"], y).backward()
    assert sum(p.numel() for p in network.parameters()) < 100_000
    assert [n for n, p in network.named_parameters() if not p.grad.abs().sum() > 0] == []


def test_light_variant_learns_a_planted_wave():
    """A wave of period 12 minutes in the second component: every window is told apart after 30 steps."""
    torch.manual_seed(1)
    network, y = _light(1, 240), torch.arange(32) % 2
    x = 0.5 * torch.randn(32, 1, 3, 240)
    x[y == 1, 0, 1] += torch.sin(2 * torch.pi * torch.arange(240) / 12)
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(x)["event"], y).backward()
        optimizer.step()
    assert (network(x)["event"].argmax(1) == y).all()


def test_equal_seeds_give_equal_weights():
    first, again, other = _light(1), _light(1), _light(2)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first.layers[0].weight, other.layers[0].weight)


@pytest.mark.parametrize(("call", "expected"), [
    (lambda: cnn.build(3), "4 or more"), (lambda: cnn.build(15, light=True), "16 or more"),
    (lambda: cnn.build(60.5), "whole number"), (lambda: cnn.build(60, "paper"), "printed or text"),
    (lambda: cnn.build(60, depth=0), "one or more convolutions"),
    (lambda: _light()(torch.zeros(2, 1, 3, 61)), r"\(windows, 1, 3, 60\)"),
    (lambda: _light()(torch.zeros(2, 3, 60)), r"\(windows, 1, 3, 60\)")])
def test_what_cannot_be_built_or_run_is_refused(call, expected):
    with pytest.raises(InputError, match=expected):
        call()
