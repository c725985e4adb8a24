"""Which batch norms fold, and which must not. Equality for every network: test_networks.py."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from kpkit.models.fuse import fuse_batch_norm
from kpkit.models.network import Output, PoseNetwork


class Knot(PoseNetwork):
    """Convolutions whose outputs are read in every way."""

    def __init__(self) -> None:
        super().__init__(keypoints=2, input_size=(32, 32))
        self.outputs = (Output(stride=1),)
        self.alone = nn.Conv2d(3, 4, 3, padding=1)
        self.alone_norm = nn.BatchNorm2d(4)
        self.shared = nn.Conv2d(4, 4, 1)  # read by its norm and by the sum
        self.shared_norm = nn.BatchNorm2d(4)
        self.twice = nn.Conv2d(4, 4, 1)  # two calls, a norm each
        self.first_norm = nn.BatchNorm2d(4)
        self.second_norm = nn.BatchNorm2d(4)
        self.reused = nn.BatchNorm2d(4)  # two convolutions, one norm
        self.left = nn.Conv2d(4, 4, 1)
        self.right = nn.Conv2d(4, 4, 1)
        self.grouped = nn.ConvTranspose2d(4, 4, 3, padding=1, groups=2)
        self.grouped_norm = nn.BatchNorm2d(4)
        self.up = nn.ConvTranspose2d(4, 2, 3, padding=1, bias=False)
        self.up_norm = nn.BatchNorm2d(2, affine=False)

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        x = self.alone(images)
        x = self.alone_norm(x.view(x.shape)).relu()  # a view is a reader as well
        shared = self.shared(x)
        x = self.shared_norm(shared) + shared
        x = self.first_norm(self.twice(x)) + self.second_norm(self.twice(x))
        x = self.reused(self.left(x)) + self.reused(self.right(x))
        x = self.grouped_norm(self.grouped(x))
        yield self.up_norm(self.up(x))


class Plain(Knot):
    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        x = self.alone(images)
        assert x.shape[1] == 4  # asking for the shape reads nothing
        yield self.up_norm(self.up(self.alone_norm(x).relu_()))


def lived(net: PoseNetwork) -> PoseNetwork:
    for layer in net.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.5, 2)
    return net


def norms(net: nn.Module) -> set[str]:
    return {name for name, layer in net.named_modules() if isinstance(layer, nn.BatchNorm2d)}


def test_only_what_a_norm_alone_reads_once_is_folded() -> None:
    torch.manual_seed(0)
    net = lived(Knot())
    folded = fuse_batch_norm(net)
    assert norms(net) - norms(folded) == {"up_norm"}
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        wanted, found = net.eval()(images)[0], folded(images)[0]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5 * wanted.abs().max().item())


def test_the_network_itself_stays_as_it_was() -> None:
    torch.manual_seed(0)
    net = lived(Plain())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    folded = fuse_batch_norm(net)
    assert norms(net) - norms(folded) == {"up_norm", "alone_norm"}
    assert net.training and not folded.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        wanted, found = net.eval()(images)[0], folded(images)[0]
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-5 * wanted.abs().max().item())
