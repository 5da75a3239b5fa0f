#!/usr/bin/env python3
"""Writes tests/data/keras/layers_run.json: layers, regularizers and constraints of Keras 3, run in double precision.

Needs keras with its numpy backend (pip install keras scipy 'jax[cpu]'). Inputs and weights are drawn from a fixed
seed; the cases have the form of layers.json.
"""
import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "numpy"

import keras
import numpy as np
from keras import constraints, layers, regularizers

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
# Keras narrows what comes of double precision to single: not here.
keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
OUT = pathlib.Path(__file__).resolve().parent.parent / "data" / "keras" / "layers_run.json"
random = np.random.default_rng(20)
cases = []


def array(values):
    values = np.asarray(values)
    dtype = "int32" if values.dtype.kind == "i" else "bool" if values.dtype.kind == "b" else "float64"
    return {"dtype": dtype, "shape": list(values.shape), "data": [float(v) for v in values.ravel()]}


def draw(*shape):
    return np.round(random.normal(size=shape), 3)


def run(thing, name, config, inputs, kwargs=None, adapt=None, states=(), defaults=None):
    """One case: `thing` is called with the inputs after its weights were replaced by drawn ones."""
    prior = []
    if adapt is not None:
        thing.adapt(adapt)
        prior.append({"op": "adapt", "args": [array(adapt)], "kwargs": {}})
    elif isinstance(thing, layers.Layer):
        thing.build([i.shape for i in inputs] if isinstance(inputs, list) else inputs.shape)
        weights = [np.abs(draw(*w.shape)) + 0.1 if "variance" in w.path else draw(*w.shape) for w in thing.weights if "seed" not in w.path]
        if weights:
            thing.set_weights(weights + [w for w in thing.get_weights()[len(weights):]])
            prior.append({"op": "set_weights", "args": [[array(w) for w in weights]], "kwargs": {}})
    result = np.asarray(thing(inputs, **(kwargs or {})))
    case = {
        "test": f"{name}({', '.join(f'{k}={v}' for k, v in config.items())})[{len(cases)}]",
        "layer": name,
        "config": config,
        "defaults": defaults or {},
        "prior_calls": prior,
        "method": "__call__",
        "args": [[array(i) for i in inputs] if isinstance(inputs, list) else array(inputs)],
        "kwargs": {k: array(v) if isinstance(v, np.ndarray) else v for k, v in (kwargs or {}).items()},
        "result_index": [],
        "expected": result.tolist(),
        "tolerance": {"abs": 1e-5, "rel": 1e-5},
    }
    if states:
        case["states"] = {state: np.asarray(getattr(thing, keras_name)).tolist() for state, keras_name in states}
    cases.append(case)


def layer(name, inputs, kwargs=None, **config):
    adapt = config.pop("adapt_to", None)
    states = config.pop("states", ())
    thing = getattr(layers, name)(**config)
    defaults = {k: v for k, v in thing.get_config().items() if k in ("negative_slope", "axis", "dims")}
    run(thing, name, config, inputs, kwargs, adapt, states, {k: v for k, v in defaults.items() if k not in config and name != "Softmax"})


for activation in (None, "relu", "tanh", "softmax", "elu", "selu", "gelu", "silu", "softplus", "hard_sigmoid", "mish", "log_softmax"):
    config = {} if activation is None else {"activation": activation}
    layer("Dense", draw(3, 4), units=5, **config)
layer("Dense", draw(2, 3, 4), units=2, use_bias=False)
layer("Dense", draw(2, 3, 2, 4), units=3, activation="sigmoid")
layer("Embedding", random.integers(0, 6, size=(3, 4)), input_dim=6, output_dim=3)
layer("Embedding", random.integers(0, 6, size=(5,)), input_dim=6, output_dim=2)

for shape, axis in (((4, 5), -1), ((3, 4, 5), -1), ((3, 4, 5), 1), ((3, 4, 5), [1, 2]), ((2, 3, 4, 5), [1, 3]), ((2, 3, 4, 5), -2)):
    layer("LayerNormalization", draw(*shape), axis=axis)
layer("LayerNormalization", draw(3, 4), epsilon=0.1, center=False)
layer("LayerNormalization", draw(3, 4), scale=False)
for shape, groups, axis in (((2, 6), 3, -1), ((2, 5, 6), 2, -1), ((2, 4, 3), 2, 1), ((2, 3, 4, 6), -1, -1), ((2, 6, 2, 3), 3, 1), ((2, 4, 6), 1, 2)):
    layer("GroupNormalization", draw(*shape), groups=groups, axis=axis)
