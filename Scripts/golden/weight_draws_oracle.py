"""Forgetting and gradients of the notebook's RNN at several scales and seeds, with NumPy alone in float64.

    python3 weight_draws_oracle.py SETDIR      writes SETDIR/files/weight_draws.json

Each seed draws, from NumPy's stream: inputs, weights, one state. `rnn` uses the notebook's sizes; for every
scale there is a row [memory, gradient median, gradient mean, gradient largest] for each of the seeds.
"""
import json
import os
import sys

import numpy as np

SEEDS = range(15009, 15049)
SCALES = [0.62, 0.97, 2.4, 8.0]
BATCH, TIME, INPUT, HIDDEN, STEP = 100, 50, 5, 8, 30


def draw(seed, scale):
    random = np.random.RandomState(seed)
    inputs = (random.rand(BATCH, TIME, INPUT).astype(np.float32) - np.float32(0.5)).astype(np.float64)

    def weights(*shape):
        return ((random.rand(*shape) - 0.5) * scale).astype(np.float32).astype(np.float64)

    recurrent, kernel, bias = weights(HIDDEN, HIDDEN), weights(INPUT, HIDDEN), weights(HIDDEN)
    other = random.rand(BATCH, HIDDEN).astype(np.float32).astype(np.float64)
    state, states = np.zeros((BATCH, HIDDEN)), []
    for step in range(STEP + 1):
        driven = inputs[:, step] @ kernel + bias
        state, other = np.tanh(driven + state @ recurrent), np.tanh(driven + other @ recurrent)
        states.append(state)
    gradient = np.ones((BATCH, HIDDEN))
    for state in reversed(states):
        gradient = (gradient * (1 - state * state)) @ recurrent.T
    distances = np.linalg.norm(states[-1] - other, axis=1)
    norms = np.linalg.norm(gradient, axis=1)
    return [float(x) for x in (np.median(distances), np.median(norms), norms.mean(), norms.max())]


def main():
    rows = [{"scale": scale, "rnn": [draw(seed, scale) for seed in SEEDS]} for scale in SCALES]
    path = os.path.join(sys.argv[1], "files", "weight_draws.json")
    with open(path, "w") as file:
        json.dump({"seeds": list(SEEDS), "step": STEP, "scales": rows}, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
