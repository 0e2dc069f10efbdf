"""The mathematics of edits: windows, smoothing, blinks, rotations, another timing."""

import numpy as np
import pytest
from scipy.signal import savgol_filter
from scipy.spatial.transform import Rotation

from erlnet_blender.scene.edits import rotations
from erlnet_blender.scene.edits.motion import Pulse, blink_spans, bridged, local_mean, savitzky_golay, soft_window
from erlnet_blender.scene.edits.warp import Warp


def test_a_soft_window_is_whole_inside_and_gone_outside():
    frames = np.arange(0, 41)
    window = soft_window(frames, 10, 30, 5)
    assert (window[:11] == 0).all()
    assert (window[30:] == 0).all()
    assert (window[15:26] == 1).all()
    assert (np.diff(window[10:16]) > 0).all()
    np.testing.assert_array_equal(soft_window(frames, 10, 30, 0), (frames >= 10) & (frames <= 30))
    assert soft_window(frames, 10, 30, 99)[20] == 1
    assert soft_window(np.array([7.0]), 7, 7, 3)[0] == 1


@pytest.mark.parametrize(("window", "order"), [(3, 1), (7, 2), (11, 3), (25, 4), (5, 0)])
def test_savitzky_golay_is_what_scipy_computes(window, order):
    values = np.random.default_rng(1).normal(size=(80, 3))
    np.testing.assert_allclose(
        savitzky_golay(values, window, order), savgol_filter(values, window, order, axis=0, mode="nearest"), atol=1e-9
    )


def test_savitzky_golay_keeps_polynomials_of_its_order():
    x = np.arange(60.0)
    values = np.stack([0.01 * x**2 - x, 3 + 0 * x], 1)
    np.testing.assert_allclose(savitzky_golay(values, 9, 2)[4:-4], values[4:-4], atol=1e-8)
    for window, order in ((4, 2), (3, 3), (3, -1)):
        with pytest.raises(ValueError, match="cannot fit"):
            savitzky_golay(values, window, order)


def test_the_local_mean_of_a_line_is_the_line():
    line = np.arange(30.0)[:, None]
    np.testing.assert_allclose(local_mean(line, 7)[3:-3], line[3:-3])
    np.testing.assert_allclose(local_mean(line, 1), line)


def test_a_pulse_is_whole_while_it_holds():
    pulse = Pulse(20, 4, 2, 6)
    assert pulse.corners.tolist() == [16, 20, 22, 28]
    assert Pulse(20, 4, 0, 6).corners.tolist() == [16, 20, 26]
    shows = pulse.at(np.arange(40))
    assert (shows[20:23] == 1).all()
    assert (shows[:17] == 0).all()
    assert (shows[28:] == 0).all()
    assert (np.diff(shows[16:21]) > 0).all()
    assert Pulse(20, 0, 0, 0).at(np.arange(19, 22)).tolist() == [0, 1, 0]


def lids(count: int, *blinks: int, open_at: float = 0.1) -> np.ndarray:
    closure = np.full(count, open_at)
    for frame in blinks:
        shape = np.array([0.3, 0.8, 1.0, 0.7, 0.45, 0.25, 0.12])
        closure[frame - 2 : frame + 5] = np.maximum(closure[frame - 2 : frame + 5], shape)
    return closure


def test_blinks_are_found_whole_and_apart():
    closure = lids(120, 30, 80)
    assert [(first <= 27, 33 <= last <= 35) for first, last in blink_spans(closure)][0] == (True, True)
    assert len(blink_spans(closure)) == 2
    assert blink_spans(lids(120)) == []
    # Lids that droop are no blink.
    assert blink_spans(np.linspace(0.0, 0.2, 100)) == []
    # Two at once: each on its own.
    double = blink_spans(lids(120, 50, 55))
    assert len(double) == 2
    assert double[0][1] <= double[1][0]


