#!/usr/bin/env python3
"""Writes tests/data/keras/{activations,losses,metrics,optimizers,lr_schedules}_run.json: what Keras 3 makes of drawn
inputs, in double precision, for the arguments that its own tests leave out.

Needs keras with its numpy backend (pip install keras scipy 'jax[cpu]'). The cases have the form of the files without
"_run".
"""
import itertools
import json
import os
import pathlib

os.environ["KERAS_BACKEND"] = "numpy"

import keras
import numpy as np
from keras import activations, losses, metrics, optimizers
from keras.optimizers import schedules

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
# Keras narrows what comes of double precision to single: not here.
keras.src.backend.common.dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "data" / "keras"
TOLERANCE = {"abs": 1e-10, "rel": 1e-9}
random = np.random.default_rng(47)


def array(values):
    values = np.asarray(values)
    dtype = "int32" if values.dtype.kind == "i" else "float64"
    return {"dtype": dtype, "shape": list(values.shape), "value": values.tolist()}


def draw(*shape):
    return np.round(random.normal(size=shape), 3)


def probabilities(*shape):
    p = random.random(size=shape) + 0.05
    return np.round(p / p.sum(axis=-1, keepdims=True), 4)


def one_hot(*shape):
    return np.eye(shape[-1])[random.integers(0, shape[-1], size=shape[:-1])]


def write(name, cases):
    # A value that is no number says nothing: Keras divides by 0 where a case has nothing to count.
    kept = [c for c in cases if np.all(np.isfinite(np.asarray(c.get("expected", c.get("expected_after_last_step")), dtype=float)))]
    (FOLDER / f"{name}_run.json").write_text(json.dumps(kept, separators=(",", ":")).replace('{"test"', '\n{"test"') + "\n", encoding="utf-8")
    print(f"{name}: {len(kept)} of {len(cases)} cases of Keras {keras.__version__}")


def label(name, config, count):
    return f"{name}({', '.join(f'{k}={v}' for k, v in config.items())})[{count}]"


# --------------------------------------------------------------------------------------------------------- activations

ACTIVATIONS = {
    "relu": [{}, {"negative_slope": 0.1}, {"max_value": 1.5}, {"threshold": 0.5}, {"negative_slope": 0.2, "max_value": 1.0, "threshold": -0.5},
             {"negative_slope": 0.3, "threshold": 1.0}, {"max_value": 2.0, "threshold": 1.0}],
    "leaky_relu": [{}, {"negative_slope": 0.05}], "relu6": [{}], "elu": [{}, {"alpha": 0.3}], "selu": [{}], "celu": [{}, {"alpha": 2.5}],
    "softplus": [{}], "softsign": [{}], "squareplus": [{}, {"b": 0.5}], "soft_shrink": [{}, {"threshold": 1.0}], "hard_shrink": [{}, {"threshold": 1.0}],
    "sparse_plus": [{}], "sparse_sigmoid": [{}], "silu": [{}], "gelu": [{}, {"approximate": True}], "tanh": [{}], "tanh_shrink": [{}], "sigmoid": [{}],
    "exponential": [{}], "hard_sigmoid": [{}], "hard_silu": [{}], "hard_tanh": [{}], "linear": [{}], "mish": [{}], "log_sigmoid": [{}],
    "threshold": [{"threshold": 0.5, "default_value": -2.0}],
}
# Not sparsemax: of several elements above the threshold Keras 3.15 adds up the running sums, where Martins and
# Astudillo have the last.
ALONG_AXES = ("softmax", "log_softmax", "glu")


