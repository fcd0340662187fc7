"""Memory capacity with reservoirpy 0.4.2: memory_capacity_oracle.py SETDIR writes files/memory_capacity.npz.

A reservoir of 6 units on one input of 12 sequences; a ridge readout for each delay is fitted to the first six and judged on the
others, after the first DELAY steps. `determination` holds R² at the delays 0 to DELAY.
"""
import sys
from pathlib import Path

import numpy as np
from reservoirpy.nodes import Reservoir, Ridge

UNITS, DELAY, SEQUENCES, STEPS, RIDGE = 6, 12, 12, 80, 1e-9

random = np.random.RandomState(2001)
weights = random.uniform(-0.5, 0.5, (UNITS, UNITS)) * 1.5
inputs_to_units = random.uniform(-1, 1, (UNITS, 1))
bias = random.uniform(-0.3, 0.3, UNITS)
inputs = random.uniform(-0.5, 0.5, (SEQUENCES, STEPS, 1))

reservoir = Reservoir(W=weights, Win=inputs_to_units, bias=bias, lr=1.0)
reservoir.initialize(inputs[0])
states = np.zeros((SEQUENCES, STEPS, UNITS))
for index, sequence in enumerate(inputs):
    reservoir.reset()
    states[index] = reservoir.run(sequence)

half = SEQUENCES // 2
read = states[:, DELAY:].reshape(SEQUENCES, -1, UNITS)
fit, test = read[:half].reshape(-1, UNITS), read[half:].reshape(-1, UNITS)
mean = fit.mean(axis=0)
penalty = RIDGE * ((fit - mean) ** 2).sum() / UNITS
curve = []
for lag in range(DELAY + 1):
    target = inputs[:, DELAY - lag : STEPS - lag]
    train, judged = target[:half].reshape(-1, 1), target[half:].reshape(-1, 1)
    readout = Ridge(ridge=penalty)
    readout.fit(fit, train)
    predicted = readout.run(test)
    curve.append(1 - ((judged - predicted) ** 2).sum() / ((judged - judged.mean()) ** 2).sum())

np.savez(
    Path(sys.argv[1]) / "files" / "memory_capacity.npz",
    recurrent_weights=weights.T, input_weights=inputs_to_units.T, bias=bias,
    inputs=inputs.transpose(1, 0, 2).copy(), determination=np.array(curve))
print(np.round(curve, 4), sum(curve[1:]))
