"""Runs an ONNX model in onnxruntime: run_onnx.py MODEL INPUTS.npz OUTPUTS.npz"""
import sys

import numpy as np
import onnx
import onnxruntime

model, inputs, outputs = sys.argv[1:]
onnx.checker.check_model(model, full_check=True)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
names = [output.name for output in session.get_outputs()]
np.savez(outputs, **dict(zip(names, session.run(names, dict(np.load(inputs))))))
