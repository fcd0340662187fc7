"""Solves an exercise of `unroll lab exercise` with NumPy, on request with mistakes: solve_exercise.py FOLDER [MISTAKE...]

The functions of the folder's rnn.py are replaced, and its main function writes the answers.
"""
import importlib.util
import os
import sys

import numpy as np

folder, mistakes = sys.argv[1], set(sys.argv[2:])
KNOWN = {"float32", "float16", "reset_after", "inverted", "no_derivative", "squared"}
if mistakes - KNOWN:
    sys.exit(f"solve_exercise.py: expected mistakes of {sorted(KNOWN)}, found {sorted(mistakes)}")
dtype = np.float16 if "float16" in mistakes else np.float32 if "float32" in mistakes else np.float64

specification = importlib.util.spec_from_file_location("rnn", os.path.join(folder, "rnn.py"))
skeleton = importlib.util.module_from_spec(specification)
specification.loader.exec_module(skeleton)


def run(step, state, inputs):
    state, outputs = state.astype(dtype), []
    for t in range(inputs.shape[1]):
        state = step(inputs[:, t].astype(dtype), state)
        outputs.append(state)
    return np.stack(outputs, axis=1), state


def typed(*arrays):
    return [array.astype(dtype) for array in arrays]


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def rnn(wt_h, wt_x, bias, init_state, input_data):
    wt_h, wt_x, bias = typed(wt_h, wt_x, bias)
    return run(lambda x, h: np.tanh(x @ wt_x + h @ wt_h + bias), init_state, input_data)


def gru(wtu_h, wtu_x, biasu, wtr_h, wtr_x, biasr, wtc_h, wtc_x, biasc, init_state, input_data):
    weights = typed(wtu_h, wtu_x, biasu, wtr_h, wtr_x, biasr, wtc_h, wtc_x, biasc)
    wtu_h, wtu_x, biasu, wtr_h, wtr_x, biasr, wtc_h, wtc_x, biasc = weights

    def step(x, h):
        u = sigmoid(x @ wtu_x + h @ wtu_h + biasu)
        r = sigmoid(x @ wtr_x + h @ wtr_h + biasr)
        recurrent = r * (h @ wtc_h) if "reset_after" in mistakes else (r * h) @ wtc_h
        c = np.tanh(x @ wtc_x + recurrent + biasc)
        return (1 - u) * h + u * c if "inverted" in mistakes else u * h + (1 - u) * c

    return run(step, init_state, input_data)


def lstm(kernel, bias, init_state, input_data):
    kernel, bias = typed(kernel, bias)
    cell = [init_state.astype(dtype)]

    def step(x, h):
        i, g, f, o = np.split(np.concatenate([x, h], axis=1) @ kernel + bias, 4, axis=1)
        cell[0] = sigmoid(f + dtype(1)) * cell[0] + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(cell[0])

    return run(step, init_state, input_data)


def gate_weights(inputs, units, update, reset, candidate=None):
    zeros = np.zeros((units, units)), np.zeros((inputs, units)), np.zeros(units)
    candidate = candidate or zeros
    return {
        "wtu_h": zeros[0], "wtu_x": zeros[1], "biasu": zeros[2] + update,
        "wtr_h": zeros[0], "wtr_x": zeros[1], "biasr": zeros[2] + reset,
        "wtc_h": candidate[0], "wtc_x": candidate[1], "biasc": candidate[2],
    }


def distances(zero, rand1, rand2, hundred, step):
    pairs = [(zero, rand1), (zero, rand2), (rand1, rand2), (hundred, zero), (hundred, rand1), (hundred, rand2)]
    squares = [np.sum((a[:, step] - b[:, step]) ** 2, axis=1) for a, b in pairs]
    return np.stack(squares if "squared" in mistakes else np.sqrt(squares))


def gradient_norms(wt_h, wt_x, bias, init_state, input_data, step):
    wt_h, = typed(wt_h)
    outputs, _ = rnn(wt_h, wt_x, bias, init_state, input_data)
    gradient = np.ones_like(outputs[:, step])
    for t in range(step, -1, -1):
        derivative = 1 if "no_derivative" in mistakes else 1 - outputs[:, t] ** 2
        gradient = (gradient * derivative) @ wt_h.T
    return np.linalg.norm(gradient.astype(np.float64), axis=1)


skeleton.rnn, skeleton.gru, skeleton.lstm = rnn, gru, lstm
skeleton.gru_that_is_the_rnn = lambda wt_h, wt_x, bias: gate_weights(*wt_x.shape, -30, 30, (wt_h, wt_x, bias))
skeleton.distances, skeleton.gradient_norms = distances, gradient_norms
skeleton.gru_that_keeps = skeleton.gru_whose_gradient_survives = lambda inputs, units: gate_weights(inputs, units, 40, 1)
skeleton.main(folder)
