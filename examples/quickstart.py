"""The quick start: every technique once, on the bundled images. Run it from the project's root."""

import os

import cv2
import numpy as np
from PIL import Image

from pail import pai

normal_image = cv2.resize(cv2.imread("example_img/example_0.jpg"), (256, 256))
anom_source_files = [os.path.join("anom_source_imgs", f) for f in os.listdir("anom_source_imgs")]  # noqa: PTH118, PTH208
anom_source_img = cv2.resize(cv2.imread(np.random.choice(anom_source_files)), (256, 256))  # noqa: NPY002
anom_source_img_pil = Image.fromarray(anom_source_img)

anom_insertion = pai.Anomaly_Insertion()
for name, technique in pai.TECHNIQUES.items():
    source = {"anom_source_img": anom_source_img_pil} if technique.family == "SBI" else {}
    aug_img, msk = getattr(anom_insertion, name)(normal_image, **source)
    print(f"{name}: {aug_img.shape} {aug_img.dtype}, {(msk > 0).mean():.1%} of the image is anomalous")
