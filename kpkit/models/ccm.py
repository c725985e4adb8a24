"""Context mixer decoder (CCM; Zhang et al. 2020, "Towards High Performance Human Keypoint Detection")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import Tensor, nn

from kpkit.models.layers import HeatmapConv, concatenate, conv_bn, global_mean, initialise, resize
from kpkit.models.mobile import MOBILE_ENCODERS
from kpkit.models.network import Encoder, Output, PoseNetwork
from kpkit.models.resnet import ResNet


class ContextMixer(nn.Module):
    """One context mixing module: ReLU(HDC * SE + RES), twice the resolution (section 3.2).

    RES: bilinear x2, 1x1 convolution. SE: global mean, 1x1 to C/4, ReLU, 1x1 to C, sigmoid. HDC: four 3x3
    convolutions of C/4 kernels, dilations 1 to 4, concatenated, 4x4 stride 2 deconvolution. Batch norm after
    every convolution, none of which has a bias; each branch reads the module's input. The paper does not say
    how x2 aligns: half-pixel centres, which are the deconvolution's own.

    Table 2 adds the parts one by one to a baseline that scores as SimpleBaseline does, without saying what
    is left where one is missing. Here: without HDC the deconvolution reads the module's input itself;
    without SE nothing is multiplied; RES stays as long as either part is there, and with neither the module
    is SimpleBaseline's deconvolution, batch norm and ReLU.

    Args:
        inputs: channels of the input.
        channels: C, of the output; a multiple of 4.
        upsample: False keeps the size, with a 3x3 convolution in the deconvolution's place (K > 1 on HRNet).
        se, hdc: have the part.
    """

    def __init__(
        self, inputs: int, channels: int, upsample: bool = True, se: bool = True, hdc: bool = True
    ) -> None:
        super().__init__()
        quarter = channels // 4
        self.residual = conv_bn(inputs, channels, relu=False) if se or hdc else None
        self.excitation = (
            nn.Sequential(conv_bn(inputs, quarter), conv_bn(quarter, channels, relu=False), nn.Sigmoid())
            if se
            else None
        )
        dilations = (1, 2, 3, 4) if hdc else ()
        self.dilated = nn.ModuleList(conv_bn(inputs, quarter, 3, dilation=d) for d in dilations)
        mixed = channels if hdc else inputs
        mix = (
            nn.ConvTranspose2d(mixed, channels, 4, 2, 1, bias=False)
            if upsample
            else nn.Conv2d(mixed, channels, 3, padding=1, bias=False)
        )
        self.mix = nn.Sequential(mix, nn.BatchNorm2d(channels))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inputs, h, w) to (N, channels, 2h, 2w), or (N, channels, h, w) without ``upsample``."""
        context = self.mix(concatenate([branch(x) for branch in self.dilated]) if self.dilated else x)
        if self.excitation is not None:
            context = context * self.excitation(global_mean(x))
        if self.residual is not None:
            context = context + self.residual(resize(x, context.shape, align_corners=False))
        return self.relu(context)


class Decoder(nn.Sequential):
    """K context mixing modules and a 1x1 convolution to heatmaps.

    Args:
        inputs: channels of the encoder's map.
        channels: C of each module.
        upsamples: how many modules, the first ones, double the resolution.
        se, hdc: see ``ContextMixer``.
        keypoints: K of the skeleton.
    """

    def __init__(
        self, inputs: int, channels: Sequence[int], upsamples: int, se: bool, hdc: bool, keypoints: int
    ) -> None:
        widths = [inputs, *channels]
        mixers = [
            ContextMixer(widths[i], widths[i + 1], i < upsamples, se, hdc) for i in range(len(channels))
        ]
        super().__init__(*mixers, HeatmapConv(widths[-1], keypoints))


