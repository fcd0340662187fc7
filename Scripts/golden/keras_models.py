"""Keras models that are more than a stack, and what parts of them compute.

    thenv/bin/python keras_models.py --out Tests/Golden/files   (Keras 3: keras3_*)
    tfenv/bin/python keras_models.py --out Tests/Golden/files   (TensorFlow 2.15: keras2_*)

NAME.npz has PART.x [T,B,D] and PART.y [T,B,...] for the parts of a model that `--prefix` takes, or x and y
of the whole. All numbers, biases too, are drawn.
"""
import argparse
import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np  # noqa: E402

try:
    import tensorflow as tf
    keras = tf.keras
    TAG = "keras2"
except ImportError:
    import keras
    tf = None
    TAG = "keras3"
layers = keras.layers
T, B, D = 5, 3, 4
rng = np.random.RandomState(20251130)


def fill(model):
    for layer in model.layers:
        layer.set_weights([rng.uniform(-0.8, 0.8, w.shape).astype(np.float32) for w in layer.get_weights()])
    return model


def drawn(*shape):
    return rng.uniform(-1, 1, shape).astype(np.float32)


def predict(model, x):
    return np.asarray(model.predict(x, verbose=0))


def time_first(x):
    return x.swapaxes(0, 1)


def cells(out):
    """Cells of a stack by names that are not in the order of the alphabet."""
    stack = [layers.GRUCell(5, name="lower"), layers.LSTMCell(3, name="between"), layers.GRUCell(4, name="above", reset_after=False)]
    model = fill(keras.Sequential([keras.Input((T, D)), layers.RNN(stack, return_sequences=True)]))
    x = drawn(B, T, D)
    model.save(os.path.join(out, TAG + "_stacked.h5"))
    np.savez(os.path.join(out, TAG + "_stacked.npz"), x=time_first(x), y=time_first(predict(model, x)))


def graph(out):
    """A model within the model, a layer between, branches, and states that go from one layer to another."""
    encoder = keras.Sequential(
        [keras.Input((T, D)), layers.GRU(4, return_sequences=True, name="lower"), layers.Dropout(0.1),
         layers.LSTM(3, return_sequences=True, name="upper")], name="encoder")
    a, b = keras.Input((T, D), name="a"), keras.Input((T, D), name="b")
    left, h, c = layers.LSTM(5, return_sequences=True, return_state=True, name="left")(layers.BatchNormalization()(encoder(a)))
    right = layers.Bidirectional(layers.GRU(2, return_sequences=True), name="right")(b)
    decoder = layers.LSTM(5, return_sequences=True, name="decoder")
    model = fill(keras.Model([a, b], layers.Concatenate()([left, right, decoder(b, initial_state=[h, c])])))
    arrays = {}
    for name, layer, size in [("encoder", encoder, D), ("encoder/upper", encoder.layers[-1], 4), ("left", model.get_layer("left"), 3),
                              ("right", model.get_layer("right"), D), ("decoder", decoder, D)]:
        x, start = drawn(B, T, size), keras.Input((T, size))
        y = layer(start)
        arrays[name + ".x"] = time_first(x)
        arrays[name + ".y"] = time_first(predict(keras.Model(start, y[0] if isinstance(y, (list, tuple)) else y), x))
    model.save(os.path.join(out, TAG + ("_graph.keras" if TAG == "keras3" else "_graph.h5")))
    np.savez(os.path.join(out, TAG + "_graph.npz"), **arrays)


def cudnn(out):
    """Layers for GPUs alone; Keras itself converts their weights when a model of plain layers loads them."""
    old = tf.compat.v1.keras.layers
    model = fill(keras.Sequential([
        keras.Input((T, D)), keras.layers.Bidirectional(old.CuDNNLSTM(3, return_sequences=True, name="lstm"), name="both"),
        old.CuDNNGRU(4, return_sequences=True, name="gru")]))
    model.save(os.path.join(out, "keras2_cudnn.h5"))
    plain = keras.Sequential([
        keras.Input((T, D)), layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="lstm"), name="both"),
        layers.GRU(4, return_sequences=True, name="gru")])
    plain.load_weights(os.path.join(out, "keras2_cudnn.h5"))
    x = drawn(B, T, D)
    np.savez(os.path.join(out, "keras2_cudnn.npz"), x=time_first(x), y=time_first(predict(plain, x)))


def functions(out):
    """Functions by name, and layers in the place of functions, in all three cells."""
    parts = {
        "elu": layers.GRU(4, activation="elu", recurrent_activation="softsign", return_sequences=True, name="elu"),
        "softplus": layers.LSTM(3, activation="softplus", recurrent_activation="hard_sigmoid", return_sequences=True, name="softplus"),
        "leaky": layers.SimpleRNN(5, activation="leaky_relu", return_sequences=True, name="leaky"),
        "softsign": layers.GRU(3, activation="softsign", reset_after=False, return_sequences=True, name="softsign"),
        "given": layers.LSTM(4, activation=layers.LeakyReLU(0.15), recurrent_activation=layers.ELU(0.5), return_sequences=True, name="given"),
        "relu": layers.SimpleRNN(4, activation=layers.ReLU(threshold=0.2), return_sequences=True, name="relu"),
    }
    start = keras.Input((T, D))
    model = fill(keras.Model(start, [layer(start) for layer in parts.values()]))
    x = drawn(B, T, D)
    arrays = {}
    for name, y in zip(parts, model.predict(x, verbose=0)):
        arrays[name + ".x"], arrays[name + ".y"] = time_first(x), time_first(np.asarray(y))
    model.save(os.path.join(out, "keras3_parts.keras"))
    np.savez(os.path.join(out, "keras3_parts.npz"), **arrays)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    out = parser.parse_args().out
    os.makedirs(out, exist_ok=True)
    cells(out)
    graph(out)
    if tf:
        cudnn(out)
    else:
        functions(out)
    print(TAG, (tf or keras).__version__, np.__version__)
