#!/usr/bin/env python3
"""Writes tests/data/keras/trajectories.json: what the optimizers of Keras 3 do to a small network in 200 steps.

An implementation in NumPy, in double precision, from the formulas in the sources of Keras 3 (keras/src/optimizers),
independent of Tarn: gradients are derived by hand, and every optimizer is written out. The tests hold Tarn's losses
and weights against the file.

    python3 tests/conformance/optimizer_trajectories.py tests/data/keras/trajectories.json
"""
import json
import sys

import numpy as np

STEPS = 200
BATCH, SAMPLES, INPUTS, OUTPUTS = 8, 24, 3, 2
# Batches differ, so that gradients do not vanish: optimizers that divide by their size would amplify rounding errors
# without bound.
X = np.sin(1.7 * np.arange(SAMPLES * INPUTS)).reshape(SAMPLES, INPUTS)
T = np.cos(0.9 * np.arange(SAMPLES * OUTPUTS) ** 1.1).reshape(SAMPLES, OUTPUTS)
KERNEL = np.array([[0.5, -0.3], [0.2, 0.7], [-0.6, 0.1]])
BIAS = np.array([0.1, -0.2])


def loss_and_gradients(x, t, kernel, bias):
    """Mean squared error of tanh(x kernel + bias), and its gradients."""
    y = np.tanh(x @ kernel + bias)
    error = y - t
    slope = 2 * error / error.size * (1 - y * y)
    return np.mean(error * error), [x.T @ slope, slope.sum(axis=0)]


def sgd(lr=0.01, momentum=0.0, nesterov=False):
    def update(w, g, s, t):
        v = s["v"] = momentum * s.get("v", 0.0) - lr * g
        return w + (momentum * v - lr * g if nesterov else v)
    return update


def rmsprop(lr=0.001, rho=0.9, momentum=0.0, epsilon=1e-7, centered=False):
    def update(w, g, s, t):
        s["v"] = rho * s.get("v", 0.0) + (1 - rho) * g * g
        denominator = s["v"] + epsilon
        if centered:
            s["a"] = rho * s.get("a", 0.0) + (1 - rho) * g
            denominator = denominator - s["a"] ** 2
        step = lr * g / np.sqrt(denominator)
        if momentum > 0:
            step = s["m"] = momentum * s.get("m", 0.0) + step
        return w - step
    return update


def adagrad(lr=0.001, initial_accumulator_value=0.1, epsilon=1e-7):
    def update(w, g, s, t):
        s["a"] = s.get("a", initial_accumulator_value) + g * g
        return w - lr * g / np.sqrt(s["a"] + epsilon)
    return update


def adadelta(lr=0.001, rho=0.95, epsilon=1e-7):
    def update(w, g, s, t):
        s["a"] = rho * s.get("a", 0.0) + (1 - rho) * g * g
        delta = -np.sqrt(s.get("d", 0.0) + epsilon) * g / np.sqrt(s["a"] + epsilon)
        s["d"] = rho * s.get("d", 0.0) + (1 - rho) * delta * delta
        return w + lr * delta
    return update


def adam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7, amsgrad=False, weight_decay=0.0):
    def update(w, g, s, t):
        w = w - w * weight_decay * lr
        m = s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1 - beta_1)
        v = s["v"] = s.get("v", 0.0) + (g * g - s.get("v", 0.0)) * (1 - beta_2)
        if amsgrad:
            v = s["top"] = np.maximum(s.get("top", 0.0), v)
        return w - lr * np.sqrt(1 - beta_2**t) / (1 - beta_1**t) * m / (np.sqrt(v) + epsilon)
    return update


def adamax(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    def update(w, g, s, t):
        m = s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1 - beta_1)
        u = s["u"] = np.maximum(beta_2 * s.get("u", 0.0), np.abs(g))
        return w - lr * m / ((1 - beta_1**t) * (u + epsilon))
    return update


def nadam(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    def update(w, g, s, t):
        mu = beta_1 * (1 - 0.5 * 0.96**t)
        mu_next = beta_1 * (1 - 0.5 * 0.96 ** (t + 1))
        product = s["p"] = s.get("p", 1.0) * mu
        m = s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1 - beta_1)
        v = s["v"] = s.get("v", 0.0) + (g * g - s.get("v", 0.0)) * (1 - beta_2)
        m_hat = mu_next * m / (1 - product * mu_next) + (1 - mu) * g / (1 - product)
        return w - m_hat * lr / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
    return update


