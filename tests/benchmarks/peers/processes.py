"""Processes that are measured: Python peers, C++ libraries, Tarn, and the probe, pinned to the same cores."""

import contextlib
import json
import os
import subprocess
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent


def cores(threads):
    """The last ones that this process may use: interrupts tend to go to the first."""
    return sorted(os.sched_getaffinity(0))[-threads:]


@contextlib.contextmanager
def pinned(threads):
    """Processes started meanwhile have so many cores. (Pinned between fork and exec, they would begin with a copy of
    this process, which takes some milliseconds.)"""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores(threads))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


class Worker:
    """A peer in a process of its own."""

    def __init__(self, command, threads):
        environment = dict(os.environ)
        for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            environment[variable] = str(threads)
        with pinned(threads):
            self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                            stderr=subprocess.DEVNULL, env=environment)
        self.hello = self.read()

    def read(self):
        line = self.process.stdout.readline()
        return json.loads(line) if line else {"error": "died"}

    def ask(self, request):
        if "error" in self.hello:
            return self.hello
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return {"error": "died"}
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.terminate()
        self.process.wait()


class Native:
    """A C++ library: built once, run anew for each measurement. Case and data go by the command line."""

    def __init__(self, peer, home, threads):
        self.threads = threads
        self.program = home / peer
        source = HERE / f"peer_{peer}.cpp"
        self.hello = {"version": ""}
        built = self.program.exists() and self.program.stat().st_mtime > source.stat().st_mtime
        if not built:
            # tiny-dnn looks for stb in a folder that Debian does not have; its threads, one a sample, cost a thousand
            # times what they do.
            (home / "include").mkdir(exist_ok=True)
            if not (home / "include/third_party").exists():
                (home / "include/third_party").symlink_to("/usr/include")
            options = ["-ldlib"] if peer == "dlib" else ["-DCNN_SINGLE_THREAD", "-I", home / "include"]
            done = subprocess.run(["c++", "-std=c++17", "-O3", "-march=native", "-DNDEBUG", "-w", source, "-o",
                                   self.program, *options, "-lpthread"], capture_output=True, text=True)
            if done.returncode != 0:
                self.hello = {"error": "not installed"}

    def ask(self, request):
        if "error" in self.hello:
            return self.hello
        if "train" not in request:
            return {}
        with pinned(self.threads):
            done = subprocess.run([self.program, request["train"]], capture_output=True, text=True, timeout=600)
        return json.loads(done.stdout) if done.returncode == 0 else {"error": "no such case"}

    def close(self):
        pass


class Tarn:
    """The driver for training, compiled objects for prediction."""

    def __init__(self, arguments, home, threads, cases):
        self.arguments, self.home, self.threads, self.cases = arguments, home, threads, cases
        help_text = subprocess.run([arguments.tarn, "train", "--help"], capture_output=True, text=True).stdout
        self.flags = ["--no-cache"] if "--no-cache" in help_text else []
        self.threading = ["--threads", str(threads)] if "--threads" in help_text else []
        self.hello = {"version": subprocess.run([arguments.tarn, "--version"], capture_output=True,
                                                text=True).stdout.split("\n")[0].removeprefix("tarn ")}

    def model(self, case):
        folder = self.home / "cases" / case.name
        path = folder / "model.tarn"
        if not path.exists() or path.read_text() != self.cases.tarn_model(case):
            import numpy as np

            folder.mkdir(parents=True, exist_ok=True)
            x, t = self.cases.data(case)
            np.save(folder / "x.npy", x)
            np.save(folder / "t.npy", t)
            path.write_text(self.cases.tarn_model(case))
        return path

    def train(self, case, flags):
        """Events of a run by name (seconds of all epochs as a list), seconds of the process, its peak memory."""
        command = [self.arguments.tarn, "train", self.model(case), "--json", "-o", self.home / "weights.safetensors"]
        start = time.perf_counter()
        with pinned(self.threads):
            process = subprocess.Popen(command + flags + self.threading, stdout=subprocess.PIPE, text=True)
        output = process.stdout.read()
        status = process.wait()
        elapsed = time.perf_counter() - start
        if status != 0:
            raise RuntimeError("tarn train failed")
        lines = [json.loads(line) for line in output.splitlines()]
        events = {event["event"]: event for event in lines}
        events["epochs"] = [event["seconds"] for event in lines if event["event"] == "epoch"]
        # What the process says itself: the system's count for a child begins with what this process has.
        return events, elapsed, events["trained"]["memory_bytes"]

    def library(self, case):
        model = self.model(case)
        library = model.with_suffix(".so")
        if not library.exists() or library.stat().st_mtime < self.arguments.tarn.stat().st_mtime:
            subprocess.run([self.arguments.tarn, "compile", model, "-o", library, "--functions", "init,pack"],
                           check=True)
        return library

    def ask(self, request):
        if request.get("forget"):
            return {}
        if "train" in request:
            # A process of its own each time, of which the first epoch warms up: peers have had a whole round for that.
            case = self.cases.BY_NAME[request["train"]]
            events, _, memory = self.train(case, [*self.flags, "--set", f"epochs={case.epochs + 1}"])
            return {"seconds": sum(events["epochs"][1:]), "memory": memory}
        case = self.cases.BY_NAME[request["predict"]]
        command = [self.home / "probe", "predict", self.library(case), f"case_{case.name}", str(request["samples"]),
                   "0.15", str(case.inputs), str(case.outputs)]
        with pinned(self.threads):
            done = subprocess.run(command, capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def close(self):
        pass


def has_two_cores(home):
    """Two threads of multiply-adds are nearly twice one: nobody else has the second core, nor do both share one."""
    done = subprocess.run([home / "probe", "cores"], capture_output=True, text=True, check=True)
    return float(done.stdout) >= 1.9


def limits(home):
    done = subprocess.run([home / "probe", "limits"], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