layer("GroupNormalization", draw(2, 5, 6), groups=3, epsilon=0.2, center=False)
layer("GroupNormalization", draw(2, 5, 6), groups=3, scale=False)
for shape, axis in (((3, 4), -1), ((3, 4, 5), -1)):
    layer("RMSNormalization", draw(*shape), axis=axis)
layer("RMSNormalization", draw(3, 4), epsilon=0.5)
for shape, axis in (((3, 4), -1), ((3, 4, 5), 1), ((3, 4, 5), [1, 2])):
    layer("UnitNormalization", draw(*shape), axis=axis)

MOVING = (("moving_mean", "moving_mean"), ("moving_var", "moving_variance"))
for shape, axis in (((6, 3), -1), ((4, 2, 3), -1), ((4, 2, 3), 1), ((3, 2, 2, 3), 2)):
    layer("BatchNormalization", draw(*shape), axis=axis)
    layer("BatchNormalization", draw(*shape), {"training": True}, axis=axis, states=MOVING)
layer("BatchNormalization", draw(6, 3), {"training": True}, momentum=0.7, epsilon=0.1, center=False, states=MOVING)
layer("BatchNormalization", draw(6, 3), {"training": True}, scale=False, states=MOVING)
layer("BatchNormalization", draw(4, 3, 2), {"training": True, "mask": random.random((4, 3)) > 0.4}, momentum=0.5, states=MOVING)
layer("BatchNormalization", draw(6, 2), {"training": True, "mask": random.random(6) > 0.4}, momentum=0.5, states=MOVING)

for axis in (-1, 1, None):
    layer("Normalization", draw(3, 4, 2), adapt_to=5 + 3 * draw(10, 4, 2), axis=axis)
layer("Normalization", draw(3, 4), adapt_to=5 + 3 * draw(70, 4), invert=True)
layer("Normalization", draw(3, 4), mean=2.0, variance=4.0)
layer("Normalization", draw(3, 2), mean=[2.0, -1.0], variance=[4.0, 9.0], axis=-1)
layer("Normalization", draw(3, 2), mean=[2.0, -1.0], variance=[4.0, 0.0], axis=-1, invert=True)

layer("Rescaling", draw(3, 4), scale=0.5, offset=-1.0)
layer("Rescaling", draw(3, 4), scale=3.0)
layer("Flatten", draw(2, 3, 4))
layer("Flatten", draw(2, 3))
layer("Reshape", draw(2, 3, 4), target_shape=[6, 2])
layer("Reshape", draw(2, 3, 4), target_shape=[2, -1])
layer("Permute", draw(2, 3, 4, 5), dims=[3, 1, 2])
layer("RepeatVector", draw(2, 3), n=4)
layer("ActivityRegularization", draw(2, 3), l1=0.1, l2=0.2)
for name in ("Dropout", "GaussianDropout", "AlphaDropout", "SpatialDropout1D"):
    layer(name, draw(2, 3, 4), rate=0.4)
layer("GaussianNoise", draw(2, 3), stddev=0.4)
layer("Dropout", draw(2, 3, 4), {"training": True}, rate=0.0)

for name in ("Add", "Multiply", "Average", "Maximum", "Minimum"):
    layer(name, [draw(2, 3, 4), draw(2, 3, 4)])
    layer(name, [draw(2, 3, 4), draw(2, 1, 4), draw(2, 3, 1)])
    layer(name, [draw(2, 4), draw(2, 3, 4), draw(2, 1), draw(2, 4)])
layer("Subtract", [draw(2, 3, 4), draw(2, 3, 4)])
layer("Subtract", [draw(2, 4), draw(2, 3, 4)])
layer("Concatenate", [draw(2, 3, 4), draw(2, 3, 2), draw(2, 3, 1)])
layer("Concatenate", [draw(2, 3, 4), draw(2, 2, 4)], axis=1)
layer("Concatenate", [draw(2, 3), draw(2, 4)], axis=-1)
for shapes, axes in (([(3, 4), (3, 4)], 1), ([(3, 4), (3, 4)], -1), ([(3, 2, 4), (3, 4)], [2, 1]), ([(3, 2, 4), (3, 5, 4)], 2), ([(3, 2, 4), (3, 4, 5)], [2, 1]), ([(3, 4), (3, 4, 5)], 1)):
    for normalize in (False, True):
        layer("Dot", [draw(*shapes[0]), draw(*shapes[1])], axes=axes, normalize=normalize)

