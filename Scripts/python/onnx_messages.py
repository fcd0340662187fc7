"""Reads a message with onnx, prints its fields and writes it again: onnx_messages.py MODEL COPY"""
import sys

import onnx
from google.protobuf import text_format

source, copy = sys.argv[1:]
model = onnx.ModelProto.FromString(open(source, "rb").read())
print(text_format.MessageToString(model), end="")
with open(copy, "wb") as file:
    file.write(model.SerializeToString())
