"""The cases of the suite: networks, how they are trained, and the data, which is made here.

A network is a list of (units, activation); a case adds loss, optimizer, batch size, samples, and the epochs of one
measurement. Tarn's model file and every peer's network are made from the same description.
"""

from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    inputs: int
    layers: tuple  # (units, activation), activation one of linear, tanh, relu, softmax, sigmoid
    loss: str  # hinge, categorical_crossentropy, binary_crossentropy, mean_squared_error
    optimizer: str  # adam, sgd, momentum
    rate: float
    batch: int
    samples: int
    epochs: int  # of one measurement
    small: bool = False  # libraries without compiled matrix products can keep up
    predict: tuple = ()  # numbers of samples that prediction is measured with

    @property
    def outputs(self):
        return self.layers[-1][0]

    @property
    def steps(self):
        return self.epochs * -(-self.samples // self.batch)

    @property
    def sizes(self):
        return [self.inputs] + [units for units, _ in self.layers]

    @property
    def products(self):
        """Multiplications of one sample, forward."""
        return sum(a * b for a, b in zip(self.sizes, self.sizes[1:]))

    @property
    def parameters(self):
        return self.products + sum(self.sizes[1:])

    def training_flops(self):
        """FLOPs of the products of one measurement: forward, gradient of weights, gradient of all inputs but the first."""
        per_sample = 3 * self.products - self.sizes[0] * self.sizes[1]
        return 2 * per_sample * self.samples * self.epochs


ALL = [
    Case("a", "a  5-20-1 tanh, hinge, Adam, batch 32, 200 samples x 150 epochs", 5, ((20, "tanh"), (1, "tanh")), "hinge",
         "adam", 1e-3, 32, 200, 150, small=True),
    Case("b", "b  4-6-3 relu/softmax, cross-entropy, SGD, full batch 50, 1,000 steps", 4, ((6, "relu"), (3, "softmax")),
         "categorical_crossentropy", "sgd", 0.1, 50, 50, 1000, small=True, predict=(1, 64, 1024)),
    Case("c", "c  784-128-10, Adam, batch 128, 60,000 samples, 1 epoch", 784, ((128, "relu"), (10, "softmax")),
         "categorical_crossentropy", "adam", 1e-3, 128, 60000, 1, predict=(1, 64, 1024)),
    Case("d", "d  784-512-512-10, Adam, batch 128, 60,000 samples, 1 epoch", 784,
         ((512, "relu"), (512, "relu"), (10, "softmax")), "categorical_crossentropy", "adam", 1e-3, 128, 60000, 1,
         predict=(1, 64, 1024)),
    Case("e", "e  1024-2048-2048-1024, SGD, batch 256, 8 steps", 1024,
         ((2048, "relu"), (2048, "relu"), (1024, "linear")), "mean_squared_error", "sgd", 0.01, 256, 2048, 1,
         predict=(1, 64, 1024)),
    Case("higgs", "h  28-5x300-1 tanh, cross-entropy, momentum, batch 100, 20,000 samples", 28,
         tuple([(300, "tanh")] * 5 + [(1, "sigmoid")]), "binary_crossentropy", "momentum", 0.05, 100, 20000, 1),
]
BY_NAME = {case.name: case for case in ALL}


def data(case, seed=1):
    """x and t as float32: random inputs, targets of a random linear rule, as the loss wants them."""
    rng = np.random.default_rng(seed)
    x = rng.random((case.samples, case.inputs), dtype=np.float32)
    rule = rng.standard_normal((case.inputs, case.outputs), dtype=np.float32)
    score = (x - 0.5) @ rule
    if case.loss == "categorical_crossentropy":
        t = np.zeros_like(score)
        t[np.arange(case.samples), score.argmax(axis=1)] = 1
    elif case.loss == "hinge":
        t = np.where(score > 0, 1, -1).astype(np.float32)
    elif case.loss == "binary_crossentropy":
        t = (score > 0).astype(np.float32)
    else:
        t = score
    return x, t


OPTIMIZERS = {"adam": "adam(lr = {})", "sgd": "sgd(lr = {})", "momentum": "sgd(lr = {}, momentum = 0.9)"}


def tarn_model(case, x_path="x.npy", t_path="t.npy"):
    chain = " |> ".join(f"dense({units}, {activation})" for units, activation in case.layers)
    return f"""model case_{case.name} {{
  input  x[{case.inputs}]
  output y = x |> {chain}
}}

train {{
  target t[{case.outputs}]
  loss      {case.loss}(y, t)
  optimizer {OPTIMIZERS[case.optimizer].format(case.rate)}
  epochs {case.epochs}
  batch  {case.batch}
}}

data {{ npy x = "{x_path}", t = "{t_path}" }}
"""


def deep_model(layers):
    """A stack of equal layers, for the time of compiling against the size of the graph."""
    return f"""model deep {{
  input  x[16]
  y = x
  repeat {layers} {{ y = y |> dense(16, tanh) }}
  output y
}}

train {{
  target t[16]
  loss      mean_squared_error(y, t)
  optimizer sgd
  epochs 0
}}

data {{ npy x = "x.npy", t = "t.npy" }}
"""
