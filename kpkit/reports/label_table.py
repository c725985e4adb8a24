"""How many labels of each keypoint are kept and right, as lines of text."""

from __future__ import annotations

from collections.abc import Mapping

from kpkit.reports.made_metrics import AuditedKeypoint

_SHARES = ("right at .5", "right at .75")


def audit_table(keypoints: Mapping[str, AuditedKeypoint]) -> list[str]:
    """Per keypoint name and of all: floor, labels kept, shares right, labels where the truth has none.

    Behind the share within .5 stands how far it may be off: half its 95 % interval.
    """
    rows: list[tuple[str, ...]] = [("keypoint", "floor", "kept", _SHARES[0], "", _SHARES[1], "no truth")]
    for name, row in [*keypoints.items(), ("all", total(keypoints))]:
        floor = "" if name == "all" else "none" if row.floor is None else f"{row.floor:.3f}"
        first, second = shares(row)
        rows.append((name, floor, f"{row.kept:,}", first, margin(row), second, f"{row.unknown:,}"))
    return _aligned(rows)


def judged_table(
    truth: Mapping[str, AuditedKeypoint], predicted: Mapping[str, AuditedKeypoint] | None
) -> list[str]:
    """Per keypoint name, and of all: labels and shares right by a truth, beside what an audit foretold."""
    heads: tuple[str, ...] = ("keypoint", "labels", *_SHARES, "no truth")
    if predicted:
        heads = (*heads, *(f"audit {share.removeprefix('right at ')}" for share in _SHARES), "gap")
    rows: list[tuple[str, ...]] = [heads]
    foretold = {**predicted, "all": total(predicted)} if predicted else {}
    for name, row in [*truth.items(), ("all", total(truth))]:
        cells: tuple[str, ...] = (name, f"{row.kept:,}", *shares(row), f"{row.unknown:,}")
        if name in foretold:
            other = foretold[name]
            gap = f"{share(other.right_50, other.kept) - share(row.right_50, row.kept):+.1f}"
            cells = (*cells, *shares(other), "" if "nan" in gap else gap)
        rows.append(cells)
    return _aligned(rows)


def total(keypoints: Mapping[str, AuditedKeypoint]) -> AuditedKeypoint:
    """All keypoints together."""
    rows = list(keypoints.values())
    return AuditedKeypoint(
        floor=None,
        kept=sum(row.kept for row in rows),
        right_50=sum(row.right_50 for row in rows),
        right_75=sum(row.right_75 for row in rows),
        unknown=sum(row.unknown for row in rows),
    )


def share(right: int, kept: int) -> float:
    """Per cent; NaN of none."""
    return 100 * right / kept if kept else float("nan")


def shares(row: AuditedKeypoint) -> tuple[str, str]:
    """``97.1 %`` within either OKS; empty where nothing was kept."""
    found = (share(right, row.kept) for right in (row.right_50, row.right_75))
    first, second = (f"{value:.1f} %" if row.kept else "" for value in found)
    return first, second


def margin(row: AuditedKeypoint) -> str:
    """``±2.3``, half the 95 % interval of the share within .5 in points; empty where nothing was kept."""
    if not row.kept:
        return ""
    # two right and two wrong labels more: a few labels, all right, prove no certainty (Agresti and Coull)
    kept = row.kept + 4
    found = (row.right_50 + 2) / kept
    return f"±{196 * (found * (1 - found) / kept) ** 0.5:.1f}"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    """Names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
