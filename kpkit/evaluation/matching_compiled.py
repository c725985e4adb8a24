"""Compiled kernels of ``matching`` and ``curves``; each says bit for bit what its plain twin says."""

from __future__ import annotations

import numpy as np

from kpkit.core.compiled import kernel


@kernel()
def match(  # type: ignore[no-untyped-def]
    similarity, pairs_from, people_from, poses_from, ignored, crowd, thresholds, partner
):
    """Fill ``partner`` (A, T, D), -1 so far: COCO's greedy matching, picture by picture.

    Poses come by falling score. Each takes the most similar person that counts, is free and is similar
    enough; where there is none, such a person among the ignored. A crowd region is never used up. Of equals
    the last is taken.
    """
    areas, steps = partner.shape[0], partner.shape[1]
    most = 0
    for i in range(len(people_from) - 1):
        most = max(most, people_from[i + 1] - people_from[i])
    taken = np.zeros((areas, steps, most), np.bool_)
    for i in range(len(people_from) - 1):
        first, people = people_from[i], people_from[i + 1] - people_from[i]
        if people == 0:
            continue
        taken[:, :, :people] = False
        for pose in range(poses_from[i], poses_from[i + 1]):
            row = pairs_from[i] + (pose - poses_from[i]) * people
            best = similarity[row]
            for g in range(1, people):
                best = max(best, similarity[row + g])
            for t in range(steps):
                if best < thresholds[t]:
                    break
                for a in range(areas):
                    found, so_far = -1, thresholds[t]
                    for g in range(people):
                        value = similarity[row + g]
                        if value >= so_far and not ignored[a, first + g] and not taken[a, t, g]:
                            found, so_far = g, value
                    if found < 0:
                        for g in range(people):
                            value = similarity[row + g]
                            free = crowd[first + g] or not taken[a, t, g]
                            if value >= so_far and ignored[a, first + g] and free:
                                found, so_far = g, value
                    if found >= 0:
                        partner[a, t, pose] = first + found
                        taken[a, t, found] = True


@kernel(error_model="numpy")
def read_off(outcome, weight, people, recalls, precision, recall):  # type: ignore[no-untyped-def]
    """Fill ``precision`` (C, R) and ``recall`` (C,), zero so far, of C curves with somebody to find."""
    eps = np.spacing(1.0)
    poses = outcome.shape[1]
    found = np.empty(poses)
    value = np.empty(poses)
    for c in range(len(outcome)):
        right = wrong = 0
        n = 0
        for d in range(poses):
            what = outcome[c, d]
            wrong += weight[d] * (what == 0)
            if what == 1:
                right += weight[d]
                found[n] = right / people[c]
                value[n] = right / (float(wrong) + float(right) + eps)
                n += 1
        for i in range(n - 2, -1, -1):
            value[i] = max(value[i], value[i + 1])
        at = 0
        for r in range(len(recalls)):
            while at < n and found[at] < recalls[r]:
                at += 1
            if at == n:
                break
            precision[c, r] = value[at]
        if n:
            recall[c] = found[n - 1]
