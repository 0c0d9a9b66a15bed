import numpy as np
from common import call, photograph

GREY = np.full((256, 256, 3), 128, np.uint8)


def difference(seed, **keywords):
    i_a, m_a = call("simplex_noise_anomlay", GREY, rng=seed, **keywords)
    rows, columns = np.flatnonzero(m_a.any(axis=(1, 2))), np.flatnonzero(m_a.any(axis=(0, 2)))
    assert np.count_nonzero(m_a) == len(rows) * len(columns)
    return (i_a.astype(int) - 128)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def test_sides_are_uniform_between_the_papers():
    sides = np.array([difference(seed).shape[:2] for seed in range(400)])
    assert sides.min() >= 10 and sides.max() <= 32
    for axis in (0, 1):
        assert abs(sides[:, axis].mean() - 21) < 1.2
    assert abs(np.mean(sides.prod(axis=1)) / 65536 - 0.0067) < 0.0008


def test_amplitude_and_smoothness():
    patches = [difference(seed, size_range=(0.15, 0.4)) for seed in range(60)]
    values = np.concatenate([patch.ravel() for patch in patches])
    assert abs(values.mean()) < 3
    assert 16 < values.std() < 28
    assert np.abs(values).max() <= 121
    lag = [np.corrcoef(p[1:, :, 0].ravel(), p[:-1, :, 0].ravel())[0, 1] for p in patches]
    assert np.mean(lag) > 0.7


def test_the_spectrum_falls():
    patch = np.mean(
        [np.abs(np.fft.rfft(difference(seed, size_range=(0.5, 0.5))[..., 0], axis=1)).mean(0) for seed in range(20)],
        axis=0,
    )
    assert patch[1:5].mean() > 3 * patch[20:40].mean()


def test_two_calls_give_different_patterns():
    one, other = (difference(seed, size_range=(0.3, 0.3))[..., 0].ravel() for seed in (1, 2))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.5


def test_saturated_images_change_without_wrapping():
    for value in (0, 5, 250, 255):
        image = np.full((64, 64, 3), value, np.uint8)
        for seed in range(20):
            i_a, m_a = call("simplex_noise_anomlay", image, rng=seed)
            change = i_a.astype(int) - value
            assert np.abs(change).max() <= 121
            if m_a.sum() > 255 * 30:
                assert change.any()


def test_octaves_and_amplitude_are_used():
    image = photograph(128, 128)
    plain = call("simplex_noise_anomlay", image, rng=0)[0]
    assert not np.array_equal(call("simplex_noise_anomlay", image, rng=0, octaves=1)[0], plain)
    faint = np.abs(difference(0, amplitude=0.02, size_range=(0.3, 0.3))).mean()
    assert faint < 0.2 * np.abs(difference(0, size_range=(0.3, 0.3))).mean()
