"""What a figure wears: colours and patterns of its parts, hair, hats, things carried; statues' materials."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np


class Part(IntEnum):
    """Palette entries. 0 is nothing."""

    SKIN = 1
    HAIR = 2
    WHITE = 3
    IRIS = 4
    LIPS = 5
    BROW = 6
    TOP = 7
    TOP_TRIM = 8
    EMBLEM = 9
    SLEEVE = 10
    LEGWEAR = 11
    LEG_TRIM = 12
    BELT = 13
    SHOE = 14
    SOCK = 15
    HAT = 16
    BAG = 17
    THING = 18
    THING_TRIM = 19
    GLASSES = 20
    JACKET = 21
    BACK_PRINT = 22
    PLINTH = 23


N_PARTS = 24
PATTERNS = ("plain", "rings", "stripes", "checks", "dots", "camouflage", "halves")


@dataclass
class Look:
    """Clothes and colours of one figure.

    Attributes:
        base, second: (N_PARTS, 3) BGR 0..255: ground colour and pattern colour.
        pattern: (N_PARTS,) index into PATTERNS.
        period: (N_PARTS,) metres.
        sleeve: 0 none, 0.5 short, 1 long (in upper-arm lengths, 2 reaches the wrist).
        legs: how far legwear goes down: 0.4 shorts .. 2 trousers; 0 with a skirt.
        skirt: length in torso heights, 0 for none.
        closure: front of the top: "", "emblem", "buttons", "zip", "open" (jacket over a shirt), "tie".
        back: "", "print", "straps", "rucksack".
        hair: "short", "long", "bun", "bald", "tail".
        hat: "", "cap", "brim", "helmet", "hood".
        glasses, beard: on the face.
        loose: factor on the width of clothes.
        things: names of carried things.
        statue: uniform material without painted face; no labels.
        headless: a shop's mannequin without head.
        grain: strength of the material's noise, 0..1.
    """

    base: np.ndarray
    second: np.ndarray
    pattern: np.ndarray
    period: np.ndarray
    sleeve: float = 0.5
    legs: float = 2.0
    skirt: float = 0.0
    closure: str = ""
    back: str = ""
    hair: str = "short"
    hat: str = ""
    glasses: bool = False
    beard: bool = False
    loose: float = 1.0
    things: list[str] = field(default_factory=list)
    statue: bool = False
    headless: bool = False
    grain: float = 0.3


SKINS = np.array([(200, 215, 245), (175, 195, 235), (150, 178, 224), (125, 155, 205), (95, 125, 180),
                  (70, 98, 150), (52, 72, 112), (40, 52, 82)], float)  # fmt: skip
HAIRS = np.array([(25, 22, 22), (32, 36, 48), (40, 58, 88), (60, 92, 135), (110, 160, 200), (165, 170, 175),
                  (38, 62, 130)], float)  # fmt: skip
HAIR_SHARE = (0.27, 0.2, 0.18, 0.12, 0.1, 0.08, 0.05)
STONES = np.array([(205, 212, 216), (165, 172, 176), (120, 128, 130), (60, 82, 104), (88, 116, 86),
                   (60, 66, 70), (95, 150, 190), (150, 165, 185)], float)  # fmt: skip
PLASTICS = np.array([(235, 238, 240), (205, 215, 228), (38, 38, 40), (160, 190, 215), (120, 120, 122),
                     (225, 225, 215)], float)  # fmt: skip


def cloth_colour(rng: np.random.Generator) -> np.ndarray:
    """A BGR colour clothes come in: many muted and dark ones, some bright."""
    kind = rng.random()
    if kind < 0.42:
        grey = rng.choice([25, 45, 75, 125, 180, 225, 240]) + rng.normal(0, 8)
        colour = grey + rng.normal(0, 7, 3)
    else:
        hue = rng.uniform(0, 6)
        saturation = rng.uniform(0.25, 0.6) if kind < 0.72 else rng.uniform(0.6, 0.95)
        value = rng.uniform(50, 235)
        ramp = np.clip(np.abs((hue + np.array([2.0, 4.0, 0.0])) % 6 - 3) - 1, 0, 1)
        colour = value * (1 - saturation + saturation * ramp)
    return np.clip(colour, 8, 250)


def _apart(colour: np.ndarray, choices: list[np.ndarray]) -> np.ndarray:
    """The choice that differs most from a colour: trimmings are chosen to be seen."""
    return max(choices, key=lambda choice: float(np.abs(choice - colour).sum()))


def sample_look(rng: np.random.Generator, woman: bool, child: bool) -> Look:
    """Clothes for a living person."""
    base, second = np.zeros((N_PARTS, 3)), np.zeros((N_PARTS, 3))
    pattern, period = np.zeros(N_PARTS, int), np.full(N_PARTS, 0.06)
    skin = np.clip(SKINS[rng.integers(len(SKINS))] + rng.normal(0, 9, 3), 20, 250)
    top, legwear, jacket = cloth_colour(rng), cloth_colour(rng), cloth_colour(rng)
    if rng.random() < 0.35:
        legwear = np.clip(np.array([110, 75, 50]) * rng.uniform(0.4, 1.4), 10, 240)  # jeans
    if rng.random() < 0.10:
        legwear = np.clip(top * rng.uniform(0.8, 1.1), 5, 250)
    hair = _apart(skin, [HAIRS[rng.choice(len(HAIRS), p=HAIR_SHARE)] + rng.normal(0, 6, 3) for _ in range(3)])
    colours = {
        Part.SKIN: skin, Part.HAIR: hair, Part.WHITE: (238, 240, 240),
        Part.IRIS: np.array([40, 40, 40]) + rng.normal(0, 10, 3),
        Part.LIPS: skin * (0.62, 0.60, 0.86), Part.BROW: hair * 0.7 + skin * 0.12,
        Part.TOP: top, Part.TOP_TRIM: _apart(top, [cloth_colour(rng) for _ in range(3)]),
        Part.EMBLEM: _apart(top, [cloth_colour(rng) for _ in range(3)]),
        Part.SLEEVE: top if rng.random() < 0.8 else cloth_colour(rng), Part.LEGWEAR: legwear,
        Part.LEG_TRIM: cloth_colour(rng), Part.BELT: np.array([40, 45, 60]) * rng.uniform(0.4, 2.5),
        Part.SHOE: cloth_colour(rng), Part.SOCK: cloth_colour(rng), Part.HAT: cloth_colour(rng),
        Part.BAG: cloth_colour(rng), Part.THING: cloth_colour(rng), Part.THING_TRIM: cloth_colour(rng),
        Part.GLASSES: (25, 25, 28), Part.JACKET: jacket, Part.BACK_PRINT: cloth_colour(rng),
    }  # fmt: skip
    for part, colour in colours.items():
        base[part] = np.clip(colour, 4, 252)
        second[part] = base[part] * rng.uniform(0.86, 0.96)
    for part in (Part.TOP, Part.LEGWEAR, Part.JACKET):
        if rng.random() < (0.34 if part == Part.TOP else 0.1):
            pattern[part] = rng.integers(1, len(PATTERNS))
            second[part] = cloth_colour(rng) if rng.random() < 0.7 else base[part] * 0.6
            period[part] = rng.uniform(0.03, 0.16)
    if np.array_equal(base[Part.SLEEVE], base[Part.TOP]):
        for table in (second, pattern, period):
            table[Part.SLEEVE] = table[Part.TOP]
    dress = woman and rng.random() < 0.22
    if dress:
        for table in (base, second, pattern, period):
            table[Part.LEGWEAR] = table[Part.TOP]
    look = Look(base, second, pattern, period)
    look.sleeve = float(rng.choice([0.0, 0.5, 0.62, 1.3, 2.0, 2.0], p=[0.12, 0.36, 0.14, 0.06, 0.17, 0.15]))
    look.legs = float(rng.choice([0.35, 0.75, 1.2, 1.95, 2.0], p=[0.1, 0.2, 0.06, 0.34, 0.3]))
    if dress or (woman and rng.random() < 0.15):
        look.skirt, look.legs = float(rng.uniform(0.55, 1.5)), 0.0
    look.closure = str(rng.choice(["", "emblem", "buttons", "zip", "open", "tie"],
                                  p=[0.2, 0.3, 0.14, 0.13, 0.17, 0.06]))  # fmt: skip
    if look.closure == "open":
        look.sleeve = 2.0
        for table in (base, second, pattern, period):
            table[Part.SLEEVE] = table[Part.JACKET]
    look.back = str(rng.choice(["", "print", "straps", "rucksack"], p=[0.66, 0.12, 0.08, 0.14]))
    styles = ["short", "long", "bun", "bald", "tail"]
    look.hair = str(
        rng.choice(styles, p=[0.15, 0.45, 0.12, 0.0, 0.28] if woman else [0.85, 0.05, 0.02, 0.07, 0.01])
    )
    look.hat = str(rng.choice(["", "cap", "brim", "helmet", "hood"], p=[0.82, 0.08, 0.03, 0.05, 0.02]))
    look.glasses = bool(rng.random() < 0.13)
    look.beard = bool(not woman and not child and rng.random() < 0.22)
    look.loose = float(np.clip(rng.lognormal(0.06, 0.12), 0.92, 1.5))
    return look


def statue_look(rng: np.random.Generator, mannequin: bool) -> Look:
    """One material from head to foot; a mannequin is of smooth plastic, at times dressed or headless."""
    colour = (PLASTICS if mannequin else STONES)[rng.integers(6 if mannequin else 8)] + rng.normal(0, 6, 3)
    look = sample_look(rng, woman=bool(rng.random() < 0.5), child=False)
    dressed = mannequin and rng.random() < 0.4
    look.headless = bool(mannequin and rng.random() < (0.8 if dressed else 0.4))
    keep = (
        {Part.TOP, Part.TOP_TRIM, Part.SLEEVE, Part.LEGWEAR, Part.LEG_TRIM, Part.BELT, Part.JACKET}
        if dressed
        else set()
    )
    for part in range(1, N_PARTS):
        if part not in keep:
            look.base[part] = np.clip(colour, 12, 250)
            look.second[part] = look.base[part] * 0.93
            look.pattern[part] = 0
    if not dressed:
        look.base[Part.HAIR] *= 0.94
        look.base[Part.LEGWEAR] *= 0.97
    look.statue, look.things, look.glasses, look.beard = True, [], False, False
    look.closure = look.closure if dressed else ""
    look.back = ""
    look.grain = 0.12 if mannequin else 0.8
    if mannequin and not dressed:
        look.sleeve, look.legs, look.skirt, look.hair, look.loose = 0.0, 0.0, 0.0, "bald", 0.92
        look.hat = ""
    return look
