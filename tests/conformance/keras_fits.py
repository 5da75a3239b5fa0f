#!/usr/bin/env python3
"""Writes tests/data/keras/fits_run.json: runs of `fit` of Keras 3 in double precision, and the same as model files of
Tarn.

Needs keras with JAX (pip install keras 'jax[cpu]'). Data and weights are drawn from a fixed seed; rows are not
shuffled. A case has the files that Tarn reads, the options of `tarn train`, Keras's history and the weights it ends
with.
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


# ------------------------------------------------------------------------------------------------------- frozen layers

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

# ------------------------------------------------------------------------------------------ a small network in general

def network(outputs, activation, hidden=5, seed=None):
    """A hidden layer and one of `outputs`, and the same in Tarn, for three inputs."""
    k, second, b = draw(3, hidden), draw(hidden, outputs), draw(outputs)
    model = sequential(3, layers.Dense(hidden, "tanh"), layers.Dense(outputs, activation))
    model.layers[0].set_weights([k, np.zeros(hidden)])
    model.layers[1].set_weights([second, b])
    tarn = f"""model m {{
  input x[3]
  output y = x |> dense({hidden}, tanh, kernel_init = {text(k)}) |> dense({outputs}, {activation}, kernel_init = {text(second)}, bias_init = {text(b)})
}}
"""
    return model, tarn


NAMES = ("dense_1.kernel", "dense_1.bias", "dense_2.kernel", "dense_2.bias")


def run(name, outputs, activation, loss, keras_loss, t, train, fit=None, keras_metrics=(), weighted_metrics=None, optimizer=None, data="", target=None, targets=None,
        options="", epochs=6, batch=4, validation=None, rename=None, more=None):
    """`t`: targets; `train`: further lines of the train block; `data`: of the data block; `validation`: rows of a file of their own."""
    rows = len(t)
    x = draw(rows, 3)
    model, tarn = network(outputs, activation)
    columns = {"x": x, "t": t, **(more or {})}
    files = {"data.csv": table(**columns)}
    fit = dict(x=x, y=t, batch_size=batch, epochs=epochs, **(fit or {}))
    if validation is not None:
        vx, vt = draw(len(validation), 3), validation
        files["validation.csv"] = table(x=vx, t=vt)
        fit["validation_data"] = (vx, vt)
    width = 1 if np.ndim(t) == 1 else t.shape[1]
    source = "t" if np.ndim(t) == 1 else f'"t0".."t{width - 1}"'
    tarn += f"""train {{
  target t{target if target is not None else f"[{width}]"}
  loss {loss}
  optimizer {optimizer[0] if optimizer else "sgd(lr = 0.2)"}
  batch {batch}
  epochs {epochs}
  shuffle false
{train}}}
data {{
  csv "data.csv"
  x = columns("x0".."x2")
  t = {targets or ("column" if np.ndim(t) == 1 else "columns") + "(" + (chr(34) + source + chr(34) if np.ndim(t) == 1 else source) + ")"}
{data}}}
"""
    if validation is not None and not options:
        tarn += 'data validation { csv "validation.csv" }\n'
    case(name, model, tarn, files, fit, dict(optimizer=optimizer[1] if optimizer else optimizers.SGD(0.2), loss=keras_loss, metrics=list(keras_metrics), weighted_metrics=weighted_metrics),
         NAMES, options, rename)


def classes(rows, count):
    return np.arange(rows) % count


def one_hot(numbers, count):
    return np.eye(count)[numbers]


WEIGHTS = {0: 1.0, 1: 2.5, 2: 0.5}
weights_text = "  class_weight {0: 1, 1: 2.5, 2: 0.5}\n"
run("class weights, integer targets", 3, "softmax", "sparse_categorical_crossentropy(y, t)", "sparse_categorical_crossentropy", classes(14, 3),
    weights_text + "  metric accuracy(y, t)\n", dict(class_weight=WEIGHTS), ["accuracy"], target=": i32")
run("class weights, one-hot targets", 3, "softmax", "categorical_crossentropy(y, t)", "categorical_crossentropy", one_hot(classes(14, 3), 3),
    weights_text + "  metric accuracy(y, t)\n", dict(class_weight=WEIGHTS), ["accuracy"])
run("class weights, labels, a validation split", 3, "softmax", "categorical_crossentropy(y, t)", "categorical_crossentropy", one_hot(classes(15, 3), 3),
    weights_text + "  validation_split 0.2\n", dict(class_weight=WEIGHTS, validation_split=0.2))
run("class weights, two classes", 1, "sigmoid", "binary_crossentropy(y, t)", "binary_crossentropy", classes(13, 2).astype(float)[:, None],
    "  class_weight {1: 3}\n  metric accuracy(y, t)\n  metric auc(y, t)\n  metric precision(y, t)\n  metric recall(y, t)\n", dict(class_weight={0: 1.0, 1: 3.0}),
    ["accuracy", metrics.AUC(name="auc"), metrics.Precision(name="precision"), metrics.Recall(name="recall")])
weights = np.round(random.random(13) + 0.2, 2)
run("sample weights", 2, "linear", "mse(y, t)", "mse", draw(13, 2), "  target w\n  sample_weight w\n  metric plain = mae(y, t)\n  metric weighted = weighted_mean(mae(y, t), w)\n",
    dict(sample_weight=weights), [metrics.MeanAbsoluteError(name="plain")], [metrics.MeanAbsoluteError(name="weighted")], data='  w = column("w")\n', more={"w": weights})
run("metrics of the epoch with a short batch", 3, "softmax", "categorical_crossentropy(y, t, label_smoothing = 0.1)", losses.CategoricalCrossentropy(label_smoothing=0.1),
    one_hot(classes(11, 3), 3), "  metric accuracy(y, t)\n  metric top = top_k_categorical_accuracy(y, t, k = 2)\n  metric f1 = f1_score(y, t, average = \"macro\")\n"
    "  metric rmse = root_mean_squared_error(y, t)\n  metric r2(y, t)\n  metric cosine(y, t)\n  validation_split 0.3\n", dict(validation_split=0.3),
    ["accuracy", metrics.TopKCategoricalAccuracy(2, name="top"), metrics.F1Score(average="macro", name="f1"), metrics.RootMeanSquaredError(name="rmse"), metrics.R2Score(name="r2"), metrics.CosineSimilarity(name="cosine")])

line = draw(12, 1)
for options in ("", "--validation validation.csv"):
    run(f"validation data of their own {options}", 1, "linear", "mse(y, t)", "mse", draw(12, 1), "  metric mae(y, t)\n", keras_metrics=[metrics.MeanAbsoluteError(name="mae")],
        validation=draw(5, 1), options=options)


def early(name, tarn, monitor="val_loss", rate=0.2, epochs=40, **arguments):
    run(f"early stopping, {name}", 1, "linear", "mse(y, t)", "mse", draw(12, 1), f"  early_stopping({tarn})\n  metric mae(y, t)\n",
        dict(callbacks=[callbacks.EarlyStopping(monitor=monitor, **arguments)]), [metrics.MeanAbsoluteError(name="mae")], validation=draw(6, 1),
        optimizer=(f"sgd(lr = {rate})", optimizers.SGD(rate)), epochs=epochs)


early("by default", "")
early("patience", "patience = 3", patience=3)
early("the best weights back", "patience = 4, restore_best = true", patience=4, restore_best_weights=True)
early("the best weights back at a full end", "patience = 100, restore_best = true", epochs=8, patience=100, restore_best_weights=True)
early("min_delta", "monitor = \"loss\", min_delta = 0.02, patience = 2", "loss", min_delta=0.02, patience=2)
early("a baseline that is never reached", "patience = 3, baseline = 0.001", patience=3, baseline=0.001)
early("a baseline that is reached", "patience = 3, baseline = 4", patience=3, baseline=4.0)
early("start_from_epoch", "patience = 2, start_from_epoch = 5, restore_best = true", patience=2, start_from_epoch=5, restore_best_weights=True)
early("start_from_epoch behind the end", "patience = 1, start_from_epoch = 50, restore_best = true", epochs=6, patience=1, start_from_epoch=50, restore_best_weights=True)
early("mode max", "monitor = \"val_mae\", mode = \"max\", patience = 2, restore_best = true", "val_mae", mode="max", patience=2, restore_best_weights=True)
early("mode min", "monitor = \"mae\", mode = \"min\", patience = 2, min_delta = 0.01", "mae", mode="min", patience=2, min_delta=0.01)


def plateau(name, tarn, monitor="val_loss", rate=0.3, **arguments):
    run(f"reduce on plateau, {name}", 1, "linear", "mse(y, t)", "mse", draw(12, 1), f"  reduce_on_plateau({tarn})\n",
        dict(callbacks=[callbacks.ReduceLROnPlateau(monitor=monitor, **arguments)]), validation=draw(6, 1), optimizer=(f"sgd(lr = {rate})", optimizers.SGD(rate)), epochs=25)


plateau("patience", "factor = 0.5, patience = 2", factor=0.5, patience=2)
plateau("cooldown", "factor = 0.3, patience = 1, cooldown = 3", factor=0.3, patience=1, cooldown=3)
plateau("min_lr", "factor = 0.1, patience = 1, min_lr = 0.01", factor=0.1, patience=1, min_lr=0.01)
plateau("min_delta", "monitor = \"loss\", factor = 0.5, patience = 2, min_delta = 0.1", "loss", factor=0.5, patience=2, min_delta=0.1)
plateau("mode max", "factor = 0.5, patience = 3, mode = \"max\"", factor=0.5, patience=3, mode="max")
plateau("patience 0", "factor = 0.9, patience = 0", factor=0.9, patience=0)


# ---------------------------------------------------------------------------------- optimizers over epochs and batches

def optimized(name, tarn, optimizer, train=""):
    run(f"optimizer, {name}", 2, "linear", "mse(y, t)", "mse", draw(14, 2), train, optimizer=(tarn, optimizer), epochs=5, validation=draw(5, 2))


optimized("accumulated over the end of an epoch", "adam(lr = 0.05)", optimizers.Adam(0.05, gradient_accumulation_steps=3), "  accumulate 3\n")
optimized("averages", "sgd(lr = 0.1)", optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9), "  ema(momentum = 0.9)\n")
optimized("averages that overwrite", "sgd(lr = 0.1)", optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9, ema_overwrite_frequency=3), "  ema(momentum = 0.9, overwrite_every = 3)\n")
optimized("clipping of all together", "rmsprop(lr = 0.02)", optimizers.RMSprop(0.02, global_clipnorm=0.5), "  clip_global_norm 0.5\n")
optimized("clipping of each", "rmsprop(lr = 0.02)", optimizers.RMSprop(0.02, clipnorm=0.2), "  clip_norm 0.2\n")
optimized("a schedule", "adam(lr = cosine_decay(step, 0.1, 15, alpha = 0.1))", optimizers.Adam(optimizers.schedules.CosineDecay(0.1, 15, 0.1)))
optimized("weight decay", "adamw(lr = 0.05, weight_decay = 0.1)", optimizers.AdamW(0.05, weight_decay=0.1))


# ------------------------------------------------------------------------- several losses, regularizers, shared layers

def two_heads():
    x, size, kind = draw(10, 3), draw(10, 2), classes(10, 2).astype(float)[:, None]
    vx, vsize, vkind = draw(4, 3), draw(4, 2), classes(4, 2).astype(float)[:, None]
    k, a, b = draw(3, 4), draw(4, 2), draw(4, 1)
    inputs = keras.Input((3,))
    trunk = layers.Dense(4, "tanh", kernel_regularizer=keras.regularizers.L2(0.03))
    first, second = layers.Dense(2, name="size"), layers.Dense(1, "sigmoid", name="kind", activity_regularizer=keras.regularizers.L1(0.01))
    h = trunk(inputs)
    model = keras.Model(inputs, [first(h), second(h)])
    trunk.set_weights([k, np.zeros(4)])
    first.set_weights([a, np.zeros(2)])
    second.set_weights([b, np.zeros(1)])
    tarn = f"""model m {{
  input x[3]
  trunk = dense(4, tanh, kernel_init = {text(k)}, kernel_regularizer = l2(0.03))
  first = dense(2, kernel_init = {text(a)})
  second = dense(1, sigmoid, kernel_init = {text(b)}, activity_regularizer = l1(0.01))
  h = x |> trunk
  output size = h |> first
  output kind = h |> second
}}
train {{
  target s[2]
  target k[1]
  loss 0.7 * mse(size, s)
  loss 2 * binary_crossentropy(kind, k)
  metric size_loss = mse(size, s)
  metric kind_loss = binary_crossentropy(kind, k)
  metric kind_accuracy = accuracy(kind, k)
  optimizer sgd(lr = 0.2, momentum = 0.5)
  batch 4
  epochs 5
  shuffle false
}}
data {{
  csv "data.csv"
  x = columns("x0".."x2")
  s = columns("s0", "s1")
  k = column("k0")
}}
data validation {{ csv "validation.csv" }}
"""
    case("two losses with weights", model, tarn, {"data.csv": table(x=x, s=size, k=kind), "validation.csv": table(x=vx, s=vsize, k=vkind)},
         dict(x=x, y=[size, kind], batch_size=4, epochs=5, validation_data=(vx, [vsize, vkind])),
         dict(optimizer=optimizers.SGD(0.2, momentum=0.5), loss=["mse", "binary_crossentropy"], loss_weights=[0.7, 2.0], metrics=[[], ["accuracy"]]),
         ("trunk.kernel", "trunk.bias", "first.kernel", "first.bias", "second.kernel", "second.bias"))


two_heads()

OUT.write_text(json.dumps(cases, separators=(",", ":")).replace('{"test"', '\n{"test"') + "\n", encoding="utf-8")
print(f"{len(cases)} runs of Keras {keras.__version__}")
