"""Reads a run's folder with others' readers and prints what they found, as JSON.

  read_run.py RUN

Event files by TensorBoard's own event accumulator, model.safetensors by the safetensors package.
"""
import glob
import json
import sys

from safetensors import safe_open
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = sys.argv[1]
(events,) = glob.glob(run + "/events.out.tfevents.*")
accumulator = EventAccumulator(events)
accumulator.Reload()
scalars = {
    tag: [[event.step, event.value] for event in accumulator.Scalars(tag)]
    for tag in accumulator.Tags()["scalars"]
}
arrays = {}
with safe_open(run + "/model.safetensors", framework="numpy") as file:
    metadata = file.metadata()
    for name in file.keys():
        array = file.get_tensor(name)
        arrays[name] = {
            "dtype": str(array.dtype),
            "shape": list(array.shape),
            "sum": float(array.astype("float64").sum()),
        }
print(json.dumps({"scalars": scalars, "arrays": arrays, "metadata": metadata}))