def test_a_blink_that_is_bridged_leaves_open_lids():
    closure = lids(120, 30, 80)
    first, last = blink_spans(closure)[0]
    after = bridged(closure[:, None], first, last)[:, 0]
    assert after[:50].max() < 0.15
    np.testing.assert_array_equal(after[50:], closure[50:])


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_euler_angles_are_turned_in_their_order(order):
    angles = np.random.default_rng(2).uniform(-1, 1, (20, 3))
    in_order = np.stack([angles[:, "XYZ".index(name)] for name in order], 1)
    expected = Rotation.from_euler(order.lower(), in_order).as_quat(scalar_first=True)
    found = rotations.of_euler(angles, order)
    assert np.abs(np.abs((found * expected).sum(1)) - 1).max() < 1e-9


def test_rotation_vectors_there_and_back():
    vectors = np.random.default_rng(3).normal(0, 0.7, (50, 3)) * np.linspace(0, 1, 50)[:, None]
    np.testing.assert_allclose(rotations.vectors_of(rotations.of_vectors(vectors)), vectors, atol=1e-9)
    full = np.stack([np.linspace(0, 1.8 * np.pi, 40), np.zeros(40), np.zeros(40)], 1)
    np.testing.assert_allclose(rotations.vectors_of(rotations.of_vectors(full)), full, atol=1e-9)
    first, second = rotations.of_vectors(vectors), rotations.of_vectors(vectors[::-1])
    expected = Rotation.from_rotvec(vectors) * Rotation.from_rotvec(vectors[::-1])
    found = rotations.vectors_of(rotations.product(first, second))
    assert np.abs((Rotation.from_rotvec(found).inv() * expected).magnitude()).max() < 1e-9
    np.testing.assert_allclose(rotations.product(first, rotations.inverse(first))[:, 0], 1, atol=1e-12)


def test_a_warp_moves_only_between_the_neighbours_of_what_moved():
    places = np.array([0.0, 10, 20, 30, 40, 50])
    moved = np.array([0.0, 10, 20, 33, 40, 50])
    warp, x = Warp(places, moved), np.linspace(-5, 55, 601)
    y = warp(x)
    outside = (x <= 20) | (x >= 40)
    np.testing.assert_allclose(y[outside], x[outside], atol=1e-9)
    assert (np.diff(y) > 0).all()
    np.testing.assert_allclose(warp(places), moved)
    # Smooth: the pace nowhere jumps, not even at the marker or beside what stays.
    paces = np.diff(y) / np.diff(x)
    assert np.abs(np.diff(paces)).max() < 0.05
    np.testing.assert_allclose(warp.back(y), x, atol=1e-8)


def test_a_word_that_moves_keeps_its_own_timing():
    places = np.array([0.0, 10, 14, 19, 40])
    warp, x = Warp(places, places + [0, 3, 3, 3, 0]), np.linspace(10, 19, 50)
    np.testing.assert_allclose(warp(x), x + 3, atol=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_any_warp_goes_forward_and_back(seed):
    random = np.random.default_rng(seed)
    sources = np.cumsum(random.uniform(0.5, 12, 12))
    targets = np.cumsum(random.uniform(0.05, 12, 12))
    warp, x = Warp(sources, targets), np.linspace(sources[0] - 3, sources[-1] + 3, 2000)
    y = warp(x)
    assert (np.diff(y) > 0).all()
    np.testing.assert_allclose(warp.back(y), x, atol=1e-6)
    np.testing.assert_allclose(warp(warp.back(x)), x, atol=1e-8)


def test_a_warp_refuses_places_that_overtake_each_other():
    for targets in ([0, 5, 4], [0, 5, 5]):
        with pytest.raises(ValueError, match="follow each other"):
            Warp(np.array([0, 1, 2]), np.array(targets))
    assert Warp(np.array([0, 1, 2]), np.array([0, 1, 2])).is_still
    np.testing.assert_array_equal(Warp(np.array([3.0]), np.array([5.0]))(np.array([1.0, 9.0])), [3, 11])
