"""One peer in a process of its own: answers requests, a line of JSON each, about cases.py.

    worker.py PEER THREADS          PEER: torch, torch_compile, jax, keras, onnxruntime

{"train": "c"} -> {"seconds": ...}: one measurement of training, data already in memory; the first request for a case
builds and warms up, unmeasured. {"predict": "c", "samples": 64} -> {"seconds": ...}: one call.
{"forget": true} drops what is kept. Whatever goes wrong is {"error": "..."}.

    worker.py torch THREADS once CASE WEIGHTS       a whole process: trains the case, writes the weights
"""

import json
import os
import sys
import time

import numpy as np

import cases

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


class Torch:
    def __init__(self, threads, compiled):
        import torch

        self.torch = torch
        self.compiled = compiled
        torch.set_num_threads(threads)

    def version(self):
        return self.torch.__version__

    def network(self, case, with_last=True):
        nn = self.torch.nn
        activations = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(dim=1)}
        modules, width = [], case.inputs
        for i, (units, activation) in enumerate(case.layers):
            modules.append(nn.Linear(width, units))
            last = i + 1 == len(case.layers)
            if activation != "linear" and (with_last or not last or activation == "tanh"):
                modules.append(activations[activation]())
            width = units
        return nn.Sequential(*modules)

    def loss(self, case):
        nn = self.torch.nn.functional
        return {
            "hinge": lambda y, t: self.torch.relu(1 - y * t).mean(),
            "categorical_crossentropy": nn.cross_entropy,
            "binary_crossentropy": nn.binary_cross_entropy_with_logits,
            "mean_squared_error": nn.mse_loss,
        }[case.loss]

    def optimizer(self, case, parameters):
        optim = self.torch.optim
        fused = {"fused": True} if self.compiled else {}
        if case.optimizer == "adam":
            return optim.Adam(parameters, lr=case.rate, eps=1e-7, **fused)
        return optim.SGD(parameters, lr=case.rate, momentum=0.9 if case.optimizer == "momentum" else 0, **fused)

    def once(self, case, path):
        model, epochs = self.prepare(case)
        epochs(case.epochs)
        self.torch.save(model.state_dict(), path)

    def prepare(self, case):
        """The network, and a function that trains it for so many epochs, or batches at most."""
        torch = self.torch
        x, t = (torch.from_numpy(array) for array in cases.data(case))
        # Losses take logits, as the peer's own documentation advises.
        model = self.network(case, with_last=False)
        loss, optimizer = self.loss(case), self.optimizer(case, model.parameters())

        def value(batch_x, batch_t):
            return loss(model(batch_x), batch_t)

        if self.compiled:
            value = torch.compile(value)

        def epochs(count, limit=None):
            for _ in range(count):
                order = torch.randperm(case.samples)
                for number, rows in enumerate(order.split(case.batch)):
                    optimizer.zero_grad()
                    value(x[rows], t[rows]).backward()
                    optimizer.step()
                    if number == limit:
                        return

        return model, epochs

    def trainer(self, case):
        _, epochs = self.prepare(case)
        epochs(1, None if case.samples <= 4096 else 20)
        return lambda: epochs(case.epochs)

    def predictor(self, case, samples):
        torch = self.torch
        model = self.network(case).eval()
        if self.compiled:
            model = torch.compile(model)
        x = torch.rand(samples, case.inputs)

        def call():
            with torch.inference_mode():
                return model(x)

        return call


