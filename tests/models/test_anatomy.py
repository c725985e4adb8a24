"""A network taken apart: order of the calls, repeats, work that no module's own call contains."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kpkit.models.anatomy import Part, dissect


class Body(nn.Module):
    """Registers its layers in another order than it calls them, one of them twice, and one from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.late = nn.ModuleList(nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(3))
        self.early = nn.Conv2d(3, 4, 1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.relu = nn.ReLU()
        self.head = nn.Sequential(nn.Conv2d(4, 2, 1))

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.pool(self.relu(self.early(images)))
        for layer in self.late:
            x = layer(x)
        return [self.head[0](x), self.head[0](x) @ x.new_zeros(4, 5)]


def test_parts() -> None:
    body = Body()
    whole = dissect(body, (3, 8, 8))
    early = Part(name="early", kind="Conv2d", params=12, gmacs=64 * 12 / 1e9, shapes=((4, 8, 8),))
    pool = Part(name="pool", kind="MaxPool2d", params=0, gmacs=0, shapes=((4, 4, 4),))
    layer = Part(name="0-2", kind="Conv2d", times=3, params=144, gmacs=16 * 144 / 1e9, shapes=((4, 4, 4),))
    late = Part(name="late", kind="ModuleList", params=432, gmacs=3 * layer.gmacs, shapes=(), parts=(layer,))
    conv = Part(name="0", kind="Conv2d", params=10, gmacs=2 * 16 * 8 / 1e9, shapes=((2, 4, 4),))
    head = Part(name="head", kind="Sequential", params=10, gmacs=conv.gmacs, shapes=(), parts=(conv,))
    assert whole.parts == (early, pool, late, head)
    # the product of two maps is the body's own work
    own = 2 * 4 * 4 * 5 / 1e9
    assert abs(whole.gmacs - sum(p.gmacs * p.times for p in whole.parts) - own) < 1e-15
    assert whole.shapes == ((2, 4, 4), (2, 4, 5)) and whole.params == 12 + 432 + 10


def test_dissecting_leaves_the_module_as_it_was() -> None:
    body = Body()
    dissect(body, (3, 8, 8))
    assert body.training and body.early.training
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in body.modules())
    assert body.early(torch.zeros(1, 3, 8, 8)).device.type == "cpu"