def activation_cases():
    cases = []

    def add(name, config, x):
        expected = np.asarray(getattr(activations, name)(x, **{k: tuple(v) if isinstance(v, list) else v for k, v in config.items()}))
        cases.append({"test": label(name, config, len(cases)), "function": name, "parameters": config, "x": array(x), "result_index": [],
                      "expected": expected.tolist(), "tolerance": TOLERANCE})

    edges = np.array([0.0, 0.5, -0.5, 1.0, -1.0, 1.5, 3.0, -3.0, 6.0, 2.0, -2.0])
    for name, configs in ACTIVATIONS.items():
        for config in configs:
            add(name, config, edges)
            for shape in ((6,), (2, 3), (2, 2, 3), (2, 1, 2, 3)):
                add(name, config, 3 * draw(*shape))
            if name != "exponential":
                add(name, config, np.array([-700.0, -40.0, 40.0, 700.0]))
    for name in ALONG_AXES:
        for shape in ((6,), (4, 6), (2, 4, 6), (2, 2, 4, 2)):
            for axis in range(-len(shape), len(shape)):
                add(name, {"axis": axis}, 3 * draw(*shape))
            add(name, {}, 3 * draw(*shape))
    for axis in ([0, 1], [1, 2], [0, 2], [0, 1, 2]):
        add("softmax", {"axis": axis}, draw(2, 3, 4))
    return cases


# -------------------------------------------------------------------------------------------------------------- losses

REGRESSION = ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "LogCosh", "CosineSimilarity")


# Alike: Keras 3.15 has alpha for what was missed, and later releases, as the paper, for what is too much.
TVERSKY = {"alpha": 0.4, "beta": 0.4}


def loss_cases():
    cases = []

    def in_general(name, config, y):
        return y.ndim > 1 and name not in ("Dice", "Tversky") and "ignore_class" not in config and config.get("axis", -1) == -1

    def add(name, config, t, y, w=None):
        # The others are multiples of the mean where the loss has one value for each place of the last axis.
        for reduction in ("sum_over_batch_size", "sum", "mean_with_sample_weight", None) if in_general(name, config, y) else ("sum_over_batch_size",):
            if reduction is None and y.ndim != 2:
                continue
            given = {k: (tuple(v) if isinstance(v, list) else v) for k, v in config.items()}
            try:
                expected = np.asarray(getattr(losses, name)(reduction=reduction, **given)(t, y, sample_weight=w))
            except ValueError:  # weights of a shape that this loss does not take
                continue
            if reduction is None and expected.ndim != 1:
                continue
            case = {"test": label(name, {**config, "reduction": reduction}, len(cases)), "loss": name, "config": {**config, "reduction": reduction},
                    "y_true": array(t), "y_pred": array(y), "expected": expected.tolist(), "tolerance": TOLERANCE}
            if w is not None:
                case["sample_weight"] = array(w)
            cases.append(case)

    def weighted(name, config, t, y):
        add(name, config, t, y)
        if y.ndim <= 3:
            add(name, config, t, y, np.round(random.random(len(y)) + 0.1, 2))
        if y.ndim == 3 and in_general(name, config, y):
            add(name, config, t, y, np.round(random.random(y.shape[:2]), 2))

    for shape in ((4, 3), (3, 2, 4), (2, 2, 3, 2)):
        for name in REGRESSION:
            weighted(name, {}, draw(*shape), draw(*shape))
        for delta in (1.0, 0.3):
            weighted("Huber", {"delta": delta}, draw(*shape), draw(*shape))
        for name in ("Hinge", "SquaredHinge"):
            weighted(name, {}, np.sign(draw(*shape)), draw(*shape))
            weighted(name, {}, (draw(*shape) > 0).astype(float), draw(*shape))
        weighted("CategoricalHinge", {}, one_hot(*shape), draw(*shape))
        weighted("Poisson", {}, random.integers(0, 5, size=shape).astype(float), np.abs(draw(*shape)))
        weighted("KLDivergence", {}, probabilities(*shape), probabilities(*shape))
        for from_logits, smoothing in itertools.product((False, True), (0.0, 0.2)):
            config = {"from_logits": from_logits, "label_smoothing": smoothing}
            y = draw(*shape) if from_logits else probabilities(*shape)
            yes = np.round(random.random(shape), 3)
            weighted("BinaryCrossentropy", config, (draw(*shape) > 0).astype(float), draw(*shape) if from_logits else yes)
            weighted("CategoricalCrossentropy", config, one_hot(*shape), y)
            weighted("CategoricalCrossentropy", config, probabilities(*shape), y)
            weighted("CategoricalFocalCrossentropy", config, one_hot(*shape), y)
            for balancing, gamma in ((False, 2.0), (True, 1.5)):
                weighted("BinaryFocalCrossentropy", {**config, "apply_class_balancing": balancing, "gamma": gamma, "alpha": 0.3},
                         (draw(*shape) > 0).astype(float), draw(*shape) if from_logits else yes)
            classes = random.integers(0, shape[-1], size=shape[:-1])
            if smoothing == 0:
                weighted("SparseCategoricalCrossentropy", {"from_logits": from_logits}, classes, y)
                weighted("SparseCategoricalCrossentropy", {"from_logits": from_logits, "ignore_class": 1}, classes, y)
                weighted("SparseCategoricalCrossentropy", {"from_logits": from_logits, "ignore_class": -1}, np.where(classes == 0, -1, classes), y)
                weighted("SparseCategoricalCrossentropy", {"from_logits": from_logits}, classes[..., None], y)
        weighted("CategoricalFocalCrossentropy", {"alpha": 0.4, "gamma": 1.0}, one_hot(*shape), probabilities(*shape))
        weighted("CategoricalGeneralizedCrossEntropy", {"q": 0.7}, random.integers(0, shape[-1], size=shape[:-1]), probabilities(*shape))
        add("Dice", {}, one_hot(*shape), probabilities(*shape))
        add("Tversky", TVERSKY, one_hot(*shape), probabilities(*shape))
    for axis in (1, 2, -1, -2):
        weighted("CosineSimilarity", {"axis": axis}, draw(3, 2, 4), draw(3, 2, 4))
    for axis in (1, -2):
        for from_logits in (False, True):  # without label_smoothing: Keras 3.15 divides it by the extent of the last axis
            y = draw(3, 4, 2) if from_logits else np.moveaxis(probabilities(3, 2, 4), -1, 1)
            t = np.moveaxis(one_hot(3, 2, 4), -1, 1)
            add("CategoricalCrossentropy", {"axis": axis, "from_logits": from_logits}, t, y)
            add("CategoricalFocalCrossentropy", {"axis": axis, "from_logits": from_logits}, t, y)
    for axis in ([1], [1, 2], [-1], [1, 2, 3]):
        add("Dice", {"axis": axis}, one_hot(2, 2, 3, 2), probabilities(2, 2, 3, 2))
        add("Tversky", {"axis": axis, **TVERSKY}, one_hot(2, 2, 3, 2), probabilities(2, 2, 3, 2))
    return cases