def ftrl(lr=0.001, power=-0.5, accumulator=0.1, l1=0.0, l2=0.0, shrinkage=0.0, beta=0.0):
    def update(w, g, s, t):
        n, z = s.get("n", accumulator), s.get("z", 0.0)
        strength = l2 + beta / (2 * lr)
        shrunk = g + 2 * shrinkage * w
        n_new = n + g * g
        z = z + shrunk - (n_new ** -power - n ** -power) / lr * w
        s["n"], s["z"] = n_new, z
        return (np.clip(z, -l1, l1) - z) / (n_new ** -power / lr + 2 * strength)
    return update


def lion(lr=0.001, beta_1=0.9, beta_2=0.99):
    def update(w, g, s, t):
        m = s.get("m", 0.0)
        s["m"] = m * beta_2 + g * (1 - beta_2)
        return w - lr * np.sign(m * beta_1 + g * (1 - beta_1))
    return update


def lamb(lr=0.001, beta_1=0.9, beta_2=0.999, epsilon=1e-7):
    def update(w, g, s, t):
        m = s["m"] = s.get("m", 0.0) + (g - s.get("m", 0.0)) * (1 - beta_1)
        v = s["v"] = s.get("v", 0.0) + (g * g - s.get("v", 0.0)) * (1 - beta_2)
        r = m / (1 - beta_1**t) / (np.sqrt(v / (1 - beta_2**t)) + epsilon)
        a, b = np.sqrt(np.sum(w * w)), np.sqrt(np.sum(r * r))
        return w - (a / b if a > 0 and b > 0 else 1.0) * lr * r
    return update


def adafactor(lr=0.001, beta_2_decay=-0.8, epsilon_1=1e-30, epsilon_2=1e-3, clip_threshold=1.0, relative_step=True):
    def root_mean_square(x):
        return np.sqrt(np.mean(x * x))

    def update(w, g, s, t):
        rho = min(lr, 1 / np.sqrt(t)) if relative_step else lr
        alpha = max(epsilon_2, root_mean_square(w)) * rho
        beta = 1 - t**beta_2_decay
        h = g * g + epsilon_1
        if w.ndim >= 2:
            s["r"] = beta * s.get("r", 0.0) + (1 - beta) * h.mean(axis=-1)
            s["c"] = beta * s.get("c", 0.0) + (1 - beta) * h.mean(axis=-2)
            v = np.outer(s["r"], s["c"]) / s["r"].mean()
        else:
            v = s["v"] = beta * s.get("v", 0.0) + (1 - beta) * h
        u = g / np.sqrt(v)
        return w - alpha * u / max(1.0, root_mean_square(u) / clip_threshold)
    return update


def norm(arrays):
    return np.sqrt(sum(np.sum(a * a) for a in arrays))


def run(optimizer, clip=lambda gradients: gradients, decay=0.0, ema=None, accumulate=1, schedule=None):
    """The loss before each step, and the weights after the last. decay: lr times weight_decay; ema: (momentum, every)."""
    weights, slots = [KERNEL.copy(), BIAS.copy()], [{}, {}]
    sums, averages, losses = [0.0, 0.0], [0.0, 0.0], []
    updates = 0
    for batch in range(1, STEPS + 1):
        begin = (batch - 1) * BATCH % SAMPLES
        loss, gradients = loss_and_gradients(X[begin:begin + BATCH], T[begin:begin + BATCH], *weights)
        losses.append(float(loss))
        sums = [s + g for s, g in zip(sums, gradients)]
        if batch % accumulate:
            continue
        gradients = clip([s / accumulate for s in sums])
        sums = [0.0, 0.0]
        update = optimizer if schedule is None else optimizer(schedule(updates))
        updates += 1
        weights = [w - decay * w for w in weights]
        weights = [update(w, g, s, updates) for w, g, s in zip(weights, gradients, slots)]
        if ema:
            keep = ema[0] if updates > 1 else 0.0
            averages = [keep * a + (1 - keep) * w for a, w in zip(averages, weights)]
            if updates % ema[1] == 0:
                weights = list(averages)
    return losses, weights


