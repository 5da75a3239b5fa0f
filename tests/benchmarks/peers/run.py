#!/usr/bin/env python3
"""Tarn beside what a user would otherwise pick, in one run, as one table. README.md says how to read it.

Every measurement is repeated in rounds; in a round, Tarn and all peers take turns at the same case, so that a machine
that gets slower gets slower for all. Peers live in processes of their own (worker.py), pinned like Tarn is.
"""

import argparse
import functools
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

from processes import HERE, Native, Tarn, Worker, cores, has_two_cores, limits, pinned

ROOT = HERE.parents[2]
PACKAGES = {
    "torch": ["torch==2.13.0", "numpy"],
    "jax": ["jax==0.10.2", "jaxlib==0.10.2"],
    "keras": ["keras"],
    "onnxruntime": ["onnxruntime", "onnx"],
}
TITLES = {"tarn": "Tarn", "tarn_alone": "Tarn, 1 core", "torch": "PyTorch", "torch_compile": "torch.compile",
          "jax": "JAX", "keras": "Keras 3", "onnxruntime": "ONNX Runtime", "torch_debian": "PyTorch (Debian)",
          "dlib": "dlib", "tiny_dnn": "tiny-dnn"}
TRAINERS = ["torch", "torch_compile", "torch_debian", "jax", "keras", "dlib", "tiny_dnn"]
MOST_ROUNDS = 4  # for one that counts
PREDICTORS = ["torch", "jax", "onnxruntime"]


PARTS = ("agreement", "train", "predict", "process", "compile")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build", help="where the peers are installed and built")
    parser.add_argument("--tarn", type=Path, default=ROOT / "build/release/bin/tarn")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", default="a,b,c,d,e,higgs,cnn,cifar,wavenet")
    parser.add_argument("--parts", default=",".join(PARTS), help="which tables")
    parser.add_argument("--peers", default=",".join(TITLES), help="which peers")
    parser.add_argument("--threads", default="1,2", help="numbers of cores to train on")
    parser.add_argument("--samples", default="1,64,1024", help="numbers of samples to predict")
    parser.add_argument("--json", type=Path, help="file for all raw figures")
    parser.add_argument("--no-install", action="store_true", help="use what is installed, and no more")
    arguments = parser.parse_args()
    for name in ("cases", "parts", "peers"):
        setattr(arguments, name, getattr(arguments, name).split(","))
    for name, known in (("parts", PARTS), ("peers", TITLES)):
        for unknown in set(getattr(arguments, name)) - set(known):
            parser.error(f"--{name}: there is no '{unknown}'; there are {', '.join(known)}")
    arguments.threads = [int(n) for n in arguments.threads.split(",")]
    arguments.samples = [int(n) for n in arguments.samples.split(",")]
    return arguments


def set_up(arguments):
    """The environment of the peers, the probe; returns the interpreter and what failed, by peer."""
    home = arguments.build / "peers"
    home.mkdir(parents=True, exist_ok=True)
    python = home / "venv/bin/python"
    failed = {}
    if not arguments.no_install:
        # Without them the rows of Debian's peers say so.
        subprocess.run(["bash", "-c", "source tools/set_up.sh && install_packages benchmarks"], cwd=ROOT)
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", home / "venv"], check=True)
        for peer, packages in PACKAGES.items():
            if peer not in arguments.peers and not (peer == "torch" and "torch_compile" in arguments.peers):
                continue
            done = subprocess.run([python, "-m", "pip", "install", "--quiet", *packages], capture_output=True,
                                  text=True)
            if done.returncode != 0:
                failed[peer] = "not installed"
    compiler = shutil.which("clang-19") or shutil.which("cc")
    subprocess.run([compiler, "-O3", "-march=native", "-ffp-contract=fast", HERE / "probe.c", "-o", home / "probe",
                    "-ldl", "-lpthread"], check=True)
    return home, python, failed


