"""Reads networks that Unroll wrote with the programs they are meant for, and runs them.

    read_back.py torch FOLDER        FOLDER/<name>.safetensors, PyTorch's names
    read_back.py keras FOLDER        FOLDER/<name>.weights.h5, by whichever Keras is there
    read_back.py tensorflow1 FOLDER  FOLDER/<name>.index

Beside each file lies <name>.npz with x [T,B,D] and y [T,B,...], what Unroll computes from a state of
zeros; prints a line `<name> <largest difference>` for each.
"""
import glob
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402

D = 4


def torch_results(folder):
    import torch
    from safetensors.torch import load_file
    from torch import nn

    modules = {"gru_stack": nn.GRU(D, 5, 2, bidirectional=True), "lstm": nn.LSTM(D, 6)}
    for name, module in modules.items():
        module.load_state_dict(load_file("%s/%s.safetensors" % (folder, name)), strict=True)
        with torch.no_grad():
            yield name, lambda x: module(torch.from_numpy(x))[0].numpy()


def keras_results(folder):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    try:
        import tensorflow as tf
        keras = tf.keras
    except ImportError:
        import keras
    layers = keras.layers
    stacks = {
        "mixed": [
            layers.Bidirectional(layers.LSTM(5, return_sequences=True)),
            layers.GRU(4, return_sequences=True, reset_after=False),
            layers.GRU(3, return_sequences=True)],
        "rnn": [layers.SimpleRNN(5, return_sequences=True)]}
    for name, stack in stacks.items():
        model = keras.Sequential([keras.Input((None, D))] + stack)
        model.load_weights("%s/%s.weights.h5" % (folder, name))
        yield name, lambda x: np.asarray(model.predict(x.swapaxes(0, 1), verbose=0)).swapaxes(0, 1)


def tensorflow1_results(folder):
    import tensorflow as tf

    tf1 = tf.compat.v1
    cells = tf1.nn.rnn_cell
    builds = {
        "tf_gru": lambda x: tf1.nn.dynamic_rnn(
            cells.MultiRNNCell([cells.GRUCell(5), cells.GRUCell(6)]), x, dtype=x.dtype, time_major=True)[0],
        "tf_lstm": lambda x: tf1.nn.dynamic_rnn(cells.LSTMCell(6), x, dtype=x.dtype, time_major=True)[0]}
    for name, build in builds.items():
        with tf.Graph().as_default():
            x = tf1.placeholder(tf.float32, [None, None, D])
            y = build(x)
            with tf1.Session() as session:
                tf1.train.Saver().restore(session, "%s/%s" % (folder, name))
                yield name, lambda values: session.run(y, {x: values})


if __name__ == "__main__":
    program, folder = sys.argv[1:]
    for name, run in {"torch": torch_results, "keras": keras_results, "tensorflow1": tensorflow1_results}[program](folder):
        arrays = np.load("%s/%s.npz" % (folder, name))
        print(name, float(np.abs(run(arrays["x"]) - arrays["y"]).max()))