# ------------------------------------------------------------------------------------------------------------- metrics

# Metrics that count elements: each may have a weight.
OF_ELEMENTS = ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall", "AUC", "SensitivityAtSpecificity",
               "SpecificityAtSensitivity", "PrecisionAtRecall", "RecallAtPrecision")


def metric_cases():
    cases = []

    def add(name, config, t, y, w=None, parts=2):
        """`parts`: the rows come in so many updates of equal size."""
        size = len(y) // parts
        # Those of counts are computed in single precision whatever the policy says.
        # Correlations of 3.15 lack the epsilon of later releases.
        narrow = "IoU" in name or "Pearson" in name
        if "IoU" in name:
            config = {**config, "dtype": "float32"}
        calls = []
        try:
            metric = getattr(metrics, name)(**config)
            for i in range(parts):
                rows = slice(i * size, (i + 1) * size)
                kwargs = {} if w is None else {"sample_weight": w[rows]}
                metric.update_state(t[rows], y[rows], **kwargs)
                calls.append({"op": "update_state", "args": [array(t[rows]), array(y[rows])], "kwargs": {k: array(v) for k, v in kwargs.items()}})
            expected = np.asarray(metric.result())
        except ValueError:  # weights of a shape that this metric does not take
            return
        cases.append({"test": label(name, config, len(cases)), "metric": name, "config": config, "calls": calls, "result_index": [],
                      "expected": expected.tolist(), "tolerance": {"abs": 1e-6, "rel": 1e-6} if narrow else TOLERANCE})

    def weighted(name, config, t, y):
        add(name, config, t, y)
        add(name, config, t, y, np.round(random.random(len(y)) + 0.1, 2))
        if name in OF_ELEMENTS:
            add(name, config, t, y, np.round(random.random(y.shape) + 0.1, 2))
        elif y.ndim == 3:
            add(name, config, t, y, np.round(random.random(y.shape[:2]) + 0.1, 2))

    n = 8
    for shape in ((n, 3), (n, 2, 3)):
        for name in ("MeanSquaredError", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredLogarithmicError", "RootMeanSquaredError", "LogCoshError"):
            weighted(name, {}, draw(*shape), draw(*shape))
        weighted("CosineSimilarity", {}, draw(*shape), draw(*shape))
        for name in ("Hinge", "SquaredHinge"):
            weighted(name, {}, np.sign(draw(*shape)), draw(*shape))
        weighted("CategoricalHinge", {}, one_hot(*shape), draw(*shape))
        weighted("Poisson", {}, random.integers(0, 4, size=shape).astype(float), np.abs(draw(*shape)))
        weighted("KLDivergence", {}, probabilities(*shape), probabilities(*shape))
        yes, p = (draw(*shape) > 0).astype(float), np.round(random.random(shape), 3)
        for smoothing in (0.0, 0.1):
            weighted("BinaryCrossentropy", {"from_logits": False, "label_smoothing": smoothing}, yes, p)
            weighted("BinaryCrossentropy", {"from_logits": True, "label_smoothing": smoothing}, yes, draw(*shape))
            weighted("CategoricalCrossentropy", {"from_logits": False, "label_smoothing": smoothing}, one_hot(*shape), probabilities(*shape))
            weighted("CategoricalCrossentropy", {"from_logits": True, "label_smoothing": smoothing}, one_hot(*shape), draw(*shape))
        classes = random.integers(0, 3, size=shape[:-1])
        weighted("SparseCategoricalCrossentropy", {"from_logits": False}, classes, probabilities(*shape))
        weighted("SparseCategoricalCrossentropy", {"from_logits": True}, classes, draw(*shape))
        weighted("Accuracy", {}, random.integers(0, 2, size=shape).astype(float), random.integers(0, 2, size=shape).astype(float))
        for threshold in (0.5, 0.3):
            weighted("BinaryAccuracy", {"threshold": threshold}, yes, p)
        weighted("CategoricalAccuracy", {}, one_hot(*shape), probabilities(*shape))
        weighted("SparseCategoricalAccuracy", {}, classes, probabilities(*shape))
        for k in (1, 2):
            weighted("TopKCategoricalAccuracy", {"k": k}, one_hot(*shape), probabilities(*shape))
            weighted("SparseTopKCategoricalAccuracy", {"k": k}, classes, probabilities(*shape))
        for name in ("TruePositives", "FalsePositives", "TrueNegatives", "FalseNegatives", "Precision", "Recall"):
            for config in ({}, {"thresholds": 0.3}, {"thresholds": [0.2, 0.5, 0.8]}):
                weighted(name, config, yes, p)
        for name in ("Precision", "Recall"):
            for config in ({"top_k": 2}, {"class_id": 1}, {"top_k": 2, "class_id": 0}, {"class_id": 2, "thresholds": [0.3, 0.6]}):
                weighted(name, config, yes, p)
        for curve, method in itertools.product(("ROC", "PR", "PRGAIN"), ("interpolation", "minoring", "majoring")):
            weighted("AUC", {"curve": curve, "summation_method": method, "num_thresholds": 20}, yes, p)
        weighted("AUC", {}, yes, p)
        weighted("AUC", {"thresholds": [0.7, 0.2, 0.5]}, yes, p)
        weighted("AUC", {"from_logits": True}, yes, draw(*shape))
        for name, value in (("SensitivityAtSpecificity", 0.6), ("SpecificityAtSensitivity", 0.6), ("PrecisionAtRecall", 0.7), ("RecallAtPrecision", 0.6)):
            argument = {"SensitivityAtSpecificity": "specificity", "SpecificityAtSensitivity": "sensitivity", "PrecisionAtRecall": "recall", "RecallAtPrecision": "precision"}[name]
            for extra in ({}, {"num_thresholds": 10}, {"class_id": 1}, {"num_thresholds": 1}):
                weighted(name, {argument: value, **extra}, yes, p)
    shape = (n, 3)
    yes, p = (draw(*shape) > 0).astype(float), np.round(random.random(shape), 3)
    for weights in (None, [0.2, 1.5, 1.0]):
        add("AUC", {"multi_label": True, **({} if weights is None else {"label_weights": weights})}, yes, p)
    add("AUC", {"label_weights": [0.2, 1.5, 1.0]}, yes, p)
    for average in (None, "micro", "macro", "weighted"):
        for threshold in (None, 0.4):
            weighted("F1Score", {"average": average, "threshold": threshold}, yes, p)
            weighted("FBetaScore", {"average": average, "threshold": threshold, "beta": 2.0}, yes, p)
    classes, guesses = random.integers(0, 4, size=n), random.integers(0, 4, size=n)
    for name, config in (("MeanIoU", {}), ("IoU", {"target_class_ids": [0, 2]}), ("MeanIoU", {"ignore_class": 1}), ("IoU", {"target_class_ids": [1], "ignore_class": 0})):
        weighted(name, {"num_classes": 4, **config}, classes, guesses)
    for name, config in (("OneHotMeanIoU", {}), ("OneHotIoU", {"target_class_ids": [0, 3]}), ("OneHotMeanIoU", {"ignore_class": 2})):
        weighted(name, {"num_classes": 4, **config}, one_hot(n, 4), probabilities(n, 4))
    weighted("OneHotMeanIoU", {"num_classes": 4, "sparse_y_pred": True}, one_hot(n, 4), guesses)
    weighted("MeanIoU", {"num_classes": 4, "sparse_y_pred": False}, classes, probabilities(n, 4))
    for config in ({}, {"target_class_ids": [1], "threshold": 0.3}, {"target_class_ids": [0]}):
        weighted("BinaryIoU", config, (draw(n) > 0).astype(float), np.round(random.random(n), 3))
    for aggregation in ("uniform_average", "variance_weighted_average", None):
        # With num_regressors on one element only: Keras 3.15 takes the number of elements for that of samples.
        for regressors in (0, 2):
            wide = 1 if regressors else 3
            weighted("R2Score", {"class_aggregation": aggregation, "num_regressors": regressors}, draw(n, wide), draw(n, wide))
    for name in ("PearsonCorrelation", "ConcordanceCorrelation"):
        for axis in (-1, 1):
            weighted(name, {"axis": axis}, draw(n, 5), draw(n, 5))
    return cases


# ---------------------------------------------------------------------------------------------------------- optimizers

OPTIMIZERS = {
    "SGD": [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True}],
    "RMSprop": [{}, {"rho": 0.8, "epsilon": 1e-4}, {"momentum": 0.7}, {"centered": True}, {"centered": True, "momentum": 0.5}],
    "Adagrad": [{}, {"initial_accumulator_value": 0.5, "epsilon": 1e-3}],
    "Adadelta": [{}, {"rho": 0.8, "epsilon": 1e-4}],
    "Adam": [{}, {"amsgrad": True}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-4}],
    "AdamW": [{}, {"amsgrad": True, "weight_decay": 0.1}],
    "Adamax": [{}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-4}],
    "Nadam": [{}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-4}],
    "Ftrl": [{}, {"learning_rate_power": -0.7, "l1_regularization_strength": 0.01, "l2_regularization_strength": 0.02, "beta": 0.1},
             {"l2_shrinkage_regularization_strength": 0.1, "initial_accumulator_value": 0.3}],
    "Lion": [{}, {"beta_1": 0.8, "beta_2": 0.9}],
    "Lamb": [{}, {"beta_1": 0.8, "beta_2": 0.9, "epsilon": 1e-4}],
    "Adafactor": [{}, {"relative_step": False, "beta_2_decay": -0.6}, {"clip_threshold": 0.5, "epsilon_1": 1e-6, "epsilon_2": 0.1}],
}
COMMON = [{}, {"learning_rate": 0.1}, {"weight_decay": 0.05}, {"clipnorm": 0.5}, {"clipvalue": 0.3}, {"global_clipnorm": 0.5},
          {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2}, {"use_ema": True, "ema_momentum": 0.9, "ema_overwrite_frequency": 1},
          {"gradient_accumulation_steps": 2}, {"gradient_accumulation_steps": 3, "clipnorm": 0.4, "weight_decay": 0.01},
          {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 3, "weight_decay": 0.02, "clipvalue": 0.5},
          {"use_ema": True, "ema_momentum": 0.8, "ema_overwrite_frequency": 2, "gradient_accumulation_steps": 2}]


