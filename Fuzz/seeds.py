"""Seeds for a fuzzer, from the files of the tests: seeds.py READER FOLDER [UNROLL]"""
import glob
import shutil
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

reader, folder, unroll = (sys.argv[1:] + [""])[:3]
golden = Path(__file__).parent.parent / "Tests" / "Golden"
copied = {
    "npz": ["files/torch_*.npz"], "torch": ["files/*.pt"], "onnx": ["files/*.onnx", "onnx/onnx_*_T1_*.onnx"],
    "hdf5": ["tf2/*.h5", "files/*.keras"],
}
for pattern in copied.get(reader, []):
    for file in glob.glob(str(golden / pattern)):
        shutil.copy(file, folder)
if reader == "npy":
    with zipfile.ZipFile(golden / "tf1/BasicRNNCell_T5_B4_I3_H2_f32.npz") as archive:
        for index, name in enumerate(archive.namelist()[:8]):
            Path(folder, str(index)).write_bytes(archive.read(name))
elif reader == "safetensors":
    source = golden / "files/torch_lstm_cell.pt"
    for name, options in [("a", ["--to", "pytorch"]), ("b", [])]:
        subprocess.run([unroll, "convert", source, f"{folder}/{name}.safetensors", *options],
                       check=True, stdout=subprocess.DEVNULL)
elif reader == "http":
    # Where the rest is divided, then requests.
    for index, text in enumerate([
            "GET /api/lab?cell=gru&scale=2 HTTP/1.1\r\nHost: localhost:8080\r\nConnection: close\r\n\r\n",
            "\r\nHEAD http://h:80/?a HTTP/1.0\r\nHost:h\r\nA: b \t\r\n\r\nGET / HTTP/1.1\r\nCookie: a=b; c\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "GET / HTTP/2.0\r\n\r\n", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET /\0 HTTP/1.1\nA : b\n\n"]):
        Path(folder, str(index)).write_bytes(bytes([20 * index]) + text.encode())
elif reader == "tensorflow":
    # The length of the index, the index, the data.
    index, data = ((golden / f"files/tf1_gru_stack{end}").read_bytes()
                   for end in (".index", ".data-00000-of-00001"))
    Path(folder, "a").write_bytes(struct.pack("<H", len(index)) + index + data)
