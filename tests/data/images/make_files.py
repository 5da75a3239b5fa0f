"""Writes the images of this folder with Pillow, and values.json: what Pillow reads back."""
import json
import pathlib

import numpy as np
from PIL import Image

folder = pathlib.Path(__file__).parent
y, x = np.mgrid[0:13, 0:18]
colours = np.stack([127 + 100 * np.sin(x / 3) * np.cos(y / 4), 40 + 10 * x, 30 + 14 * y + 3 * (x % 2)], -1)
image = Image.fromarray(colours.clip(0, 255).round().astype("uint8"))
image.save(folder / "progressive.jpg", quality=90, progressive=True, subsampling=0)
image.save(folder / "subsampled.jpg", quality=85, subsampling=2, optimize=True)
image.convert("L").save(folder / "grey.jpg", quality=80)
image.convert("P", palette=Image.Palette.ADAPTIVE, colors=16).save(folder / "palette.png")
image.save(folder / "filters.png", optimize=True)

files = {}
for path in sorted(folder.glob("*.[pj]*g")):
    mode = "L" if path.name == "grey.jpg" else "RGB"
    pixels = np.asarray(Image.open(path).convert(mode)).reshape(13, 18, -1)
    head = f'"{path.name}":{{"channels":{pixels.shape[2]},"shape":{json.dumps(pixels.shape)},"values":[\n'
    rows = pixels.reshape(-1, 18).tolist()
    files[path.name] = head + ",\n".join(",".join(map(str, row)) for row in rows) + "]}"
(folder / "values.json").write_text("{\n" + ",\n".join(files.values()) + "\n}\n")