RUNS = {
    "optimizer sgd(lr = 0.1)": run(sgd(0.1)),
    "optimizer sgd(lr = 0.05, momentum = 0.9)": run(sgd(0.05, 0.9)),
    "optimizer sgd(lr = 0.05, momentum = 0.9, nesterov = true)": run(sgd(0.05, 0.9, True)),
    "optimizer rmsprop": run(rmsprop()),
    "optimizer rmsprop(lr = 0.003, momentum = 0.5)": run(rmsprop(0.003, momentum=0.5)),
    "optimizer rmsprop(lr = 0.002, momentum = 0.5, centered = true)": run(rmsprop(0.002, momentum=0.5, centered=True)),
    "optimizer adagrad(lr = 0.05)": run(adagrad(0.05)),
    "optimizer adadelta(lr = 0.5)": run(adadelta(0.5)),
    "optimizer adam(lr = 0.01)": run(adam(0.01)),
    "optimizer adam(lr = 0.02, amsgrad = true)": run(adam(0.02, amsgrad=True)),
    "optimizer adamw(lr = 0.01)": run(adam(0.01, weight_decay=0.004)),
    "optimizer adamax(lr = 0.01)": run(adamax(0.01)),
    "optimizer nadam(lr = 0.01)": run(nadam(0.01)),
    "optimizer ftrl(lr = 0.1)": run(ftrl(0.1)),
    "optimizer ftrl(lr = 0.2, learning_rate_power = -0.4, l1_regularization_strength = 0.01, "
    "l2_regularization_strength = 0.02, l2_shrinkage_regularization_strength = 0.01, beta = 0.1)": run(ftrl(0.2, -0.4, 0.1, 0.01, 0.02, 0.01, 0.1)),
    "optimizer lion(lr = 0.001)": run(lion(0.001)),
    "optimizer lamb(lr = 0.005)": run(lamb(0.005)),
    "optimizer adafactor(lr = 0.01)": run(adafactor(0.01)),
    "optimizer adafactor(lr = 0.02, relative_step = false, clip_threshold = 0.5)": run(
        adafactor(0.02, relative_step=False, clip_threshold=0.5)),
    "optimizer sgd(lr = 0.5); clip_norm 0.1": run(
        sgd(0.5), clip=lambda gs: [g * min(1, 0.1 / norm([g])) for g in gs]),
    "optimizer sgd(lr = 0.5); clip_global_norm 0.1": run(
        sgd(0.5), clip=lambda gs: [g * min(1, 0.1 / norm(gs)) for g in gs]),
    "optimizer sgd(lr = 0.5); clip_value 0.05": run(
        sgd(0.5), clip=lambda gs: [np.clip(g, -0.05, 0.05) for g in gs]),
    "optimizer sgd(lr = 0.1); weight_decay 0.01": run(sgd(0.1), decay=0.001),
    "optimizer sgd(lr = 0.1); ema(0.9, overwrite_every = 7)": run(sgd(0.1), ema=(0.9, 7)),
    "optimizer adam(lr = 0.02); accumulate 3": run(adam(0.02), accumulate=3),
    "optimizer sgd(lr = exponential_decay(step, 0.2, 10, 0.9)); accumulate 4": run(
        sgd, accumulate=4, schedule=lambda s: 0.2 * 0.9 ** (s / 10)),
    "optimizer sgd(lr = cosine_decay(step, 0.2, 150))": run(
        sgd, schedule=lambda s: 0.2 * 0.5 * (1 + np.cos(np.pi * min(s, 150) / 150))),
}


def main():
    result = {
        "x": X.ravel().tolist(), "t": T.ravel().tolist(), "kernel": KERNEL.tolist(), "bias": BIAS.tolist(),
        "runs": [
            {"train": train, "losses": losses, "kernel": weights[0].ravel().tolist(), "bias": weights[1].tolist()}
            for train, (losses, weights) in RUNS.items()
        ],
    }
    with open(sys.argv[1], "w") as file:
        json.dump(result, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
