"""PyTorch, eager or compiled."""

from math import prod

import numpy as np

import cases
from layers import BatchNorm, Conv, Dense, Flatten, Gated, MaxPool, channels_first


def channels_second(x):
    """A view of samples whose channels are last: what PyTorch calls channels_last memory."""
    return x.movedim(-1, 1) if x.dim() > 2 else x


class Torch:
    def __init__(self, threads, compiled):
        import torch

        self.torch = torch
        self.compiled = compiled
        torch.set_num_threads(threads)

    def version(self):
        return self.torch.__version__

    def gated(self, channels, dilation):
        torch, nn = self.torch, self.torch.nn

        class Block(nn.Module):
            def __init__(self):
                super().__init__()
                self.halves = nn.Conv1d(channels, 2 * channels, 2, dilation=dilation)
                self.mixed = nn.Conv1d(channels, channels, 1)

            def forward(self, x):
                a, b = self.halves(nn.functional.pad(x, (dilation, 0))).chunk(2, 1)
                return x + self.mixed(torch.tanh(a) * torch.sigmoid(b))

        return Block()

    def module(self, layer, shape):
        nn, channels = self.torch.nn, shape[-1]
        if isinstance(layer, Dense):
            return nn.Linear(channels, layer.units)
        if isinstance(layer, Conv):
            convolution = nn.Conv1d if len(shape) == 2 else nn.Conv2d
            return convolution(channels, layer.filters, layer.size, padding=layer.size // 2 if layer.same else 0,
                               bias=layer.use_bias)
        if isinstance(layer, Gated):
            return self.gated(channels, layer.dilation)
        return {MaxPool: lambda: nn.MaxPool2d(2), Flatten: nn.Flatten,
                BatchNorm: lambda: nn.BatchNorm2d(channels)}[type(layer)]()

    def network(self, case, with_last=True):
        nn = self.torch.nn
        activations = {"tanh": nn.Tanh, "relu": nn.ReLU, "sigmoid": nn.Sigmoid, "softmax": lambda: nn.Softmax(dim=1)}
        modules = []
        for i, (layer, shape) in enumerate(zip(case.layers, case.shapes)):
            modules.append(self.module(layer, shape))
            last = i + 1 == len(case.layers)
            if layer.activation != "linear" and (with_last or not last or layer.activation == "tanh"):
                modules.append(activations[layer.activation]())
        model = nn.Sequential(*modules)
        return model.to(memory_format=self.torch.channels_last) if len(case.shape) == 3 else model

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
        model, _, _, epochs = self.prepare(case)
        epochs(case.epochs)
        self.torch.save(model.state_dict(), path)

    def prepare(self, case, dtype=None):
        """The network, its optimizer, and functions that make one step, and so many epochs, or batches at most."""
        torch = self.torch
        x, t = (torch.from_numpy(array).to(dtype or torch.float32) for array in cases.data(case))
        # Losses take logits, as the peer's own documentation advises.
        model = self.network(case, with_last=False).to(dtype or torch.float32)
        loss, optimizer = self.loss(case), self.optimizer(case, model.parameters())

        def value(batch_x, batch_t):
            return loss(model(batch_x), batch_t)

        if self.compiled:
            value = torch.compile(value)

        def step(rows):
            optimizer.zero_grad()
            result = value(channels_second(x[rows]), channels_second(t[rows]))
            result.backward()
            optimizer.step()
            return result

        def epochs(count, limit=None):
            for _ in range(count):
                order = torch.randperm(case.samples)
                for number, rows in enumerate(order.split(case.batch)):
                    step(rows)
                    if number == limit:
                        return

        return model, optimizer, step, epochs

    def trainer(self, case):
        *_, epochs = self.prepare(case)
        epochs(1, None if case.samples <= 4096 else 20)
        return lambda: epochs(case.epochs)

    def losses(self, case, path, steps):
        """Of so many steps with the first batch, from weights that Tarn wrote, in float64."""
        torch = self.torch
        model, optimizer, step, _ = self.prepare(case, torch.float64)
        weights = np.load(path)
        flat = next((shape for layer, shape in zip(case.layers, case.shapes) if isinstance(layer, Flatten)), None)
        with torch.no_grad():
            for parameter, name in zip(model.parameters(), case.weights, strict=True):
                value = weights[name]
                if flat and value.ndim == 2 and len(value) == prod(flat):  # what Flatten makes has channels first
                    value = np.moveaxis(value.reshape(*flat, -1), -2, 0).reshape(value.shape)
                parameter.copy_(torch.from_numpy(channels_first(value) if value.ndim > 1 else value))
        losses = []
        for number in range(1, steps + 1):
            if case.optimizer == "adam":  # Keras and Tarn add epsilon before they correct the bias
                optimizer.param_groups[0]["eps"] = 1e-7 / (1 - 0.999**number) ** 0.5
            losses.append(step(slice(case.batch)).item())
        return losses

    def predictor(self, case, samples):
        torch = self.torch
        model = self.network(case).eval()
        if self.compiled:
            model = torch.compile(model)
        x = channels_second(torch.rand(samples, *case.shape))

        def call():
            with torch.inference_mode():
                return model(x)

        return call
