"""Copies the arrays of a .npz, .safetensors or .h5 file into an .npz: read_arrays.py FILE COPY.npz"""
import sys

import numpy as np

path, copy = sys.argv[1:]
if path.endswith(".safetensors"):
    from safetensors.numpy import load_file
    arrays = load_file(path)
elif path.endswith(".h5"):
    import h5py
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
else:
    arrays = dict(np.load(path))
np.savez(copy, **arrays)
