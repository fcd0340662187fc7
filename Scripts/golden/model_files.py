"""Model files of other programs, and what those programs compute with them.

    thenv/bin/python model_files.py torch --out Tests/Golden/files       (PyTorch)
    thenv/bin/python model_files.py torch-state --out Tests/Golden/files  (PyTorch, safetensors)
    thenv/bin/python model_files.py keras --out Tests/Golden/files        (Keras 3, and again in tfenv: Keras 2)
    thenv/bin/python model_files.py mlx --out Tests/Golden/files          (MLX)
    t2o/bin/python model_files.py tf2onnx --out Tests/Golden/files        (tf2onnx, TensorFlow 2.15, run by onnxruntime)
    tfenv/bin/python model_files.py tensorflow1 --out Tests/Golden/files  (TensorFlow 2.15, cells of 1.x)

For each NAME a model file and NAME.npz with x [T,B,D], hidden<i> and cell<i> [B,...] for each layer
(from the input upward, forward before backward) and y [T,B,...]. All numbers, biases too, are drawn.
"""
import argparse
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402

from model_files_torch import B, D, T, torch_files, torch_onnx_files, torch_state_files  # noqa: E402


def keras_files(out):
    """The same models by whichever Keras is there: keras2_*, keras3_*."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import tensorflow as tf
        keras = tf.keras
    except ImportError:
        import keras
    version = keras.__version__ if hasattr(keras, "__version__") else tf.__version__
    major = "keras3" if version.startswith("3") else "keras2"
    layers = keras.layers
    rng = np.random.RandomState(7)

    def save(name, stack, endings):
        model = keras.Sequential([keras.Input((None, D))] + stack)
        for layer in model.layers:
            layer.set_weights([rng.uniform(-0.8, 0.8, w.shape).astype(np.float32) for w in layer.get_weights()])
        x = rng.uniform(-1, 1, (B, T, D)).astype(np.float32)
        y = np.asarray(model.predict(x, verbose=0))
        np.savez(os.path.join(out, "%s_%s.npz" % (major, name)), x=x.swapaxes(0, 1), y=y.swapaxes(0, 1))
        for ending in endings:
            path = os.path.join(out, "%s_%s.%s" % (major, name, ending))
            if ending == "weights.h5":
                model.save_weights(path)
            else:
                model.save(path)

    save("mixed", [
        layers.Bidirectional(layers.LSTM(5, return_sequences=True)),
        layers.GRU(4, return_sequences=True, reset_after=False),
        layers.GRU(3, return_sequences=True)], ["keras", "h5", "weights.h5"])
    save("cells", [layers.RNN(layers.StackedRNNCells([layers.GRUCell(5), layers.GRUCell(4)]), return_sequences=True)], ["keras"])
    save("functions", [
        layers.SimpleRNN(5, activation="relu", return_sequences=True, use_bias=False),
        layers.LSTM(4, recurrent_activation="hard_sigmoid", return_sequences=True)], ["keras"])
    print(major, version)


def mlx_files(out):
    """MLX's layers with a state, and its GRU without one, which leaves r * bhn out of the first step."""
    import mlx.core as mx
    import mlx.nn as nn

    rng = np.random.RandomState(11)

    class Stack(nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = layers

    def drawn(*shape):
        return mx.array(rng.uniform(-0.8, 0.8, shape).astype(np.float32))

    def run(name, layers, cells=False):
        model = Stack(layers)
        model.update({"layers": [{k: drawn(*v.shape) for k, v in layer.parameters().items()} for layer in layers]})
        model.save_weights(os.path.join(out, name + ".safetensors"))
        x = drawn(B, T, D)
        arrays, y = {"x": np.array(x).swapaxes(0, 1)}, x
        for i, layer in enumerate(layers):
            size = layer.Whh.shape[1] if hasattr(layer, "Whh") else layer.Wh.shape[1]
            hidden = drawn(B, size)
            arrays["hidden%d" % i] = np.array(hidden)
            if cells:
                cell = drawn(B, size)
                arrays["cell%d" % i] = np.array(cell)
                y, _ = layer(y, hidden, cell)
            else:
                y = layer(y, hidden)
        arrays["y"] = np.array(y).swapaxes(0, 1)
        np.savez(os.path.join(out, name + ".npz"), **arrays)
        if name == "mlx_gru_stack":
            apart = [np.array(f(x) - f(x, mx.zeros((B, layers[0].Wh.shape[1])))) for f in layers[:1]][0]
            print("MLX's GRU without a state is away from one of zeros by", [float(np.abs(apart[:, t]).max()) for t in range(T)])

    run("mlx_gru_stack", [nn.GRU(D, 5), nn.GRU(5, 3)])
    run("mlx_lstm", [nn.LSTM(D, 6)], cells=True)
    run("mlx_rnn", [nn.RNN(D, 6)])
    print("mlx", mx.__version__)


def tf2onnx_files(out):
    """A Keras model as tf2onnx exports it."""
    import onnx
    import onnxruntime
    import tensorflow as tf
    import tf2onnx

    layers = tf.keras.layers
    rng = np.random.RandomState(13)
    model = tf.keras.Sequential([
        tf.keras.Input((None, D)),
        layers.Bidirectional(layers.LSTM(5, return_sequences=True)),
        layers.GRU(4, return_sequences=True),
        layers.Dense(3, activation="softmax")])
    for layer in model.layers:
        layer.set_weights([rng.uniform(-0.8, 0.8, w.shape).astype(np.float32) for w in layer.get_weights()])
    path = os.path.join(out, "tf2onnx_mixed.onnx")
    exported, _ = tf2onnx.convert.from_keras(model, opset=14, output_path=path)
    x = rng.uniform(-1, 1, (B, T, D)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name, result = session.get_inputs()[0].name, session.get_outputs()[0].name
    y = session.run(None, {name: x})[0]
    print("away from Keras by", float(np.abs(y - model.predict(x, verbose=0)).max()))
    np.savez(os.path.join(out, "tf2onnx_mixed.npz"), **{name: x, result: y})
    print(sorted({n.op_type for n in exported.graph.node}), onnx.__version__, tf2onnx.__version__)


def tensorflow1_files(out):
    import tensorflow as tf

    tf1 = tf.compat.v1
    cells = tf1.nn.rnn_cell

    def run(name, build, dtype):
        with tf.Graph().as_default():
            tf1.set_random_seed(1)
            init = tf1.random_uniform_initializer(-0.8, 0.8, seed=3)
            rng = np.random.RandomState(sum(map(ord, name)))
            x = rng.uniform(-1, 1, (T, B, D)).astype(dtype)
            with tf1.variable_scope("model", initializer=init, dtype=dtype):
                outputs, states = build(tf.constant(x))
            arrays = {"x": x}
            with tf1.Session() as session:
                session.run(tf1.global_variables_initializer())
                for variable in tf1.global_variables():
                    value = rng.uniform(-0.8, 0.8, variable.shape.as_list()).astype(dtype)
                    variable.load(value, session)
                arrays["y"], values = session.run([outputs, states])
                for i, (hidden, cell) in enumerate(values):
                    arrays["hidden%d" % i] = hidden
                    if cell is not None:
                        arrays["cell%d" % i] = cell
                tf1.train.Saver().save(session, os.path.join(out, name), write_meta_graph=False, write_state=False)
            np.savez(os.path.join(out, name + ".npz"), **arrays)

    def constant(shape, seed, dtype):
        return tf.constant(np.random.RandomState(seed).uniform(-1, 1, shape).astype(dtype))

    def gru_stack(x):
        sizes = [5, 6]
        cell = cells.MultiRNNCell([cells.GRUCell(n) for n in sizes])
        states = tuple(constant((B, n), n, x.dtype.as_numpy_dtype) for n in sizes)
        y, _ = tf1.nn.dynamic_rnn(cell, x, initial_state=states, time_major=True)
        return y, [(s, tf.zeros((B, 0), x.dtype)) for s in states]

    def lstm_both(x):
        kind = x.dtype.as_numpy_dtype
        layers = [cells.LSTMCell(6, use_peepholes=True, num_proj=3), cells.LSTMCell(6, use_peepholes=True, num_proj=3)]
        states = [cells.LSTMStateTuple(constant((B, 6), 1 + i, kind), constant((B, 3), 7 + i, kind)) for i in (0, 1)]
        y, _ = tf1.nn.bidirectional_dynamic_rnn(layers[0], layers[1], x, initial_state_fw=states[0], initial_state_bw=states[1], time_major=True)
        return tf.concat(y, -1), [(s.h, s.c) for s in states]

    def basic(x):
        cell = cells.BasicLSTMCell(5)
        state = cells.LSTMStateTuple(constant((B, 5), 1, x.dtype.as_numpy_dtype), constant((B, 5), 2, x.dtype.as_numpy_dtype))
        y, _ = tf1.nn.dynamic_rnn(cell, x, initial_state=state, time_major=True)
        return y, [(state.h, state.c)]

    run("tf1_gru_stack", gru_stack, np.float32)
    run("tf1_lstm_both", lstm_both, np.float64)
    run("tf1_basic_lstm", basic, np.float32)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("program", choices=["torch", "torch-state", "torch-onnx", "keras", "mlx", "tf2onnx", "tensorflow1"])
    parser.add_argument("--out", required=True)
    arguments = parser.parse_args()
    os.makedirs(arguments.out, exist_ok=True)
    {"torch": torch_files, "torch-state": torch_state_files, "torch-onnx": torch_onnx_files, "keras": keras_files, "mlx": mlx_files, "tf2onnx": tf2onnx_files, "tensorflow1": tensorflow1_files}[arguments.program](arguments.out)
    print(sys.version.split()[0], np.__version__, sorted(os.listdir(arguments.out)))