def optimizer_cases():
    cases = []
    wanted = ("weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum", "ema_overwrite_frequency", "loss_scale_factor",
              "gradient_accumulation_steps")
    for name, configs in OPTIMIZERS.items():
        for config, common in itertools.product(configs, COMMON):
            shape = ((3,), (2, 3), (), (2, 2, 2))[len(cases) % 4]
            given = {**config, **common}
            optimizer = getattr(optimizers, name)(**given)
            w = keras.Variable(draw(*shape), dtype="float64")
            initial = np.asarray(w.value)
            gradients = [draw(*shape) for _ in range(6)]
            for gradient in gradients:
                optimizer.apply([np.asarray(gradient)], [w])
            all_given = {"learning_rate": float(optimizer.learning_rate), **{k: getattr(optimizer, k) for k in wanted}}
            for key, value in optimizer.get_config().items():
                if key not in ("name", "learning_rate", *wanted):
                    all_given[key] = value
            cases.append({"test": label(name, given, len(cases)), "optimizer": name, "given": given, "hyperparameters": all_given,
                          "excluded_from_weight_decay": False, "initial": array(initial), "gradients_per_step": [g.tolist() for g in gradients],
                          "expected_after_last_step": np.asarray(w.value).tolist(), "tolerance": TOLERANCE})
    return cases


