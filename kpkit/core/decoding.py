"""Names of the ways from heatmaps to points, and which go together: for documents and ``kpkit.decode``."""

from __future__ import annotations

from typing import Literal, get_args

Refinement = Literal["argmax", "quarter", "quarter_second", "parabola", "paraboloid", "dark", "dark_udp"]
REFINEMENTS: tuple[str, ...] = get_args(Refinement)
Border = Literal["zero", "reflect"]
BORDERS: tuple[str, ...] = get_args(Border)
READS_NO_NEIGHBOURS = ("argmax", "quarter_second")


def unsound(refine: str, blur: tuple[int, float], refine_blur: tuple[int, float], border: str) -> str | None:
    """Why a rule with filters of these (size, sigma) cannot be; None where it can."""
    if refine not in REFINEMENTS:
        return f"refine = {refine!r} is not one of {', '.join(REFINEMENTS)}"
    if border not in BORDERS:
        return f"border = {border!r} is not one of {', '.join(BORDERS)}"
    for name, (size, sigma) in (("blur", blur), ("refine_blur", refine_blur)):
        if size < 0 or (size and size % 2 == 0):
            return f"{name} = {size} must be odd"
        if not 0 <= sigma < float("inf"):
            return f"{name}_sigma = {sigma} must be a positive number of pixels"
    if any(refine_blur) and refine in READS_NO_NEIGHBOURS:
        return f"refine_blur has nothing to do: refine = {refine!r} reads no pixel beside the highest"
    if border == "reflect" and not any(blur) and not any(refine_blur):
        return "border = 'reflect' has nothing to do without blur or refine_blur"
    return None
