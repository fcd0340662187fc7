"""HDF5 files that are damaged or lie, for HDF5Tests: hostile_hdf5.py FOLDER."""

import sys
from pathlib import Path

import h5py
import numpy as np

folder = Path(sys.argv[1])
numbers = np.arange(12, dtype=np.float32).reshape(3, 4)


def file(name):
    return h5py.File(folder / f"{name}.h5", "w")


def patched(name, source, old, new):
    """Another file's bytes, with the first occurrence of some replaced."""
    data = (folder / f"{source}.h5").read_bytes()
    assert old in data, (name, old)
    (folder / f"{name}.h5").write_bytes(data.replace(old, new, 1))


with file("whole") as f:
    f["a"] = numbers
    f["group/half"] = numbers.astype(np.float16)
    f["big_endian"] = numbers.astype(">f8")
    f["small"] = np.arange(-2, 3, dtype=np.int8)
    f["large"] = np.array([2**63 + 1], dtype=np.uint64)
    f["scalar"] = np.float32(2.5)
    f["empty"] = np.zeros((0, 3), np.float32)
    f["text"] = "no number"
    f["nothing"] = h5py.Empty("f4")
    f.create_dataset("packed", data=np.arange(600_000, dtype=np.float64).reshape(1000, 600),
                     chunks=(7, 100), compression="gzip", shuffle=True)
    # These bytes begin a heap only where libhdf5 looks for one.
    f["innocent"] = np.frombuffer(b"GCOL" + bytes(28), np.uint8)
    # The same dataset under another name, and a group that holds itself.
    f["again"] = f["a"]
    f["group/cycle"] = f["group"]
    f["lost"] = h5py.SoftLink("/nowhere")
    f["outside"] = h5py.ExternalLink("other.h5", "/a")

with file("attribute") as f:
    f["a"] = numbers
    f.attrs["model_config"] = "of variable length"

data = (folder / "whole.h5").read_bytes()
(folder / "cut.h5").write_bytes(data[:600])
(folder / "signature.h5").write_bytes(data[:8] + b"\xff" * 92)
# A heap in which an object takes no room, or more than there is.
heap = (folder / "attribute.h5").read_bytes()
start = heap.index(b"GCOL") + 16
for name, size in (("heap_of_zeros", 0), ("heap_of_2_63", 2**63)):
    (folder / f"{name}.h5").write_bytes(
        heap[:start] + bytes(8) + size.to_bytes(8, "little") + heap[start + 16:])

with file("external") as f:
    f.create_dataset("a", (4,), "f4", external=[("/etc/hostname", 0, 16)])
layout = h5py.VirtualLayout((3, 4), "f4")
layout[:] = h5py.VirtualSource(folder / "whole.h5", "a", (3, 4))
with file("virtual") as f:
    f.create_virtual_dataset("a", layout)

with file("bomb") as f:
    f.create_dataset("a", (1 << 20, 1 << 10), "f4", chunks=(1 << 10, 1 << 10), compression="gzip")
with file("many_bombs") as f:
    for i in range(32):
        f.create_dataset(f"a{i}", data=np.zeros(1 << 20, np.float32), compression="gzip")
with file("huge") as f:
    f.create_dataset("a", (1 << 62, 8), "f4", chunks=(1, 8))
with file("huge_chunk") as f:
    f.create_dataset("a", (4, 4), "f4", chunks=(4, 4), maxshape=(None, None))
patched("huge_chunk", "huge_chunk", bytes([4, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0]),
        bytes([255, 255, 255, 127, 255, 255, 255, 127, 4, 0, 0, 0]))

with file("packed") as f:
    f.create_dataset("a", data=np.zeros((64, 64), np.float32), chunks=(64, 64), compression="gzip")
packed = (folder / "packed.h5").read_bytes()
place = packed.rindex(b"\x78\x5e") if b"\x78\x5e" in packed else packed.rindex(b"\x78\x9c")
(folder / "packed.h5").write_bytes(packed[:place + 2] + b"\xff" * 8 + packed[place + 10:])

with file("deep") as f:
    group = f
    for _ in range(3000):
        group = group.create_group("g")
    group["a"] = numbers
