"""Keras 3 on JAX: networks of dense layers."""

import os

import numpy as np

import cases


class Keras:
    def __init__(self, threads):
        os.environ["KERAS_BACKEND"] = "jax"
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=" + ("true" if threads > 1 else "false")
        import keras

        self.keras = keras

    def version(self):
        return self.keras.__version__ + " on JAX"

    def network(self, case):
        if not case.is_dense:
            raise NotImplementedError("has no such layers here")
        keras = self.keras
        model = keras.Sequential([keras.layers.Input(case.shape)] +
                                 [keras.layers.Dense(layer.units, layer.activation) for layer in case.layers])
        optimizer = (keras.optimizers.Adam(case.rate) if case.optimizer == "adam" else
                     keras.optimizers.SGD(case.rate, momentum=0.9 if case.optimizer == "momentum" else 0.0))
        model.compile(optimizer=optimizer, loss=case.loss)
        return model

    def trainer(self, case):
        x, t = cases.data(case)
        model = self.network(case)
        model.fit(x[: case.batch * 2], t[: case.batch * 2], batch_size=case.batch, verbose=0)
        if case.samples % case.batch:
            last = case.samples % case.batch
            model.fit(x[:last], t[:last], batch_size=case.batch, verbose=0)
        return lambda: model.fit(x, t, batch_size=case.batch, epochs=case.epochs, verbose=0)

    def predictor(self, case, samples):
        model = self.network(case)
        x = np.random.default_rng(0).random((samples, *case.shape), dtype=np.float32)
        return lambda: np.asarray(model(x))
