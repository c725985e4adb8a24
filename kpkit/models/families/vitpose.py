"""ViTPose: every size with the simple decoder, and with the classic one under ``_classic``."""

from __future__ import annotations

from kpkit.models.entries import SMALL, Entry, Published


def _entries(
    size: str, options: dict[str, int | float], simple: float, classic: float, pretrained: str = ""
) -> tuple[Entry, ...]:
    """Both decoders of one size; ``simple`` and ``classic`` are their AP in the repository's table."""
    return tuple(
        Entry(
            name=name,
            family="ViTPose",
            backbone=f"ViT-{size.upper()}",
            builder="kpkit.models.vitpose:ViTPose",
            options={**options, "decoder": decoder},
            pretrained=pretrained,
            published=(Published(input_size=SMALL, ap=ap, source="ViTPose repository"),),
        )
        for name, decoder, ap in (
            (f"vitpose_{size}", "simple", simple),
            (f"vitpose_{size}_classic", "classic", classic),
        )
    )


ENTRIES = (
    # 12 heads, where timm's ViT-S has 6; the MAE weights of this one are only with its authors.
    *_entries("s", {"width": 384, "depth": 12, "heads": 12, "drop_path": 0.1}, 73.5, 73.8),
    *_entries(
        "b",
        {"width": 768, "depth": 12, "heads": 12, "drop_path": 0.3},
        75.5,
        75.8,
        pretrained="vit_base_patch16_224.mae",
    ),
    *_entries(
        "l",
        {"width": 1024, "depth": 24, "heads": 16, "drop_path": 0.5},
        78.2,
        78.3,
        pretrained="vit_large_patch16_224.mae",
    ),
    # MAE's ViT-H has patches of 14 px; the authors pad its kernels with zeros to 16.
    *_entries(
        "h",
        {"width": 1280, "depth": 32, "heads": 16, "drop_path": 0.55},
        78.9,
        79.1,
        pretrained="vit_huge_patch14_224.mae",
    ),
)