def measure(workers, request, rounds, valid=lambda: True):
    """Seconds of every round by peer, or why there are none. A time counts where `valid` says so before and after."""
    results = {peer: [] for peer in workers}
    errors = {}
    for number in range(MOST_ROUNDS * rounds + 1):
        for peer, worker in workers.items():
            if peer in errors or len(results[peer]) == rounds:
                continue
            before = valid()
            reply = worker.ask(request)
            if "error" in reply:
                errors[peer] = reply["error"]
            elif number > 0 and "seconds" in reply and before and valid():  # the first round warms up
                results[peer].append(reply["seconds"])
    for peer in workers:
        if not results[peer] and peer not in errors:
            errors[peer] = "no time at which two cores were there"
    for worker in workers.values():
        worker.ask({"forget": True}) if len(request) == 1 else None
    return {peer: results[peer] or errors.get(peer, "") for peer in workers}


def seconds_text(seconds):
    for scale, unit in ((1, "s"), (1e-3, "ms"), (1e-6, "us"), (1e-9, "ns")):
        if seconds >= scale or unit == "ns":
            return f"{seconds / scale:.3g} {unit}"
    return ""


def print_row(title, results, note=""):
    """Tarn's median and spread, then each peer's median and how many times Tarn's it is."""
    own = results["tarn"]
    if isinstance(own, str):
        print(f"{title}\n    Tarn: {own}")
        return
    print(title)
    for peer, values in results.items():
        if isinstance(values, str):
            print(f"    {TITLES[peer]:<18} {values.splitlines()[0][:60] if values else '-'}")
            continue
        median = statistics.median(values)
        spread = (max(values) - min(values)) / median * 100
        remark = note if peer == "tarn" else f"{median / statistics.median(own):8.2f} x"
        print(f"    {TITLES[peer]:<18} {seconds_text(median):>10}  spread {spread:3.0f} %  {remark}")
    sys.stdout.flush()


def start_workers(arguments, home, python, failed, threads, peers, cases):
    workers = {"tarn": Tarn(arguments, home, threads, cases)}
    for peer in peers:
        if peer not in arguments.peers:
            continue
        if peer in ("dlib", "tiny_dnn"):
            workers[peer] = Native(peer, home, threads)
            continue
        interpreter, kind = ("/usr/bin/python3", "torch") if peer == "torch_debian" else (python, peer)
        worker = Worker([str(interpreter), str(HERE / "worker.py"), kind, str(threads)], threads)
        if failed.get(peer) or "ModuleNotFoundError" in worker.hello.get("error", ""):
            worker.hello = {"error": "not installed"}
        workers[peer] = worker
    return workers


def agreement_part(arguments, context, raw):
    """Whether Tarn and PyTorch have the same losses; an error that a peer reports is only shown."""
    home, python, failed, cases = context
    from agreement import STEPS, TOLERANCE, difference

    workers = start_workers(arguments, home, python, failed, 1, ["torch"], cases)
    if "torch" not in workers:
        return True
    print(f"\nLosses of the first {STEPS} steps, the same weights and batch, float64: Tarn, PyTorch")
    same = True
    for name in arguments.cases:
        found = difference(arguments, workers["tarn"], workers["torch"], cases.BY_NAME[name])
        if isinstance(found, str):
            print(f"    {name:<8} {found.splitlines()[0][:60]}")
            continue
        most, own, other = found
        texts = [" ".join(f"{loss:.6g}" for loss in losses) for losses in (own, other)]
        print(f"    {name:<8} {texts[0]}, {texts[1]}; {most:.1e} apart{'' if most <= TOLERANCE else ': DIFFERENT'}",
              flush=True)
        same = same and most <= TOLERANCE
        raw.append({"part": "agreement", "case": name, "tarn": own, "torch": other})
    for worker in workers.values():
        worker.close()
    return same


