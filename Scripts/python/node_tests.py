"""Prints the folder of the node tests that ship with onnx."""
import os

import onnx.backend.test

print(os.path.join(os.path.dirname(onnx.backend.test.__file__), "data", "node"))