layer("ReLU", 3 * draw(4, 5), max_value=2.0, negative_slope=0.1, threshold=0.5)
layer("ReLU", 3 * draw(4, 5), threshold=1.0)
layer("LeakyReLU", draw(4, 5))
layer("LeakyReLU", draw(4, 5), negative_slope=0.05)
layer("ELU", draw(4, 5), alpha=0.3)
layer("PReLU", draw(4, 5))
layer("PReLU", draw(4, 5, 3), shared_axes=[1])
layer("PReLU", draw(4, 5, 3), shared_axes=[1, 2])
layer("Softmax", draw(3, 4, 5))
layer("Softmax", draw(3, 4, 5), axis=1)
layer("Softmax", draw(3, 4, 5), axis=(1, 2))
layer("Softmax", draw(3, 4), {"mask": np.array([[True, False, True, True]] * 3)})

for shape, axis in (((4, 5), -1), ((3, 4, 5), [1, 2]), ((2, 3, 4, 5), -2)):
    layer("LayerNormalization", draw(*shape), axis=axis, rms_scaling=True)
layer("LayerNormalization", draw(3, 4, 5), axis=[-2, -1])
layer("LayerNormalization", draw(3, 4), center=False, scale=False)
for shape, groups, axis in (((2, 6), 6, -1), ((2, 6, 3), 2, -2), ((2, 4, 2, 6), 3, -1)):
    layer("GroupNormalization", draw(*shape), groups=groups, axis=axis)
layer("GroupNormalization", draw(2, 5, 6), groups=3, center=False, scale=False)
layer("RMSNormalization", draw(3, 4, 5), axis=-1, epsilon=0.01)
for shape, axis in (((3, 4, 5), -2), ((3, 4, 5), [-1, -2]), ((3, 2, 2, 4), 3)):
    layer("UnitNormalization", draw(*shape), axis=axis)
for shape, axis in (((5, 2, 3), -2), ((3, 2, 2, 3), -3)):
    layer("BatchNormalization", draw(*shape), {"training": True}, axis=axis, momentum=0.9, states=MOVING)
layer("BatchNormalization", draw(6, 3), {"training": True}, center=False, scale=False, states=MOVING)
for axis in (-2, [1, 2], [-1, 1]):
    layer("Normalization", draw(3, 4, 2), adapt_to=2 * draw(9, 4, 2) - 1, axis=axis)
layer("Normalization", draw(3, 4, 2), adapt_to=2 * draw(9, 4, 2) - 1, axis=-1, invert=True)
layer("Flatten", draw(2, 3, 2, 2))
layer("Reshape", draw(2, 3, 4), target_shape=[12])
layer("Permute", draw(2, 3, 4), dims=[2, 1])
layer("Rescaling", draw(2, 3, 4), scale=-2.0, offset=0.25)
layer("Embedding", random.integers(0, 6, size=(3, 2, 2)), input_dim=6, output_dim=2)
layer("Concatenate", [draw(2, 3, 4), draw(2, 3, 4)], axis=-2)
layer("Dot", [draw(3, 2, 4), draw(3, 5, 4)], axes=-1)
layer("Dot", [draw(3, 2, 4), draw(3, 4, 5)], axes=[-1, -2])
layer("Softmax", draw(3, 4, 5), axis=-2)
layer("Softmax", draw(2, 3, 4, 5), axis=-1)
layer("PReLU", draw(4, 5, 3, 2), shared_axes=[1, 3])
layer("ELU", draw(4, 5))
layer("Dense", draw(2, 3, 4), units=2, activation="leaky_relu")

kernel = draw(4, 3)
for name, config in (("L1", {"l1": 0.3}), ("L2", {"l2": 0.3}), ("L1L2", {"l1": 0.2, "l2": 0.1}), ("L1L2", {"l1": 0.0, "l2": 0.1}),
                     ("OrthogonalRegularizer", {"factor": 0.2, "mode": "rows"})):
    run(getattr(regularizers, name)(**config), name, config, kernel)
for name, config in (("MaxNorm", {"max_value": 1.2, "axis": 0}), ("MaxNorm", {"max_value": 0.7, "axis": 1}), ("UnitNorm", {"axis": 0}), ("UnitNorm", {"axis": [0, 1]}), ("NonNeg", {}),
                     ("MinMaxNorm", {"min_value": 0.8, "max_value": 1.1, "rate": 1.0, "axis": 0}), ("MinMaxNorm", {"min_value": 0.8, "max_value": 1.1, "rate": 0.3, "axis": 1})):
    run(getattr(constraints, name)(**config), name, config, kernel)

OUT.write_text(json.dumps(cases, separators=(",", ":")).replace('{"test"', '\n{"test"') + "\n", encoding="utf-8")
print(f"{len(cases)} cases of Keras {keras.__version__}")
