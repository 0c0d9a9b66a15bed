import cv2
import numpy as np
from common import call, frame_and_draw, make, photograph
from seeds import seeds


def masks(count, size=256, **keywords):
    image = photograph(size, size)
    return [call("cutpaste_scar", image, rng=seed, **keywords)[1][..., 0] for seed in seeds("scars", count)]


def test_areas_sides_and_components():
    areas = []
    for mask in masks(400):
        areas.append(np.mean(mask > 0))
        count, _ = cv2.connectedComponents(mask)
        assert count == 2
        sides = sorted(cv2.minAreaRect(cv2.findNonZero(mask))[1])
        assert sides[0] < 18 and 8 < sides[1] < 28
    assert 0.0018 < np.mean(areas) < 0.0030  # the paper's mean is 0.24 %
    assert min(areas) > 0.0002 and max(areas) < 0.0070


def test_orientation_is_uniform_in_the_rotation():
    angles = []
    for mask in masks(400, 512, width=(0.02, 0.02), length=(0.2, 0.2)):
        y, x = np.nonzero(mask)
        moments = np.cov(x, y)
        angles.append(np.degrees(0.5 * np.arctan2(2 * moments[0, 1], moments[0, 0] - moments[1, 1])))
    tilt = np.sort((np.array(angles) % 180) - 90)  # against the vertical
    assert -46 < tilt[0] < -40 and 40 < tilt[-1] < 46
    assert np.abs((tilt + 45) / 90 - np.linspace(0, 1, len(tilt))).max() < 0.08


def test_a_fixed_angle_turns_counterclockwise():
    mask = masks(1, 256, rotation=(45, 45), width=(0.02, 0.02), length=(0.3, 0.3))[0]
    y, x = np.nonzero(mask)
    assert np.corrcoef(x, y)[0, 1] > 0.9  # upright, turned to the left: its top end leans left


def test_the_strip_lies_inside_and_is_never_wider_than_long():
    for shape in ((40, 40), (40, 70), (70, 40)):
        longer = 0
        for seed in seeds("strip", 60):
            frame, draw = frame_and_draw(photograph(*shape), seed)
            box, content, mask, _ = make("cutpaste_scar", frame, draw, width=(0.5, 1), length=(0.1, 1), rotation=(0, 0))
            assert mask.all() and content.shape[:2] == mask.shape and box.intersect(frame.whole) == box
            assert box.height >= box.width
            longer += box.height > box.width
        assert 5 < longer < 55


def test_the_scar_fits_its_mask():
    """On an image of two flat halves, the pasted values are those of the halves, without a dark rim from the
    rotation."""
    image = np.full((128, 128, 3), 200, np.uint8)
    for seed in range(30):
        frame, draw = frame_and_draw(image, seed)
        assert (make("cutpaste_scar", frame, draw, False).content == 200).all()