class CCM(PoseNetwork):
    """Any encoder under a context mixer decoder, with an auxiliary decoder on its penultimate map.

    Outputs: the auxiliary decoder's (if any), then the final one, both with plain MSE against one Gaussian.
    Modules double the resolution until the final heatmaps are at stride 2; further ones keep the size, as
    the paper's further ones on HRNet do. So stride 16 takes three to get there, HRNet's stride 4 takes one.

    Args:
        encoder: its last two maps are read.
        channels: C of each context mixing module, whose number is the paper's K.
        se, hdc: the modules' parts, see ``ContextMixer``.
        auxiliary: supervise the penultimate map through a decoder of its own (section 3.4).
        auxiliary_weight: lambda, its loss weight. The paper gives no value; 0.5 is ours.
        keypoints: K of the skeleton.
        input_size: (height, width) in pixels, multiples of 32.
        init, init_std: see ``initialise``.

    Raises:
        ValueError: no module, or a channel count that does not split in four.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        channels: Sequence[int],
        se: bool,
        hdc: bool,
        auxiliary: bool,
        auxiliary_weight: float,
        keypoints: int,
        input_size: tuple[int, int],
        init: str,
        init_std: float,
    ) -> None:
        super().__init__(keypoints=keypoints, input_size=input_size)
        if not channels or any(c < 4 or c % 4 for c in channels):
            raise ValueError(f"channels is {tuple(channels)}, not one or more multiples of 4")
        *_, penultimate, last = zip(encoder.channels, encoder.strides, strict=True)
        upsamples = min(len(channels), last[1].bit_length() - 2)  # halvings from the encoder's stride to 2
        shrink = 2**upsamples

        def decoder(inputs: int) -> Decoder:
            return Decoder(inputs, channels, upsamples, se, hdc, keypoints)

        self.encoder = encoder
        self.auxiliary_decoder = decoder(penultimate[0]) if auxiliary else None
        self.decoder = decoder(last[0])
        final = Output(stride=last[1] // shrink)
        side = Output(stride=penultimate[1] // shrink, weight=auxiliary_weight, auxiliary=True)
        self.outputs = (side, final) if auxiliary else (final,)
        initialise(self, init, init_std)

    def stream(self, images: Tensor, final_only: bool) -> Iterator[Tensor]:
        *_, penultimate, last = self.encoder(images)
        if self.auxiliary_decoder is not None and not final_only:
            yield self.auxiliary_decoder(penultimate)
        yield self.decoder(last)


def ccm_resnet(
    *,
    keypoints: int = 17,
    input_size: tuple[int, int] = (256, 192),
    depths: Sequence[int] = (3, 4, 6, 3),
    width: int = 64,
    block: str = "bottleneck",
    groups: int = 1,
    group_width: int = 64,
    dilated: bool = True,
    channels: Sequence[int] = (256, 256, 256),
    se: bool = True,
    hdc: bool = True,
    auxiliary: bool = True,
    auxiliary_weight: float = 0.5,
    init: str = "kaiming",
    init_std: float = 0.001,
) -> CCM:
    """CCM on a ResNet or ResNeXt, whose last stage is dilated: stride 16, then x2 per module.

    Arguments as ``CCM`` and ``ResNet``. Without ``dilated`` the final heatmaps are at twice the
    stride, the auxiliary ones are not.
    """
    return CCM(
        ResNet(
            depths=depths,
            width=width,
            block=block,
            dilated=dilated,
            groups=groups,
            group_width=group_width,
        ),
        channels=channels,
        se=se,
        hdc=hdc,
        auxiliary=auxiliary,
        auxiliary_weight=auxiliary_weight,
        keypoints=keypoints,
        input_size=input_size,
        init=init,
        init_std=init_std,
    )


def ccm_mobile(
    *,
    keypoints: int = 17,
    input_size: tuple[int, int] = (256, 192),
    design: str = "mobilenet_v2",
    width: int = 32,
    dilated: bool = True,
    channels: Sequence[int] = (256, 256, 256),
    se: bool = True,
    hdc: bool = True,
    auxiliary: bool = True,
    auxiliary_weight: float = 0.5,
    init: str = "kaiming",
    init_std: float = 0.001,
) -> CCM:
    """CCM on a network for phones, its last stage dilated as a ResNet's is.

    Arguments as ``CCM`` and the encoders.

    Args:
        design: ``"mobilenet_v2"`` or ``"shufflenet_v2"``.
        width: of ``MobileNetV2`` (32 published) or ``ShuffleNetV2`` (116 published).
    """
    if design not in MOBILE_ENCODERS:
        raise ValueError(f"design is {design!r}, not one of {', '.join(map(repr, MOBILE_ENCODERS))}")
    return CCM(
        MOBILE_ENCODERS[design](width=width, dilated=dilated),
        channels=channels,
        se=se,
        hdc=hdc,
        auxiliary=auxiliary,
        auxiliary_weight=auxiliary_weight,
        keypoints=keypoints,
        input_size=input_size,
        init=init,
        init_std=init_std,
    )


def ccm_hrnet(
    *,
    keypoints: int = 17,
    input_size: tuple[int, int] = (256, 192),
    width: int = 32,
    modules: Sequence[int] = (1, 4, 3),
    channels: Sequence[int] = (32,),
    se: bool = True,
    hdc: bool = True,
    auxiliary: bool = True,
    auxiliary_weight: float = 0.5,
    init: str = "kaiming",
    init_std: float = 0.001,
) -> CCM:
    """CCM on an HRNet: stride 4, the first module doubles it to 2, further ones keep the size.

    The auxiliary decoder reads the stride-4 branch after HRNet's third stage. Arguments as ``CCM`` and
    ``HRNet``.
    """
    from kpkit.models.hrnet import HRNet  # imports timm, which takes seconds

    return CCM(
        HRNet(width=width, modules=modules),
        channels=channels,
        se=se,
        hdc=hdc,
        auxiliary=auxiliary,
        auxiliary_weight=auxiliary_weight,
        keypoints=keypoints,
        input_size=input_size,
        init=init,
        init_std=init_std,
    )
