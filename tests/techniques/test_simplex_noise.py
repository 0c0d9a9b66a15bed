import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from common import call, photograph
from seeds import seeds

GRAY = np.full((256, 256, 3), 128, np.uint8)


def difference(seed, **keywords):
    i_a, m_a = call("simplex_noise_anomlay", GRAY, rng=seed, **keywords)
    rows, columns = np.flatnonzero(m_a.any(axis=(1, 2))), np.flatnonzero(m_a.any(axis=(0, 2)))
    assert np.count_nonzero(m_a) == len(rows) * len(columns)
    return (i_a.astype(int) - 128)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def test_sides_are_uniform_between_the_papers():
    sides = np.array([difference(seed).shape[:2] for seed in seeds("sides", 400)])
    assert sides.min() >= 10 and sides.max() <= 32
    for axis in (0, 1):
        assert abs(sides[:, axis].mean() - 21) < 1.2
    assert abs(np.mean(sides.prod(axis=1)) / 65536 - 0.0067) < 0.0008


def test_amplitude_and_smoothness():
    patches = [difference(seed, size_range=(0.15, 0.4)) for seed in seeds("amplitude", 60)]
    values = np.concatenate([patch.ravel() for patch in patches])
    assert abs(values.mean()) < 3
    assert 16 < values.std() < 28
    assert np.abs(values).max() <= 121
    lag = [np.corrcoef(p[1:, :, 0].ravel(), p[:-1, :, 0].ravel())[0, 1] for p in patches]
    assert np.mean(lag) > 0.7


def test_the_spectrum_falls():
    power = spectrum("spectrum")
    assert power[1:5].mean() > 3 * power[20:40].mean()


def spectrum(name, **keywords):
    """The mean spectrum along rows of 128 pixels."""
    patches = [difference(seed, size_range=(0.5, 0.5), **keywords) for seed in seeds(name, 20)]
    return np.mean([np.abs(np.fft.rfft(patch[..., 0], axis=1)).mean(axis=0) for patch in patches], axis=0)


def test_frequency_is_the_first_wavelength():
    """The wavelength of one octave is proportional to `frequency`."""
    centers = []
    for frequency in (1 / 8, 1 / 16, 1 / 32):
        power = spectrum("frequency", octaves=1, frequency=frequency) ** 2
        centers.append((np.arange(1, len(power)) * power[1:]).sum() / power[1:].sum())
    assert 1.3 < centers[1] / centers[0] < 2.5 and 1.3 < centers[2] / centers[1] < 2.5


def test_persistence_is_the_weight_of_the_finer_octaves():
    shares = []
    for persistence in (0.2, 0.6, 1.0):
        power = spectrum("persistence", persistence=persistence) ** 2
        shares.append(power[16:].sum() / power[1:].sum())
    assert shares[0] < 0.5 * shares[1] < 0.25 * shares[2]


def test_two_calls_give_different_patterns():
    one, other = (difference(seed, size_range=(0.3, 0.3))[..., 0].ravel() for seed in (1, 2))
    assert abs(np.corrcoef(one, other)[0, 1]) < 0.5


def test_saturated_images_change_without_wrapping():
    for value in (0, 5, 250, 255):
        image = np.full((64, 64, 3), value, np.uint8)
        for seed in range(20):
            change = call("simplex_noise_anomlay", image, rng=seed)[0].astype(int) - value
            assert change.any() and np.abs(change).max() <= 121


def test_octaves_and_amplitude_are_used():
    image = photograph(128, 128)
    plain = call("simplex_noise_anomlay", image, rng=0)[0]
    assert not np.array_equal(call("simplex_noise_anomlay", image, rng=0, octaves=1)[0], plain)
    faint = np.abs(difference(0, amplitude=0.02, size_range=(0.3, 0.3))).mean()
    assert faint < 0.2 * np.abs(difference(0, size_range=(0.3, 0.3))).mean()


HOMELESS = """
import os, sys
sys.path.insert(0, sys.argv[1])
import numba, numpy as np
from pail import pai
numba.njit(lambda x: x)(1.0)  # loads all of numba that it needs from where only root may read
if os.geteuid() == 0:  # whom no permission stops
    try:
        os.setgid(65534)
        os.setuid(65534)
    except OSError:
        sys.exit(77)
i_a, _ = pai.Anomaly_Insertion().simplex_noise_anomlay(np.full((64, 64, 3), 128, np.uint8), rng=0)
import opensimplex
assert opensimplex.__file__.startswith(sys.argv[1]) and np.any(i_a != 128)
print(os.environ.get("NUMBA_CACHE_DIR", ""))
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_numba_without_a_folder_to_write_to():
    """Neither the packages nor a home folder is writable, as in a container with a read-only root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for package in ("pail", "opensimplex"):
            source = Path(importlib.util.find_spec(package).origin).parent
            shutil.copytree(source, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
        folders = [path for path in (folder, *folder.rglob("*")) if path.is_dir()]
        for path in folders:
            path.chmod(0o555)
        environment = {"HOME": "/nonexistent", "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", HOMELESS, name]
        done = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True, check=False)
        for path in folders:
            path.chmod(0o755)
    if done.returncode == 77:
        pytest.skip("root, and no other user to become")
    assert done.returncode == 0, done.stderr
    cache = Path(done.stdout.strip())
    assert cache.name.startswith("pail-numba-") and not cache.exists()
