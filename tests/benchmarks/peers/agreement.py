"""Whether what is compared is the same: the first losses of Tarn and of PyTorch, from the same weights.

In float64: Adam makes large steps of small gradients, so that rounding is soon seen. In float32 the third losses of
`cifar` are up to 3e-3 off those in float64.
"""

import json
import subprocess

import numpy as np

STEPS = 3
TOLERANCE = 1e-6


def tarn_losses(arguments, tarn, case, weights):
    """Of steps with the first batch; writes the weights that they begin with."""
    model = tarn.model(case)
    data = []
    for name, array in zip("xt", tarn.cases.data(case)):
        path = model.with_name(f"{name}_batch.npy")
        np.save(path, array[: case.batch])
        data += ["--data", f"{name}={path}"]
    train = [arguments.tarn, "train", model, "--json", *tarn.flags, *data, "--set", "shuffle=false"]
    train += ["--precision", "f64"]
    subprocess.run([*train, "--epochs", "0", "-o", weights], stdout=subprocess.DEVNULL, check=True)
    done = subprocess.run([*train, "--epochs", str(STEPS), "-o", weights.with_name("after.npz")], capture_output=True,
                          text=True, check=True)
    return [event["loss"] for event in map(json.loads, done.stdout.splitlines()) if event["event"] == "epoch"]


def difference(arguments, tarn, peer, case):
    """The largest of the losses' relative differences, and both; or why there is none."""
    weights = tarn.model(case).with_name("before.npz")
    own = tarn_losses(arguments, tarn, case, weights)
    reply = peer.ask({"losses": case.name, "weights": str(weights), "steps": STEPS})
    if "error" in reply:
        return reply["error"]
    other = reply["losses"]
    return max(abs(a - b) / max(abs(a), 1e-6) for a, b in zip(own, other, strict=True)), own, other
