"""The population U-Net against one written with torch.nn, and against its members."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from synthcore.nn import hooks
from synthcore.nn.conditioned import Conditioning, sinusoids
from synthcore.nn.population import Linear
from synthcore.nn.unet import Attention, Convolution, GroupNorm, ResidualBlock, UNet, UNetConfig

SHAPE = UNetConfig(widths=(8, 16), blocks=1, condition=5, groups=4, heads=2)


def given(members: int, side: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(members, 4, 3, side, side, generator=generator)
    time = torch.rand(members, 2, generator=generator)
    return z, time, torch.rand(members, 2, 5, generator=generator)


def scrambled(config: UNetConfig, seeds: list[int]) -> UNet:
    """A U-Net none of whose weights is zero, or one."""
    model = UNet(config, seeds)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight += 0.2 * torch.randn(weight.shape, generator=generator)
    return model


class Plain:
    """One member, written down with the layers of torch.nn and their own weight layout."""

    def __init__(self, model: UNet, member: int) -> None:
        self.model, self.member = model, member

    def convolve(self, layer: Convolution, x: Tensor) -> Tensor:
        outputs, inputs, size, _ = layer.weight.shape[1:]
        own = nn.Conv2d(inputs, outputs, size, padding="same")
        own.load_state_dict({"weight": layer.weight[self.member], "bias": layer.bias[self.member]})
        return own(x)

    def norm(self, layer: GroupNorm, x: Tensor) -> Tensor:
        own = nn.GroupNorm(layer.groups, x.shape[1])
        own.load_state_dict({"weight": layer.weight[self.member], "bias": layer.bias[self.member]})
        return own(x)

    def linear(self, layer: Linear, x: Tensor) -> Tensor:
        assert layer.bias is not None
        return x @ layer.weight[self.member] + layer.bias[self.member]

    def encode(self, layer: Conditioning, x: Tensor) -> Tensor:
        return functional.gelu(
            self.linear(layer.second, functional.gelu(self.linear(layer.first, x)))
        )

    def block(self, block: ResidualBlock, x: Tensor, when: Tensor, told: Tensor) -> Tensor:
        h = self.convolve(block.first, functional.gelu(self.norm(block.first_norm, x)))
        shift = self.encode(block.time, when) + self.encode(block.conditioning, told)
        h = h + shift[:, :, None, None]
        h = self.convolve(block.second, functional.gelu(self.norm(block.second_norm, h)))
        return h + (x if block.skip is None else self.convolve(block.skip, x))

    def attend(self, layer: Attention, x: Tensor) -> Tensor:
        B, C, H, _ = x.shape
        own = nn.MultiheadAttention(C, layer.heads, batch_first=True)
        enter, leave, m = layer.enter, layer.leave, self.member
        own.load_state_dict(
            {
                "in_proj_weight": enter.weight[m, :, :, 0, 0],
                "in_proj_bias": enter.bias[m],
                "out_proj.weight": leave.weight[m, :, :, 0, 0],
                "out_proj.bias": leave.bias[m],
            }
        )
        pixels = self.norm(layer.norm, x).flatten(2).mT
        return x + own(pixels, pixels, pixels)[0].mT.reshape(B, C, H, H)

    def __call__(self, z: Tensor, time: Tensor, told: Tensor) -> Tensor:
        """Two resolutions with one block each; one time and condition per image."""
        net, when = self.model, sinusoids(time)
        entered = self.convolve(net.enter, z)
        high = self.block(net.down[0], entered, when, told)
        low = self.block(net.down[1], functional.avg_pool2d(high, 2), when, told)
        h = self.block(net.middle[0], low, when, told)
        assert net.attention is not None
        h = self.block(net.middle[1], self.attend(net.attention, h), when, told)
        h = self.block(net.up[0], torch.cat([h, low], 1), when, told)
        h = functional.interpolate(h, scale_factor=2, mode="nearest")
        h = self.block(net.up[1], torch.cat([h, high], 1), when, told)
        return z + self.convolve(net.leave, functional.gelu(self.norm(net.norm, h)))


@torch.no_grad()
def test_a_member_is_a_torch_network() -> None:
    model = scrambled(SHAPE, [0, 1])
    z, time, told = given(2)
    for member in range(2):
        expected = Plain(model, member)(
            z[member], time[member].repeat_interleave(2), told[member].repeat_interleave(2, 0)
        )
        torch.testing.assert_close(model(z, time, told)[member], expected, atol=1e-4, rtol=1e-4)


def test_a_fresh_network_changes_nothing_and_knows_its_conditions() -> None:
    z, time, told = given(2)
    torch.testing.assert_close(UNet(SHAPE, [0, 1])(z, time, told), z)
    model = scrambled(SHAPE, [0, 1])
    points = [name for name in hooks.names(model) if name.endswith("condition")]
    assert len(points) == len(model.down) + len(model.middle) + len(model.up) == 6
    with hooks.replace(model, dict.fromkeys(points, torch.zeros_like)):
        torch.testing.assert_close(model(z, time, told), model(z, time, told + 1))
    assert not torch.allclose(model(z, time, told), model(z, time, told + 1))


@pytest.mark.parametrize("attention", [False, True])
def test_a_population_step_is_the_loop_of_single_steps(attention: bool) -> None:
    shape = UNetConfig((8, 16), 1, 5, groups=4, heads=2, attention=attention)
    together = scrambled(shape, [0, 1, 2])
    alone = [UNet(shape, [seed]) for seed in (0, 1, 2)]
    for m, model in enumerate(alone):
        model.load_state_dict({n: w[m : m + 1] for n, w in together.state_dict().items()})
    data = given(3)
    for models in ([together], alone):
        for m, model in enumerate(models):
            own = data if len(models) == 1 else tuple(x[m : m + 1] for x in data)
            for _ in range(3):
                model.zero_grad()
                (model(*own) - own[0]).square().mean((1, 2, 3, 4)).sum().backward()
                with torch.no_grad():
                    for weight in model.parameters():
                        weight -= 0.02 * weight.grad
    for m, model in enumerate(alone):
        seen = together(*data)[m], model(*(x[m : m + 1] for x in data))[0]
        torch.testing.assert_close(*seen, atol=1e-4, rtol=1e-4)


def test_members_of_one_seed_start_equal() -> None:
    for weight in UNet(SHAPE, [5, 6, 5]).parameters():
        assert torch.equal(weight[0], weight[2])


def test_a_loss_of_one_member_leaves_the_others_alone() -> None:
    model = scrambled(SHAPE, [0, 1, 2])
    model(*given(3))[2].square().mean().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert not bool(weight.grad[:2].any()), name
        # a shift of all channels of a group before its normalisation may have no effect
        assert weight.grad.shape[-1] < 3 or bool(weight.grad[2].any()), name


def test_told_nothing_it_is_a_plain_classifier_of_images() -> None:
    model = UNet(UNetConfig((8,), 1, condition=0, outputs=6, groups=4, attention=False), [0, 1])
    z, _, _ = given(2)
    features = model.features(z)
    assert features.shape == (2, 4, 6, 8, 8)
    assert bool(features.any())
    assert not [name for name, _ in model.named_parameters() if "conditioning" in name]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"widths": ()}, "at least one resolution"),
        ({"widths": (8, 12)}, "multiple of 8 groups"),
        ({"blocks": 0}, "blocks must be at least 1"),
        ({"dropout": 1.0}, r"dropout must lie in \[0, 1\)"),
    ],
)
def test_bad_shapes_are_refused(change: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        UNetConfig(**change)  # type: ignore[arg-type]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        UNet(SHAPE, [])
    deep = UNet(UNetConfig((8, 8, 8, 8), 1, 5, groups=4, attention=False), [0])
    with pytest.raises(ValueError, match="12 pixels cannot be halved 3 times"):
        deep(*given(1, side=12))
