"""One peer in a process of its own: answers requests, a line of JSON each, about cases.py.

    worker.py PEER THREADS          PEER: torch, torch_compile, jax, keras, onnxruntime

{"train": "c"} -> {"seconds": ...}: one measurement of training, data already in memory; the first request for a case
builds and warms up, unmeasured. {"predict": "c", "samples": 64} -> {"seconds": ...}: one call.
{"losses": "cnn", "weights": PATH, "steps": 3} -> {"losses": [...]}: of steps
with the first batch, from weights that Tarn wrote, all in float64.
{"forget": true} drops what is kept. Whatever goes wrong is {"error": "..."}.

    worker.py torch THREADS once CASE WEIGHTS       a whole process: trains the case, writes the weights
"""

import json
import os
import sys
import time

import cases
from peer_jax import Jax
from peer_keras import Keras
from peer_onnxruntime import OnnxRuntime
from peer_torch import Torch

PREDICT_SECONDS = 0.15


def time_calls(call):
    """Seconds of a call: repeated for PREDICT_SECONDS, after a warm-up."""
    call()
    start = time.perf_counter()
    call()
    once = time.perf_counter() - start
    count = max(3, int(PREDICT_SECONDS / max(once, 1e-7)))
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


PEERS = {
    "torch": lambda threads: Torch(threads, False),
    "torch_compile": lambda threads: Torch(threads, True),
    "jax": Jax,
    "keras": Keras,
    "onnxruntime": OnnxRuntime,
}


def answer(peer, kept, request):
    if request.get("forget"):
        kept.clear()
        return {}
    case = cases.BY_NAME[request.get("train") or request.get("predict") or request["losses"]]
    if "losses" in request:
        return {"losses": peer.losses(case, request["weights"], request["steps"])}
    if "train" in request:
        if "train" not in kept:
            kept["train"] = peer.trainer(case)
        start = time.perf_counter()
        kept["train"]()
        return {"seconds": time.perf_counter() - start}
    key = request["samples"]
    if key not in kept:
        kept[key] = peer.predictor(case, key)
    return {"seconds": time_calls(kept[key])}


def main():
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to standard error

    def reply(message):
        replies.write(json.dumps(message) + "\n")
        replies.flush()

    try:
        peer = PEERS[sys.argv[1]](int(sys.argv[2]))
        reply({"version": peer.version()})
    except Exception as problem:  # whatever a peer throws means that it cannot take part
        reply({"error": f"{type(problem).__name__}: {problem}"})
        return
    if len(sys.argv) == 6 and sys.argv[3] == "once":
        peer.once(cases.BY_NAME[sys.argv[4]], sys.argv[5])
        return
    kept = {}
    for line in sys.stdin:
        try:
            reply(answer(peer, kept, json.loads(line)))
        except Exception as problem:  # the row says so, the suite goes on
            reply({"error": f"{type(problem).__name__}: {problem}"})


if __name__ == "__main__":
    main()
