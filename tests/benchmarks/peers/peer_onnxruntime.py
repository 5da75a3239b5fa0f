"""ONNX Runtime, which predicts; the model is made here."""

import numpy as np

from layers import BatchNorm, Conv, Dense, Flatten, MaxPool, channels_first, draw

ACTIVATIONS = {"tanh": "Tanh", "relu": "Relu", "softmax": "Softmax", "sigmoid": "Sigmoid"}


class Graph:
    """Nodes behind each other, and their weights."""

    def __init__(self):
        self.nodes, self.weights, self.at = [], [], "x"

    def add(self, operation, *arrays, **attributes):
        from onnx import helper, numpy_helper

        number = len(self.nodes)
        names = [f"w{number}_{i}" for i in range(len(arrays))]
        self.weights += [numpy_helper.from_array(array, name) for array, name in zip(arrays, names)]
        self.nodes.append(helper.make_node(operation, [self.at, *names], [f"h{number}"], **attributes))
        self.at = f"h{number}"

    def add_layer(self, layer, shape, rng):
        weights = draw(layer.weights(shape), rng)
        if isinstance(layer, Dense):
            self.add("Gemm", *weights.values())
        elif isinstance(layer, Conv):
            kernel, *bias = weights.values()
            pads = [layer.size // 2 if layer.same else 0] * (2 * (len(shape) - 1))
            self.add("Conv", np.ascontiguousarray(channels_first(kernel)), *bias, pads=pads)
        elif isinstance(layer, BatchNorm):
            zeros, ones = weights["beta"], weights["gamma"]
            self.add("BatchNormalization", ones, zeros, zeros, ones, epsilon=1e-5)
        elif isinstance(layer, MaxPool):
            self.add("MaxPool", kernel_shape=[2, 2], strides=[2, 2])
        elif isinstance(layer, Flatten):
            self.add("Flatten")
        else:
            raise NotImplementedError("has no such layer here")
        if layer.activation != "linear":
            self.add(ACTIVATIONS[layer.activation])


class OnnxRuntime:
    def __init__(self, threads):
        import onnxruntime

        self.ort = onnxruntime
        self.threads = threads

    def version(self):
        return self.ort.__version__

    def trainer(self, case):
        raise NotImplementedError("does not train")

    def predictor(self, case, samples):
        import onnx
        from onnx import helper

        rng, nodes = np.random.default_rng(0), Graph()
        for layer, shape in zip(case.layers, case.shapes):
            nodes.add_layer(layer, shape, rng)
        extents = (samples, case.shape[-1], *case.shape[:-1])
        of = lambda name, shape: helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        graph = helper.make_graph(nodes.nodes, "case", [of("x", extents)], [of(nodes.at, (samples, case.outputs))],
                                  nodes.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
        model.ir_version = 8
        options = self.ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        session = self.ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        # Bound buffers: the fastest way that its Python interface has.
        x = rng.random(extents, dtype=np.float32)
        binding = session.io_binding()
        binding.bind_cpu_input("x", x)
        binding.bind_output(nodes.at, "cpu")
        return lambda: session.run_with_iobinding(binding)