class Jax:
    def __init__(self, threads):
        # One thread is asked for by taskset; XLA has no other switch that holds everywhere.
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=" + ("true" if threads > 1 else "false")
        import jax

        self.jax = jax

    def version(self):
        return self.jax.__version__

    def apply(self, case, parameters, x, logits):
        jax = self.jax
        functions = {"linear": lambda v: v, "tanh": jax.numpy.tanh, "relu": jax.nn.relu, "softmax": jax.nn.softmax,
                     "sigmoid": jax.nn.sigmoid}
        for i, ((_, activation), (w, b)) in enumerate(zip(case.layers, parameters)):
            x = x @ w + b
            if not (logits and i + 1 == len(case.layers) and activation in ("softmax", "sigmoid")):
                x = functions[activation](x)
        return x

    def loss(self, case, y, t):
        jnp, nn = self.jax.numpy, self.jax.nn
        if case.loss == "hinge":
            return nn.relu(1 - y * t).mean()
        if case.loss == "categorical_crossentropy":
            return -(t * nn.log_softmax(y)).sum(axis=1).mean()
        if case.loss == "binary_crossentropy":
            return (nn.softplus(y) - t * y).mean()
        return ((y - t) ** 2).mean()

    def parameters(self, case):
        rng = np.random.default_rng(0)
        return [(self.jax.numpy.asarray(rng.standard_normal((a, b), dtype=np.float32) / np.sqrt(a)),
                 self.jax.numpy.zeros(b)) for a, b in zip(case.sizes, case.sizes[1:])]

    def update(self, case, parameters, slots, gradients, step):
        tree, jnp = self.jax.tree_util.tree_map, self.jax.numpy
        if case.optimizer == "adam":
            m = tree(lambda s, g: 0.9 * s + 0.1 * g, slots[0], gradients)
            v = tree(lambda s, g: 0.999 * s + 0.001 * g * g, slots[1], gradients)
            rate = case.rate * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
            return tree(lambda w, a, b: w - rate * a / (jnp.sqrt(b) + 1e-7), parameters, m, v), (m, v)
        if case.optimizer == "momentum":
            m = tree(lambda s, g: 0.9 * s - case.rate * g, slots[0], gradients)
            return tree(lambda w, a: w + a, parameters, m), (m,)
        return tree(lambda w, g: w - case.rate * g, parameters, gradients), ()

    def trainer(self, case):
        jax, jnp = self.jax, self.jax.numpy
        x, t = (jnp.asarray(array) for array in cases.data(case))
        whole = case.samples // case.batch

        def step(carry, rows):
            parameters, slots, number = carry
            gradients = jax.grad(lambda p: self.loss(case, self.apply(case, p, x[rows], True), t[rows]))(parameters)
            parameters, slots = self.update(case, parameters, slots, gradients, number)
            return (parameters, slots, number + 1), None

        def epoch(carry, key):
            order = jax.random.permutation(key, case.samples)
            carry, _ = jax.lax.scan(step, carry, order[: whole * case.batch].reshape(whole, case.batch))
            if case.samples % case.batch:
                carry, _ = step(carry, order[whole * case.batch:])
            return carry, None

        # One call for all epochs of a measurement.
        run = jax.jit(lambda carry, keys: jax.lax.scan(epoch, carry, keys)[0])
        parameters = self.parameters(case)
        zeros = jax.tree_util.tree_map(jnp.zeros_like, parameters)
        slots = {"adam": (zeros, zeros), "momentum": (zeros,), "sgd": ()}[case.optimizer]
        start = (parameters, slots, jnp.float32(1))
        keys = jax.random.split(jax.random.key(0), case.epochs)
        call = lambda: jax.block_until_ready(run(start, keys))
        call()
        return call

    def predictor(self, case, samples):
        jax = self.jax
        parameters = self.parameters(case)
        x = jax.numpy.asarray(np.random.default_rng(0).random((samples, case.inputs), dtype=np.float32))
        run = jax.jit(lambda p, v: self.apply(case, p, v, False))
        return lambda: jax.block_until_ready(run(parameters, x))


class Keras:
    def __init__(self, threads):
        os.environ["KERAS_BACKEND"] = "jax"
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=" + ("true" if threads > 1 else "false")
        import keras

        self.keras = keras

    def version(self):
        return self.keras.__version__ + " on JAX"

    def network(self, case):
        keras = self.keras
        model = keras.Sequential([keras.layers.Input((case.inputs,))] +
                                 [keras.layers.Dense(units, activation) for units, activation in case.layers])
        optimizer = (keras.optimizers.Adam(case.rate) if case.optimizer == "adam" else
                     keras.optimizers.SGD(case.rate, momentum=0.9 if case.optimizer == "momentum" else 0.0))
        model.compile(optimizer=optimizer, loss=case.loss)
        return model

    def trainer(self, case):
        x, t = cases.data(case)
        model = self.network(case)
        model.fit(x[: case.batch * 2], t[: case.batch * 2], batch_size=case.batch, verbose=0)
        if case.samples % case.batch:
            last = case.samples % case.batch
            model.fit(x[:last], t[:last], batch_size=case.batch, verbose=0)
        return lambda: model.fit(x, t, batch_size=case.batch, epochs=case.epochs, verbose=0)

    def predictor(self, case, samples):
        model = self.network(case)
        x = np.random.default_rng(0).random((samples, case.inputs), dtype=np.float32)
        return lambda: np.asarray(model(x))


class OnnxRuntime:
    def __init__(self, threads):
        import onnxruntime

        self.ort = onnxruntime
        self.threads = threads

    def version(self):
        return self.ort.__version__

    def trainer(self, case):
        raise NotImplementedError("does not train")

    def predictor(self, case, samples):
        import onnx
        from onnx import helper, numpy_helper

        rng = np.random.default_rng(0)
        nodes, weights, at = [], [], "x"
        operations = {"tanh": "Tanh", "relu": "Relu", "softmax": "Softmax", "sigmoid": "Sigmoid"}
        for i, (a, b) in enumerate(zip(case.sizes, case.sizes[1:])):
            kernel = rng.standard_normal((a, b), dtype=np.float32) / np.float32(np.sqrt(a))
            weights += [numpy_helper.from_array(kernel, f"w{i}"),
                        numpy_helper.from_array(np.zeros(b, np.float32), f"b{i}")]
            nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], [f"h{i}"]))
            at = f"h{i}"
            if case.layers[i][1] != "linear":
                nodes.append(helper.make_node(operations[case.layers[i][1]], [at], [f"y{i}"]))
                at = f"y{i}"
        of = lambda name, width: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [samples, width])
        graph = helper.make_graph(nodes, "case", [of("x", case.inputs)], [of(at, case.outputs)], weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        options = self.ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = self.ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        # Bound buffers: the fastest way that its Python interface has.
        x = rng.random((samples, case.inputs), dtype=np.float32)
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output(at, "cpu")
        return lambda: session.run_with_iobinding(binding)


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
    case = cases.BY_NAME[request.get("train") or request.get("predict")]
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
