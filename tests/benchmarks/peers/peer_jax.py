"""JAX: all epochs of a measurement are one jitted call."""

import os

import numpy as np

import cases
from layers import BatchNorm, Conv, Dense, Flatten, Gated, MaxPool, draw


class Jax:
    def __init__(self, threads):
        # One thread is asked for by taskset; XLA has no other switch that holds everywhere.
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=" + ("true" if threads > 1 else "false")
        import jax

        self.jax = jax

    def version(self):
        return self.jax.__version__

    def convolution(self, x, kernel, padding, dilation=1):
        axes = {3: ("NWC", "WIO", "NWC"), 4: ("NHWC", "HWIO", "NHWC")}[x.ndim]
        ones = (1,) * (x.ndim - 2)
        return self.jax.lax.conv_general_dilated(x, kernel, ones, padding, rhs_dilation=[dilation * n for n in ones],
                                                 dimension_numbers=axes)

    def normalized(self, x, weights, running, training):
        """And what the running means become."""
        if training:
            mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
            new = [0.9 * old + 0.1 * now for old, now in zip(running, (mean, var))]
        else:
            (mean, var), new = running, running
        return (x - mean) * (weights["gamma"] * self.jax.lax.rsqrt(var + 1e-5)) + weights["beta"], new

    def gated(self, x, weights, dilation):
        jax, jnp = self.jax, self.jax.numpy
        halves = self.convolution(x, weights["conv1d_1.kernel"], [(dilation, 0)], dilation) + weights["conv1d_1.bias"]
        a, b = jnp.split(halves, 2, -1)
        return x + self.convolution(jnp.tanh(a) * jax.nn.sigmoid(b), weights["conv1d_2.kernel"], "VALID") + weights[
            "conv1d_2.bias"]

    def apply(self, case, parameters, running, x, training):
        """Results, as logits in training, and what the running means become, by layer."""
        jax = self.jax
        functions = {"linear": lambda v: v, "tanh": jax.numpy.tanh, "relu": jax.nn.relu, "softmax": jax.nn.softmax,
                     "sigmoid": jax.nn.sigmoid}
        running = list(running)
        for i, (layer, weights) in enumerate(zip(case.layers, parameters)):
            if isinstance(layer, Dense):
                x = x @ weights["kernel"] + weights["bias"]
            elif isinstance(layer, Conv):
                x = self.convolution(x, weights["kernel"], "SAME" if layer.same else "VALID") + weights.get("bias", 0)
            elif isinstance(layer, MaxPool):
                x = jax.lax.reduce_window(x, -jax.numpy.inf, jax.lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")
            elif isinstance(layer, BatchNorm):
                x, running[i] = self.normalized(x, weights, running[i], training)
            elif isinstance(layer, Gated):
                x = self.gated(x, weights, layer.dilation)
            elif isinstance(layer, Flatten):
                x = x.reshape(len(x), -1)
            if not (training and i + 1 == len(case.layers) and layer.activation in ("softmax", "sigmoid")):
                x = functions[layer.activation](x)
        return x, running

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
        """Weights by layer, and the running mean and variance of those that have them."""
        rng, jnp = np.random.default_rng(0), self.jax.numpy
        pairs = list(zip(case.layers, case.shapes))
        weights = [{name: jnp.asarray(value) for name, value in draw(layer.weights(shape), rng).items()}
                   for layer, shape in pairs]
        return weights, [[jnp.zeros(shape[-1]), jnp.ones(shape[-1])] if isinstance(layer, BatchNorm) else []
                         for layer, shape in pairs]

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
            parameters, running, slots, number = carry

            def value(p):
                y, means = self.apply(case, p, running, x[rows], True)
                return self.loss(case, y, t[rows]), means

            gradients, running = jax.grad(value, has_aux=True)(parameters)
            parameters, slots = self.update(case, parameters, slots, gradients, number)
            return (parameters, running, slots, number + 1), None

        def epoch(carry, key):
            order = jax.random.permutation(key, case.samples)
            carry, _ = jax.lax.scan(step, carry, order[: whole * case.batch].reshape(whole, case.batch))
            if case.samples % case.batch:
                carry, _ = step(carry, order[whole * case.batch:])
            return carry, None

        # One call for all epochs of a measurement.
        run = jax.jit(lambda carry, keys: jax.lax.scan(epoch, carry, keys)[0])
        parameters, running = self.parameters(case)
        zeros = jax.tree_util.tree_map(jnp.zeros_like, parameters)
        slots = {"adam": (zeros, zeros), "momentum": (zeros,), "sgd": ()}[case.optimizer]
        start = (parameters, running, slots, jnp.float32(1))
        keys = jax.random.split(jax.random.key(0), case.epochs)
        call = lambda: jax.block_until_ready(run(start, keys))
        call()
        return call

    def predictor(self, case, samples):
        jax = self.jax
        parameters, running = self.parameters(case)
        x = jax.numpy.asarray(np.random.default_rng(0).random((samples, *case.shape), dtype=np.float32))
        run = jax.jit(lambda p, r, v: self.apply(case, p, r, v, False)[0])
        return lambda: jax.block_until_ready(run(parameters, running, x))
