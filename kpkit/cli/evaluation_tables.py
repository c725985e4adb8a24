"""What ``evaluate`` found, as lines of text. Its JSON holds the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

FIGURES = ("AP", "AP50", "AP75", "APM", "APL", "AR", "AR50", "AR75", "ARM", "ARL")
_PARTS = {
    "keypoints": "by keypoint, as if no other were labelled",
    "visibility": "by visibility of the labels",
    "labelled": "people by number of labelled keypoints",
    "overlap": "people by overlap with another's box (OCHuman's splits)",
}
_KINDS = ("good", "jitter", "inversion", "swap", "miss")


def lines(told: dict[str, Any]) -> list[str]:
    """Every table that is there, a blank line between.

    Args:
        told: what ``kpkit evaluate --json`` prints: the ten figures by name, and ``intervals``, ``against``,
            ``errors``, ``details`` where asked for.
    """
    tables = [_figures(told)]
    if "against" in told:
        tables.append(_differences(told))
    if "errors" in told:
        tables += [_costs(told), _kinds(told["errors"]["keypoints"])]
    for name, parts in told.get("details", {}).items():
        tables.append([_PARTS[name], *_parts(parts)])
    return [line for place, table in enumerate(tables) for line in ([""] if place else []) + table]


def _figures(told: dict[str, Any]) -> list[str]:
    found = []
    for name in FIGURES:
        if told[name] < 0:
            found.append(f"{name:<5} n/a (the truth has no such person)")
            continue
        line = f"{name:<5} {told[name]:.3f}"
        if "intervals" in told:
            line += f"  {_span(told['intervals'][name], '.3f')}"
        found.append(line)
    return found + ([_of_draws(told, "95 % intervals")] if "intervals" in told else [])


def _differences(told: dict[str, Any]) -> list[str]:
    rows = []
    for name in FIGURES:
        difference = told["against"]["difference"][name]
        if difference["value"] is None:
            continue
        verdict = "not told apart from chance" if difference["of_chance"] else ""
        rows.append(
            [
                name,
                f"{told[name]:.3f}",
                f"{told['against']['figures'][name]:.3f}",
                f"{difference['value']:+.3f}",
                _span(difference, "+.3f"),
                verdict,
            ]
        )
    heads = ["", "these", "those", "difference", "95 % interval", ""]
    return [*_aligned(heads, rows, left=(0, 5)), _of_draws(told, "differences of paired draws")]


def _of_draws(told: dict[str, Any], what: str) -> str:
    drawn = told["bootstrap"]
    return f"{what}: {drawn['draws']:,} draws of {drawn['pictures']:,} pictures, seed {drawn['seed']}"


def _span(interval: dict[str, Any], form: str) -> str:
    return f"{interval['low']:{form}} to {interval['high']:{form}}"


def _costs(told: dict[str, Any]) -> list[str]:
    rows = [["as it is", "", "", "", "", _number(None if told["AP"] < 0 else told["AP"], ".3f")]]
    for row in told["errors"]["costs"]:
        count = "" if row["count"] is None else f"{row['count']:,}"
        gains = [_number(row["gain"][name], "+.3f") for name in ("AP", "AP50", "AP75")]
        rows.append([row["error"], count, *gains, _number(row["AP_repaired"], ".3f")])
    heads = ["error", "count", "AP", "AP50", "AP75", "AP, all so far"]
    return ["what repairing each kind of error alone gains", *_aligned(heads, rows)]


def _kinds(keypoints: Sequence[dict[str, Any]]) -> list[str]:
    total = {kind: sum(row[kind] for row in keypoints) for kind in _KINDS}
    rows = []
    for row in [*keypoints, {"keypoint": "all"} | total]:
        judged = sum(row[kind] for kind in _KINDS)
        shares = [f"{100 * row[kind] / judged:.1f}" if judged else "n/a" for kind in _KINDS]
        rows.append([row["keypoint"], f"{judged:,}", *shares])
    return ["keypoints of each kind, % of those judged", *_aligned(["", "judged", *_KINDS], rows)]


def _parts(parts: Sequence[dict[str, Any]]) -> list[str]:
    names = ("AP", "AP50", "AP75", "AR", "OKS")
    rows = []
    for part in parts:
        values = [None if part[name] is None or part[name] < 0 else part[name] for name in names]
        rows.append(
            [part["part"], f"{part['people']:,}", f"{part['labels']:,}", *(_number(v, ".3f") for v in values)]
        )
    return _aligned(["", "people", "labels", *names], rows)


def _number(value: float | None, form: str) -> str:
    return "n/a" if value is None else f"{value:{form}}"


def _aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> list[str]:
    """Lines of a table; columns to the right, those of ``left`` to the left."""
    widths = [max(len(row[place]) for row in [heads, *rows]) for place in range(len(heads))]
    return [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [heads, *rows]
    ]