def train_part(arguments, context, raw):
    home, python, failed, cases = context
    for threads in arguments.threads:
        workers = start_workers(arguments, home, python, failed, threads, TRAINERS, cases)
        if threads > 1:
            # In turns with the others: what two cores bring is not to be told from figures of two times.
            workers = {"tarn": workers["tarn"], "tarn_alone": Tarn(arguments, home, 1, cases)} | workers
        print(f"\nTraining, {threads} core{'s' if threads > 1 else ''}:",
              ", ".join(f"{TITLES[p]} {w.hello.get('version', '-')}" for p, w in workers.items()))
        for name in arguments.cases:
            case = cases.BY_NAME[name]
            machine = limits(home)
            chosen = {p: w for p, w in workers.items() if case.small or p not in ("dlib", "tiny_dnn")}
            valid = functools.partial(has_two_cores, home) if threads > 1 else lambda: True
            results = measure(chosen, {"train": name}, arguments.rounds, valid)
            raw.append({"part": "train", "threads": threads, "case": name, "machine": machine, "results": results})
            note = ""
            if not isinstance(results["tarn"], str):
                median = statistics.median(results["tarn"])
                rate = case.training_flops() / median * 1e-9
                peak = machine["fma"] if threads == 1 else machine["fma2"]
                note = (f"{rate:.1f} GFLOP/s, {rate / peak * 100:.0f} % of FMA peak {peak:.0f}; "
                        f"{seconds_text(median / case.steps)} a step")
            print_row(case.title, results, note)
        for worker in workers.values():
            worker.close()


def predict_part(arguments, context, raw):
    home, python, failed, cases = context
    workers = start_workers(arguments, home, python, failed, 1, PREDICTORS, cases)
    print("\nPrediction, 1 core:", ", ".join(f"{TITLES[p]} {w.hello.get('version', '-')}" for p, w in workers.items()))
    for name in arguments.cases:
        case = cases.BY_NAME[name]
        for samples in [n for n in arguments.samples if n in case.predict]:
            machine = limits(home)
            results = measure(workers, {"predict": name, "samples": samples}, arguments.rounds)
            raw.append({"part": "predict", "samples": samples, "case": name, "machine": machine, "results": results})
            note = ""
            if not isinstance(results["tarn"], str):
                median = statistics.median(results["tarn"])
                rate = 2e-9 * case.products * samples / median
                read = 4e-9 * case.parameters / median
                note = f"{rate / machine['fma'] * 100:.0f} % of FMA peak; weights at {read:.0f} GB/s"
            print_row(f"{case.network}, {samples} sample{'s' if samples > 1 else ''}", results, note)
        for worker in workers.values():
            worker.ask({"forget": True})
    for worker in workers.values():
        worker.close()