# ----------------------------------------------------------------------------------------------------------- schedules

def schedule_cases():
    cases = []
    rows = [
        ("ExponentialDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.8}),
        ("ExponentialDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.8, "staircase": True}),
        ("InverseTimeDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.8}),
        ("InverseTimeDecay", {"initial_learning_rate": 0.3, "decay_steps": 7, "decay_rate": 0.8, "staircase": True}),
        ("PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 10}),
        ("PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 10, "end_learning_rate": 0.05, "power": 2.0}),
        ("PolynomialDecay", {"initial_learning_rate": 0.3, "decay_steps": 10, "power": 0.5, "cycle": True}),
        ("PiecewiseConstantDecay", {"boundaries": [3, 10], "values": [1.0, 0.5, 0.1]}),
        ("CosineDecay", {"initial_learning_rate": 0.3, "decay_steps": 20}),
        ("CosineDecay", {"initial_learning_rate": 0.3, "decay_steps": 20, "alpha": 0.1}),
        ("CosineDecay", {"initial_learning_rate": 0.1, "decay_steps": 20, "alpha": 0.1, "warmup_target": 0.5, "warmup_steps": 5}),
        ("CosineDecay", {"initial_learning_rate": 0.0, "decay_steps": 20, "warmup_target": 0.5, "warmup_steps": 10}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 5}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 5, "t_mul": 1.0, "m_mul": 0.9, "alpha": 0.05}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 4, "t_mul": 1.5, "m_mul": 0.8, "alpha": 0.1}),
        ("CosineDecayRestarts", {"initial_learning_rate": 0.3, "first_decay_steps": 4, "t_mul": 3.0, "m_mul": 1.2}),
    ]
    for name, config in rows:
        for step in (0, 1, 3, 4, 5, 6, 9, 10, 11, 14, 15, 20, 27, 100):
            value = float(getattr(schedules, name)(**config)(step))
            cases.append({"test": label(name, config, len(cases)), "schedule": name, "config": config, "step": step, "expected": value, "tolerance": TOLERANCE})
    return cases


if __name__ == "__main__":
    write("activations", activation_cases())
    write("losses", loss_cases())
    write("metrics", metric_cases())
    write("lr_schedules", schedule_cases())
    write("optimizers", optimizer_cases())
