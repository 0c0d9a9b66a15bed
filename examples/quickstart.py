"""Quick start: every technique once, on the bundled images or, if they are missing, on two images of scikit-image.

python examples/quickstart.py [FOLDER]    # FOLDER/quickstart/<technique>.png; results by default
"""

import sys
from pathlib import Path

from PIL import Image
from skimage import data

import pail
from pail import pai

root = Path(__file__).resolve().parent.parent
is_bundled = (root / "example_img").is_dir()  # false if only this file was downloaded
results = root / "results" if is_bundled else Path("results")
folder = (Path(sys.argv[1]) if len(sys.argv) > 1 else results) / "quickstart"
folder.mkdir(parents=True, exist_ok=True)

# Images may be PIL images or arrays, such as those that OpenCV reads.
normal_image = Image.open(root / "example_img" / "example_2.jpg") if is_bundled else data.coins()
anom_source_img = Image.open(root / "anom_source_imgs" / "streaks.jpg") if is_bundled else data.gravel()

anom_insertion = pai.Anomaly_Insertion()
for name in pail.ELEVEN:
    source = {"anom_source_img": anom_source_img} if pail.TECHNIQUES[name].takes_source else {}
    i_a, m_a = getattr(anom_insertion, name)(normal_image, **source)
    pail.show(normal_image, i_a, m_a).save(folder / f"{name}.png")
    print(f"{name}: {i_a.shape} {i_a.dtype}, {(m_a > 0).mean():.1%} of the image is anomalous")
print(folder)
