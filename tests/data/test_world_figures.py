"""The drawn people: left is left, the face is in front, hidden is hidden."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kpkit.core.seeds import generator
from kpkit.data.world.bodies import INDEX, WORLD19, assemble, sample_build
from kpkit.data.world.camera import Camera
from kpkit.data.world.detector import detect
from kpkit.data.world.figures import dress
from kpkit.data.world.furniture import Thing, make_thing, paint_thing
from kpkit.data.world.labels import Layers, Sketch, label, mask_box, run_lengths
from kpkit.data.world.looks import Part, sample_look, statue_look
from kpkit.data.world.painting import lay, paint_figure
from kpkit.data.world.pictures import draw_picture
from kpkit.data.world.poses import FAMILIES, sample_pose
from kpkit.data.world.scenery import Scene
from kpkit.data.world.tubes import Sheet, Tube

CAMERA = Camera(400, 300, 500.0, 1.5, 110.0)
LIGHT = np.array([0.0, -0.6, -0.8])
SCENE = Scene(CAMERA, True, LIGHT, 0.5, np.ones(3), 8.0)


def figure(seed: int, yaw: float, family: str = "stand"):
    rng = generator("test figure", seed)
    pose = sample_pose(rng, family)
    pose.head = (0.0, 0.0, 0.0)
    pose.twist = 0.0
    return CAMERA.place(assemble(sample_build(rng), pose), yaw, CAMERA.spot(200, 5.5)), rng


def painted(seed: int, yaw: float, look=None, family: str = "stand"):
    figure_, rng = figure(seed, yaw, family)
    build = figure_.body.build
    look = look or sample_look(rng, build.woman, False)
    tubes = dress(figure_, look, rng)
    return paint_figure(
        figure_, tubes, look, size=(400, 300), light=LIGHT, ambient=0.5, tint=np.ones(3), rng=rng
    )


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"lie", "dance", "jump"}))
def test_left_is_on_picture_right_when_facing_the_camera(family: str) -> None:
    for seed in range(4):
        for yaw, sign in ((0, 1), (180, -1)):
            points = figure(seed, yaw, family)[0].body
            for pair in ("shoulder", "hip", "eye", "ear"):
                assert sign * (points[f"left_{pair}"][0] - points[f"right_{pair}"][0]) > 0


def test_face_is_seen_from_the_front_and_hair_from_behind() -> None:
    face = [WORLD19.index(name) for name in ("nose", "left_eye", "right_eye")]
    seen = {yaw: np.mean([painted(seed, yaw).seen[face] for seed in range(12)]) for yaw in (0, 180)}
    assert seen[0] > 0.8
    assert seen[180] == 0


def test_profile_hides_the_far_side() -> None:
    """A figure that looks to picture left shows its left side to ... the viewer: left ear seen, right not."""
    near, far = [], []
    for seed in range(8):
        turned = figure(seed, 90)[0]
        assert turned.body["nose"][0] > turned.body["head"][0]  # looks to picture right: right side is near
        seen = painted(seed, 90).seen
        near.append(seen[WORLD19.index("right_ear")])
        far.append(seen[WORLD19.index("left_ear")])
    assert not any(far)
    assert np.mean(near) >= 0.3  # hair and hats cover some


def test_the_pixel_at_a_visible_bare_wrist_is_skin() -> None:
    rng = generator("wrist")
    look = sample_look(rng, False, False)
    look.base[:] = 0
    look.second[:] = 0
    look.pattern[:] = 0
    look.base[Part.SKIN] = look.second[Part.SKIN] = (200, 0, 0)
    look.base[Part.TOP] = look.second[Part.TOP] = (0, 200, 0)
    look.sleeve, look.things, look.closure = 0.0, [], ""
    skin = []
    for seed in range(8):
        patch = painted(seed, 20, look)
        for side in ("left", "right"):
            k = WORLD19.index(f"{side}_wrist")
            x, y = np.round(patch.keypoints[k]).astype(int) - (patch.x, patch.y)
            if patch.seen[k]:
                skin.append(patch.colour[y, x, 0] > patch.colour[y, x, 1])
    assert len(skin) >= 8
    assert np.mean(skin) >= 0.85


def test_what_is_painted_over_is_labelled_hidden() -> None:
    patch = painted(1, 0)
    canvas = np.zeros((300, 400, 3), np.uint8)
    layers = Layers.blank(300, 400)
    rows, columns, alpha, _ = lay(canvas, patch)
    layers.order[rows, columns][alpha > 0.5] = 1
    layers.body[rows, columns][alpha > 0.5] = True
    whole = int(layers.mask(1).sum())
    sketch = Sketch(1, patch.keypoints, patch.seen, whole, given=np.full(len(WORLD19), 2))
    free, _, share = label(generator(0), layers, [sketch])
    assert share[0] == 1
    assert free.area[0] == whole
    knees = int(min(patch.keypoints[WORLD19.index(f"{s}_hip")][1] for s in ("left", "right"))) + 4
    layers.order[knees:] = 2  # a wall in front of the legs
    layers.body[knees:] = False
    half, _, share = label(generator(0), layers, [sketch])
    below = patch.keypoints[:, 1] > knees + 1
    assert below.any()
    assert (half.keypoints[0, below & (free.keypoints[0, :, 2] > 0), 2] == 1).all()
    above = ~below & (patch.keypoints[:, 1] < knees - 1)
    assert np.array_equal(half.keypoints[0, above], free.keypoints[0, above])
    assert half.area[0] < 0.75 * whole
    assert share[0] == half.area[0] / whole
    assert half.box[0, 1] + half.box[0, 3] <= knees


def test_a_nearer_box_covers_a_figure_and_a_farther_one_does_not() -> None:
    canvas = np.zeros((300, 400, 3), np.uint8)
    rng = generator("box")
    thing = make_thing(rng, "counter", CAMERA.spot(200, 4.0), 0.0)
    assert isinstance(thing, Thing)
    rows, columns, mask = paint_thing(rng, canvas, SCENE, thing)
    assert mask.any()
    assert canvas[rows, columns][mask].any(axis=1).mean() > 0.9
    assert not canvas[: rows.start].any()


def test_statue_has_one_material_and_no_painted_face() -> None:
    look = statue_look(generator("stone", 3), mannequin=False)
    skin = look.base[Part.SKIN]
    for part in (Part.TOP, Part.SHOE, Part.SLEEVE):
        assert np.abs(look.base[part] - skin).max() < 8
    figure_, rng = figure(2, 0)
    parts = {tube.part for tube in dress(figure_, look, rng)}
    assert not parts & {Part.WHITE, Part.IRIS, Part.LIPS, Part.GLASSES}
    person = {tube.part for tube in dress(figure_, sample_look(rng, False, False), rng)}
    assert {Part.WHITE, Part.IRIS, Part.LIPS} <= person


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from(sorted(FAMILIES)), st.floats(-180, 180))
def test_bones_keep_their_length_and_the_ground_holds(seed: int, family: str, yaw: float) -> None:
    rng = generator("bones", seed)
    build, pose = sample_build(rng), sample_pose(rng, family)
    body = assemble(build, pose)
    for side in ("left", "right"):
        for a, b, length in (("shoulder", "elbow", build.upper_arm), ("elbow", "wrist", build.forearm),
                             ("hip", "knee", build.thigh), ("knee", "ankle", build.shin)):  # fmt: skip
            assert np.linalg.norm(body[f"{side}_{a}"] - body[f"{side}_{b}"]) == pytest.approx(length)
    assert body.points[:, 1].min() >= -1e-9 + min(pose.lift, 0)
    placed = CAMERA.place(body, yaw, CAMERA.spot(120, 6.0))
    assert np.isfinite(placed.body.points).all()
    for frame in (placed.body.pelvis, placed.body.chest, placed.body.head):
        assert np.allclose(frame @ frame.T, np.eye(3))
        assert np.linalg.det(frame) == pytest.approx(1)


def test_camera_puts_ground_points_where_asked() -> None:
    for x, distance in ((10.0, 3.0), (350.0, 12.0)):
        flat, scale = CAMERA.project(CAMERA.spot(x, distance))
        assert flat[0] == pytest.approx(x)
        assert flat[1] > CAMERA.horizon
        assert scale > 0
    far, _ = CAMERA.project(CAMERA.spot(200, 1e6))
    assert far[1] == pytest.approx(CAMERA.horizon, abs=0.1)


def test_tube_paints_what_its_radius_says() -> None:
    sheet = Sheet(0, 0, 60, 40, 2, LIGHT, 0.5)
    sheet.draw(Tube(np.array([20.0, 20, 0]), np.array([40.0, 20, 0]), (6, 6, 6), 1))
    columns = np.flatnonzero((sheet.part > 0).any(axis=0)) / 2
    rows = np.flatnonzero((sheet.part > 0).any(axis=1)) / 2
    assert columns[0] == pytest.approx(14, abs=1)
    assert columns[-1] == pytest.approx(46, abs=1)
    assert np.ptp(rows) == pytest.approx(12, abs=1)
    before = sheet.part.copy()
    sheet.draw(Tube(np.array([20.0, 20, 30]), np.array([40.0, 20, 30]), (5, 5, 5), 2))  # behind
    assert np.array_equal(before, sheet.part)
    sheet.draw(Tube(np.array([30.0, 20, -30]), np.array([30.0, 20, -30]), (5, 5, 5), 3))  # in front
    assert (sheet.part == 3).sum() == pytest.approx(np.pi * 100, rel=0.1)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 1000), st.integers(1, 12), st.integers(1, 12))
def test_run_lengths_are_pycocotools_own(seed: int, height: int, width: int) -> None:
    from pycocotools import mask as coco_mask

    mask = generator(seed).random((height, width)) < 0.5
    code = run_lengths(mask)
    packed = coco_mask.frPyObjects(code, height, width)
    assert np.array_equal(coco_mask.decode(packed).astype(bool), mask)


def test_mask_box() -> None:
    mask = np.zeros((10, 20), bool)
    mask[3:6, 4:9] = True
    assert mask_box(mask) == (4.0, 3.0, 5.0, 3.0)


def test_detector_prefers_large_visible_people_and_believes_in_statues() -> None:
    from kpkit.core.instances import Instances

    scores = {"large": [], "small": [], "statue": []}
    for seed in range(200):
        people = Instances.of([7, 7], [[10, 10, 90, 250], [300, 100, 14, 40]], area=[11000, 280])
        statue = np.array([[200.0, 50, 60, 180]])
        found = detect(generator("detector", seed), people, np.ones(2), statue, 400, 300)
        assert (found.image_id == 7).all()
        assert (found.box[:, :2] >= 0).all()
        assert (found.box[:, 0] + found.box[:, 2] <= 400.01).all()
        assert (np.diff(found.score) <= 0).all()
        from kpkit.core.boxes import box_iou

        overlap = box_iou(np.concatenate([people.box, statue]), found.box)
        for row, name in enumerate(scores):
            hit = overlap[row if name != "statue" else 2] >= 0.5
            scores[name].append(found.score[hit].max() if hit.any() else 0.0)
    assert np.mean(scores["large"]) > np.mean(scores["small"]) + 0.1
    assert np.mean(np.array(scores["large"]) > 0) > 0.95
    assert np.mean(np.array(scores["statue"]) >= 0.5) > 0.6


def test_pictures_have_what_the_issue_asks_for() -> None:
    pictures = [draw_picture(generator("survey", k)) for k in range(40)]
    people = [len(p.instances) for p in pictures]
    assert min(people) == 0
    assert 1.4 < np.mean(people) < 3.2
    assert sum(len(p.dummies) for p in pictures) >= 5
    keypoints = np.concatenate([p.instances.keypoints for p in pictures])
    labelled = keypoints[(keypoints[:, :, 2] > 0).any(axis=1)]
    shares = [(labelled[:, :, 2] == v).mean() for v in (0, 1, 2)]
    assert shares[2] > 0.4
    assert 0.08 < shares[1] < 0.4
    assert INDEX["left_wrist"] == WORLD19.index("left_wrist")
