"""The cases of the suite: networks, how they are trained, and the data, which is made here.

A network is a list of layers; a case adds loss, optimizer, batch size, samples, and the epochs of one measurement.
Tarn's model file and every peer's network are made from the same description.
"""

from dataclasses import dataclass
from math import prod

import numpy as np

from layers import TARN_GATED, BatchNorm, Conv, Dense, Flatten, Gated, MaxPool


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    shape: tuple  # of one sample, channels last
    layers: tuple
    loss: str  # hinge, categorical_crossentropy, binary_crossentropy, mean_squared_error
    optimizer: str  # adam, sgd, momentum
    rate: float
    batch: int
    samples: int
    epochs: int  # of one measurement
    small: bool = False  # libraries without compiled matrix products can keep up
    predict: tuple = ()  # numbers of samples that prediction is measured with

    @property
    def shapes(self):
        """What goes into each layer, and what comes out of the last."""
        shapes = [self.shape]
        for layer in self.layers:
            shapes.append(layer.output(shapes[-1]))
        return shapes

    @property
    def inputs(self):
        return prod(self.shape)

    @property
    def outputs(self):
        return prod(self.shapes[-1])

    @property
    def is_dense(self):
        return all(isinstance(layer, Dense) for layer in self.layers)

    @property
    def network(self):
        return "-".join(str(prod(shape)) for shape in self.shapes) if self.is_dense else self.name

    @property
    def steps(self):
        return self.epochs * -(-self.samples // self.batch)

    @property
    def weights(self):
        """Shapes by Tarn's name, layer by layer."""
        count, weights = {}, {}
        for layer, shape in zip(self.layers, self.shapes):
            kind = layer.kind(shape)
            count[kind] = count.get(kind, 0) + 1
            weights |= {f"{kind}_{count[kind]}.{name}": extents for name, extents in layer.weights(shape).items()}
        return weights

    @property
    def products(self):
        """Multiplications of one sample, forward."""
        return sum(layer.products(shape) for layer, shape in zip(self.layers, self.shapes))

    @property
    def parameters(self):
        return sum(prod(extents) for extents in self.weights.values())

    def training_flops(self):
        """FLOPs of the products of one measurement: forward, gradient of weights, gradient of inputs but the first."""
        per_sample = 3 * self.products - self.layers[0].products(self.shape)
        return 2 * per_sample * self.samples * self.epochs


def convolved_twice(filters):
    """A stage of a network of the VGG kind, with batch normalization."""
    return (Conv(filters, 3, same=True, use_bias=False), BatchNorm("relu")) * 2 + (MaxPool(),)


ALL = [
    Case("a", "a  5-20-1 tanh, hinge, Adam, batch 32, 200 samples x 150 epochs", (5,),
         (Dense(20, "tanh"), Dense(1, "tanh")), "hinge", "adam", 1e-3, 32, 200, 150, small=True),
    Case("b", "b  4-6-3 relu/softmax, cross-entropy, SGD, full batch 50, 1,000 steps", (4,),
         (Dense(6, "relu"), Dense(3, "softmax")), "categorical_crossentropy", "sgd", 0.1, 50, 50, 1000, small=True,
         predict=(1, 64, 1024)),
    Case("c", "c  784-128-10, Adam, batch 128, 60,000 samples, 1 epoch", (784,),
         (Dense(128, "relu"), Dense(10, "softmax")), "categorical_crossentropy", "adam", 1e-3, 128, 60000, 1,
         predict=(1, 64, 1024)),
    Case("d", "d  784-512-512-10, Adam, batch 128, 60,000 samples, 1 epoch", (784,),
         (Dense(512, "relu"), Dense(512, "relu"), Dense(10, "softmax")), "categorical_crossentropy", "adam", 1e-3, 128,
         60000, 1, predict=(1, 64, 1024)),
    Case("e", "e  1024-2048-2048-1024, SGD, batch 256, 8 steps", (1024,),
         (Dense(2048, "relu"), Dense(2048, "relu"), Dense(1024)), "mean_squared_error", "sgd", 0.01, 256, 2048, 1,
         predict=(1, 64, 1024)),
    Case("higgs", "h  28-5x300-1 tanh, cross-entropy, momentum, batch 100, 20,000 samples", (28,),
         (Dense(300, "tanh"),) * 5 + (Dense(1, "sigmoid"),), "binary_crossentropy", "momentum", 0.05, 100, 20000, 1),
    Case("cnn", "cnn  28x28, convolutions of 32 and 64 with pooling, dense 10, Adam, batch 128, 20 steps",
         (28, 28, 1),
         (Conv(32, 3, "relu"), MaxPool(), Conv(64, 3, "relu"), MaxPool(), Flatten(), Dense(10, "softmax")),
         "categorical_crossentropy", "adam", 1e-3, 128, 2560, 1, predict=(1, 64)),
    Case("cifar", "cifar  32x32x3, 6 convolutions of 32-128 with batch norm, dense 128-10, Adam, batch 64, 6 steps",
         (32, 32, 3),
         (*convolved_twice(32), *convolved_twice(64), *convolved_twice(128), Flatten(), Dense(128, "relu"),
          Dense(10, "softmax")),
         "categorical_crossentropy", "adam", 1e-3, 64, 384, 1, predict=(1, 64)),
    Case("wavenet", "wavenet  1024 x 1, 8 gated blocks of 32 channels, dilations to 128, Adam, batch 16, 10 steps",
         (1024, 1), (Conv(32, 1), *(Gated(2**k) for k in range(8)), Conv(1, 1)), "mean_squared_error", "adam", 1e-3,
         16, 160, 1),
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
    return x.reshape(-1, *case.shape), t.reshape(-1, *case.shapes[-1])


OPTIMIZERS = {"adam": "adam(lr = {})", "sgd": "sgd(lr = {})", "momentum": "sgd(lr = {}, momentum = 0.9)"}


def extents_text(shape):
    return ", ".join(map(str, shape))


def tarn_model(case, x_path="x.npy", t_path="t.npy"):
    chain = " |> ".join(layer.tarn(shape) for layer, shape in zip(case.layers, case.shapes))
    gated = TARN_GATED if any(isinstance(layer, Gated) for layer in case.layers) else ""
    return f"""{gated}model case_{case.name} {{
  input  x[{extents_text(case.shape)}]
  output y = x |> {chain}
}}

train {{
  target t[{extents_text(case.shapes[-1])}]
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
