"""Writes the arrays of written/ and their index.json with NumPy: python3 make_files.py"""

import json
import pathlib

import numpy as np

folder = pathlib.Path(__file__).parent / "written"
folder.mkdir(exist_ok=True)
index = []


def describe(name, array):
    return {"file": name, "shape": list(array.shape), "type": str(array.dtype.newbyteorder("=")),
            "values": [float(v) for v in array.flatten(order="C")]}


def write(name, array, version=(1, 0)):
    with open(folder / name, "wb") as file:
        np.lib.format.write_array(file, array, version=version)
    index.append(describe(name, array))


numbers = np.array([[0, 1, 2], [3, 100, 127]])
for code in ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"]:
    write(f"little_{code}.npy", numbers.astype("<" + code))
    if code[1] != "1":
        write(f"big_{code}.npy", numbers.astype(">" + code))
write("bool.npy", np.array([True, False, True]))
write("scalar.npy", np.float64(2.5).reshape(()))
write("empty.npy", np.zeros((3, 0, 2), "<f4"))
write("fortran.npy", np.asfortranarray(np.arange(24, dtype="<i4").reshape(2, 3, 4)))
write("fortran_big.npy", np.asfortranarray(np.arange(6, dtype=">f8").reshape(3, 2) / 4))
write("version_2.npy", np.arange(3, dtype="<f4"), version=(2, 0))
write("version_3.npy", np.arange(3, dtype="<f4"), version=(3, 0))
# Values whose conversion to f32 takes every path: denormals, the largest, signed zero.
write("half_values.npy", np.array([0.0, -0.0, 6e-8, -6e-5, 65504.0, 1.0, -2.5, 0.333251953125], "<f2"))

members = {"weights": np.arange(6, dtype="<f4").reshape(2, 3), "bias": np.array([-1.5, 2.0]), "step": np.array(7, "<i8")}
np.savez(folder / "stored.npz", **members)
np.savez_compressed(folder / "deflated.npz", **members)
for name in ["stored.npz", "deflated.npz"]:
    index.append({"file": name, "members": [describe(key, value) for key, value in members.items()]})

(folder / "index.json").write_text(json.dumps(index, indent=1) + "\n")