def process_part(arguments, context, raw):
    """Case a from model file to weights on disk; memory of the training processes."""
    home, python, _, cases = context
    tarn = Tarn(arguments, home, 1, cases)
    case = cases.BY_NAME["a"]
    kinds = {"tarn": tarn.flags}
    if tarn.flags:
        tarn.train(case, [])  # fills the cache
        kinds["tarn, warm cache"] = []
    results = {kind: [] for kind in kinds}
    results["torch"] = []
    for _ in range(arguments.rounds):
        for _ in range(5):  # they are short, and what else the machine does is soon a good part of one
            for kind, flags in kinds.items():
                results[kind].append(tarn.train(case, flags)[1])
        if "torch" in arguments.peers:
            start = time.perf_counter()
            with pinned(1):
                done = subprocess.run([python, HERE / "worker.py", "torch", "1", "once", "a", home / "weights.pt"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                results["torch"].append(time.perf_counter() - start)
    print("\nWhole process, case a, from model file to weights on disk")
    for kind, values in results.items():
        if values:
            median = statistics.median(values)
            print(f"    {TITLES.get(kind, kind):<18} {seconds_text(median):>10}  least {seconds_text(min(values))}")
    raw.append({"part": "process", "results": results})
    print("\nMemory of a training process (peak), and what the model file says it needs")
    for name in arguments.cases:
        case = cases.BY_NAME[name]
        _, _, peak = tarn.train(case, tarn.flags)
        summary = json.loads(subprocess.run([arguments.tarn, "summary", tarn.model(case), "--json"],
                                            capture_output=True, text=True, check=True).stdout)
        data = 4 * case.samples * (case.inputs + case.outputs)
        needed = summary["state_bytes"] + summary["workspace_bytes"]
        bound = 1.2 * needed + data + 30 * 2**20
        print(f"    {name:<6} {peak / 2**20:7.1f} MiB; state and workspace {needed / 2**20:.1f}, data {data / 2**20:.1f}; "
              f"1.2 x needed + data + 30 = {bound / 2**20:.1f}")
        raw.append({"part": "memory", "case": name, "peak": peak, "needed": needed, "data": data})


def compile_part(arguments, context, raw):
    """Time of compiling against the size of the graph."""
    home, _, _, cases = context
    import numpy as np

    folder = home / "cases" / "deep"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("x", "t"):
        np.save(folder / f"{name}.npy", np.zeros((32, 16), np.float32))
    tarn = Tarn(arguments, home, 1, cases)
    print("\nCompiling a stack of dense(16, tanh), all of training")
    for layers in (1, 10, 100, 1000):
        path = folder / f"deep{layers}.tarn"
        path.write_text(cases.deep_model(layers))
        times = []
        for _ in range(3 if layers < 1000 else 1):
            with pinned(1):
                done = subprocess.run([arguments.tarn, "train", path, "--json", "-o", home / "weights.safetensors",
                                       *tarn.flags], capture_output=True, text=True)
            if done.returncode != 0:
                break
            times.append(json.loads(done.stdout.splitlines()[0])["compile_ms"])
        if times:
            print(f"    {layers:>5} layers {statistics.median(times):9.1f} ms")
            raw.append({"part": "compile", "layers": layers, "milliseconds": times})
        else:
            print(f"    {layers:>5} layers: {done.stderr.splitlines()[0][:80] if done.stderr else 'failed'}")


def main():
    arguments = parse_arguments()
    home, python, failed = set_up(arguments)
    # The data need NumPy: the rest runs in the peers' environment where this interpreter has none.
    try:
        import numpy  # noqa: F401
    except ModuleNotFoundError:
        if Path(sys.executable).resolve() != python.resolve() or not os.environ.get("TARN_PEERS"):
            os.environ["TARN_PEERS"] = "1"
            os.execv(python, [str(python), *sys.argv, *([] if arguments.no_install else ["--no-install"])])
        raise
    import cases

    machine = limits(home)
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    print(f"{model.group(1) if model else 'unknown processor'}, {len(cores(64))} cores; measured now: FMA "
          f"{machine['fma']:.0f} GFLOP/s, two threads {machine['fma2']:.0f}; read GB/s L1 {machine['l1']:.0f}, "
          f"L2 {machine['l2']:.0f}, L3 {machine['l3']:.0f}, DRAM {machine['dram']:.0f}; "
          f"medians of {arguments.rounds} rounds")
    raw = [{"part": "machine", **machine}]
    context = (home, python, failed, cases)
    parts = {"agreement": agreement_part, "train": train_part, "predict": predict_part, "process": process_part,
             "compile": compile_part}
    done = [parts[part](arguments, context, raw) for part in arguments.parts]
    after = limits(home)
    print(f"\nafterwards: FMA {after['fma']:.0f} GFLOP/s, two threads {after['fma2']:.0f}")
    if arguments.json:
        arguments.json.write_text(json.dumps(raw, indent=1))
    if False in done:
        sys.exit("not everything that was compared is the same")


if __name__ == "__main__":
    main()
