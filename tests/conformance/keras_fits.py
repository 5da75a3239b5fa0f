#!/usr/bin/env python3
"""Writes tests/data/keras/fits_run.json: runs of `fit` of Keras 3 in double precision, and the same as model files of Tarn.

Needs keras with JAX (pip install keras 'jax[cpu]'). Data and weights are drawn from a fixed seed; rows are not shuffled. A case has the
files that Tarn reads, the options of `tarn train`, Keras's history and the weights it ends with.
"""
import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "jax"
os.environ["JAX_ENABLE_X64"] = "1"

import keras
import numpy as np
from keras import callbacks, layers, losses, metrics, optimizers

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
# Keras narrows what comes of double precision to single with JAX: not here.
keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "keras" / "fits_run.json"
random = np.random.default_rng(31)
cases = []


def draw(*shape):
    return np.round(random.normal(size=shape), 3)


def text(values):
    """A literal array."""
    values = np.asarray(values)
    return "[" + ", ".join(text(v) for v in values) + "]" if values.ndim else repr(float(values))


def table(**columns):
    """A CSV file: x of two axes becomes x0, x1, …."""
    names, parts = [], []
    for name, values in columns.items():
        values = np.asarray(values)
        wide = values.reshape(len(values), -1)
        names += [name if values.ndim == 1 else f"{name}{i}" for i in range(wide.shape[1])]
        parts.append([[repr(v) for v in row] for row in wide.tolist()])
    rows = [",".join(sum(row, [])) for row in zip(*parts)]
    return "\n".join([",".join(names)] + rows) + "\n"


def case(name, model, tarn, files, fit, compile, weights=(), options="", rename=None, expect=None):
    """Keras's `model` is compiled and fitted; `weights` are names of Tarn's tensors in the order of model.weights."""
    model.compile(**compile)
    history = model.fit(**{"shuffle": False, "verbose": 0, **fit}).history
    rename = rename or {}
    history = {rename.get(key, key): [float(v) for v in values] for key, values in history.items() if key not in ("lr", "learning_rate")}
    ends = dict(zip(weights, [np.asarray(w).ravel().tolist() for w in model.get_weights()], strict=True)) if weights else {}
    cases.append({"test": name, "files": {"m.tarn": tarn, **files}, "options": options, "history": history, "weights": ends})
    print(f"{name}: {len(history['loss'])} epochs")


def sequential(inputs, *parts):
    model = keras.Sequential([keras.Input((inputs,)), *parts])
    return model


# ------------------------------------------------------------------------------------------------------------- frozen layers

def frozen(name, tarn_freeze, trainable):
    x, t, k, second = draw(10, 3), draw(10, 1), draw(3, 4), draw(4, 1)
    norm = layers.BatchNormalization(momentum=0.8)
    norm.trainable = "norm" in trainable
    first, last = layers.Dense(4), layers.Dense(1)
    first.trainable = "first" in trainable
    model = sequential(3, first, norm, last)
    gamma, beta, mean, variance = draw(4), draw(4), draw(4), np.abs(draw(4)) + 0.2
    first.set_weights([k, np.zeros(4)])
    norm.set_weights([gamma, beta, mean, variance])
    last.set_weights([second, np.zeros(1)])
    names = {"first": ["first.kernel", "first.bias"], "norm": ["norm.gamma", "norm.beta"], "last": ["last.kernel", "last.bias"]}
    moving = ["norm.moving_mean", "norm.moving_var"]
    case(
        name,
        model,
        f"""model m {{
  input x[3]
  first = dense(4, kernel_init = {text(k)})
  norm = batch_norm(momentum = 0.8, gamma_init = {text(gamma)}, beta_init = {text(beta)}, moving_mean_init = {text(mean)}, moving_var_init = {text(variance)})
  last = dense(1, kernel_init = {text(second)})
  output y = x |> first |> norm |> last
}}
train {{
  target t[1]
  loss mse(y, t)
  optimizer sgd(lr = 0.05)
  batch 4
  epochs 3
  shuffle false
  validation_split 0.2
{tarn_freeze}}}
data {{
  csv "data.csv"
  x = columns("x0".."x2")
  t = column("t0")
}}
""",
        {"data.csv": table(x=x, t=t)},
        dict(x=x, y=t, batch_size=4, epochs=3, validation_split=0.2),
        dict(optimizer=optimizers.SGD(0.05), loss="mse"),
        # model.get_weights() has a layer's weights together, in the order of the layers.
        names["first"] + names["norm"] + moving + names["last"],
    )


frozen("nothing is frozen", "", ("first", "norm"))
frozen("a frozen batch normalization", "  freeze norm\n", ("first",))
frozen("a frozen layer before it", "  freeze first\n", ("norm",))
frozen("both", "  freeze first, norm\n", ())

OUT.write_text(json.dumps(cases, separators=(",", ":")).replace('{"test"', '\n{"test"') + "\n", encoding="utf-8")
print(f"{len(cases)} runs of Keras {keras.__version__}")
