"""The layers of the suite's networks: the shapes that they make, their weights, and how Tarn writes them.

Shapes are those of one sample, channels last, as Tarn and JAX have them. Weights have Tarn's names and shapes.
"""

from dataclasses import dataclass
from math import prod

import numpy as np


@dataclass(frozen=True)
class Dense:
    units: int
    activation: str = "linear"  # or tanh, relu, softmax, sigmoid

    def output(self, shape):
        return (*shape[:-1], self.units)

    def weights(self, shape):
        return {"kernel": (shape[-1], self.units), "bias": (self.units,)}

    def products(self, shape):
        """Multiplications of one sample, forward."""
        return prod(shape) * self.units

    def kind(self, shape):
        """Tarn's name of the layer."""
        return "dense"

    def tarn(self, shape):
        return f"dense({self.units}, {self.activation})"


@dataclass(frozen=True)
class Conv:
    """A convolution along all axes but the last."""

    filters: int
    size: int
    activation: str = "linear"
    same: bool = False  # as many places as before, zeros around them
    use_bias: bool = True

    def output(self, shape):
        less = 0 if self.same else self.size - 1
        return (*(n - less for n in shape[:-1]), self.filters)

    def weights(self, shape):
        kernel = {"kernel": (*[self.size] * (len(shape) - 1), shape[-1], self.filters)}
        return kernel | ({"bias": (self.filters,)} if self.use_bias else {})

    def products(self, shape):
        return prod(self.output(shape)[:-1]) * prod(self.weights(shape)["kernel"])

    def kind(self, shape):
        return f"conv{len(shape) - 1}d"

    def tarn(self, shape):
        padding = ', padding = "same"' if self.same else ""
        activation = f", activation = {self.activation}" if self.activation != "linear" else ""
        bias = "" if self.use_bias else ", use_bias = false"
        return f"{self.kind(shape)}({self.filters}, {self.size}{padding}{activation}{bias})"


class Weightless:
    activation = "linear"

    def weights(self, shape):
        return {}

    def products(self, shape):
        return 0

    def tarn(self, shape):
        return self.kind(shape)


@dataclass(frozen=True)
class MaxPool(Weightless):
    """The largest of windows of 2 by 2 places, which do not overlap."""

    def output(self, shape):
        return (shape[0] // 2, shape[1] // 2, shape[2])

    def kind(self, shape):
        return "max_pooling2d"


@dataclass(frozen=True)
class Flatten(Weightless):
    def output(self, shape):
        return (prod(shape),)

    def kind(self, shape):
        return "flatten"


@dataclass(frozen=True)
class BatchNorm:
    """With PyTorch's constants: running means keep 0.9 of themselves, epsilon is 1e-5."""

    activation: str = "linear"

    def output(self, shape):
        return shape

    def weights(self, shape):
        return {"gamma": shape[-1:], "beta": shape[-1:]}

    def products(self, shape):
        return 0

    def kind(self, shape):
        return "batch_norm"

    def tarn(self, shape):
        return f"batch_norm(momentum = 0.9, epsilon = 1e-5) |> {self.activation}"


@dataclass(frozen=True)
class Gated:
    """A block of WaveNet: x and its dilated convolution of size 2, halves tanh and sigmoid, mixed by channel."""

    dilation: int
    activation = "linear"

    def output(self, shape):
        return shape

    def weights(self, shape):
        c = shape[-1]
        return {"conv1d_1.kernel": (2, c, 2 * c), "conv1d_1.bias": (2 * c,), "conv1d_2.kernel": (1, c, c),
                "conv1d_2.bias": (c,)}

    def products(self, shape):
        return prod(shape) * 5 * shape[-1]

    def kind(self, shape):
        return "gated"

    def tarn(self, shape):
        return f"gated({self.dilation})"


TARN_GATED = """layer gated(dilation)(x) {
  c = dim(x, -1)
  a, b = x |> conv1d(2 * c, 2, padding = "causal", dilation_rate = dilation) |> split(2, axis = -1)
  return x + (tanh(a) * sigmoid(b) |> conv1d(c, 1))
}

"""


def draw(weights, rng):
    """Values for weights of these shapes."""
    def value(name, shape):
        if len(shape) > 1:
            return rng.standard_normal(shape, dtype=np.float32) / np.float32(np.sqrt(prod(shape[:-1])))
        return np.ones(shape, np.float32) if name == "gamma" else np.zeros(shape, np.float32)

    return {name: value(name, shape) for name, shape in weights.items()}


def channels_first(kernel):
    """A kernel as PyTorch and ONNX have it: results first, then channels, then places."""
    return np.moveaxis(kernel, (-1, -2), (0, 1))
