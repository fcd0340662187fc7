"""A graph of what the other golden graphs do not have, and what onnxruntime computes with it.

    onnxenv/bin/python onnx_graphs.py --out Tests/Golden/files      (onnx, onnxruntime)

onnx_functions.onnx: four levels with every function that recurrent operators have besides tanh, sigmoid and relu; a
level that reads backward only; a clip; an If that only squeezes, as torch writes it; the weights in a file beside the
model, onnx_functions.data. onnx_functions.npz: x [T,B,D], hidden<i> and cell<i> for each layer, y [T,B,H].
"""
import argparse
import os

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

T, B, D = 5, 3, 4


def main(out):
    rng = np.random.RandomState(25)
    draw = lambda *shape: rng.uniform(-0.8, 0.8, shape).astype(np.float32)
    arrays = {"one": np.array([1], np.int64), "number": np.array(1, np.int64), "shape": np.array([0, 0, -1], np.int64)}
    nodes, inputs, values = [], [], {"x": draw(T, B, D)}
    value = helper.make_tensor_value_info

    def level(index, cell, x, features, hidden, directions=1, **settings):
        gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[cell]
        for name, shape in (("W", (gates * hidden, features)), ("R", (gates * hidden, hidden)), ("B", (2 * gates * hidden,))):
            arrays[f"{name}{index}"] = draw(directions, *shape)
        states = [f"hidden_{index}"] + ([f"cell_{index}"] if cell == "LSTM" else [])
        for state in states:
            inputs.append(value(state, TensorProto.FLOAT, [directions, "batch", hidden]))
            values[state] = draw(directions, B, hidden)
        nodes.append(helper.make_node(
            cell, [x, f"W{index}", f"R{index}", f"B{index}", "", *states], [f"steps{index}"], hidden_size=hidden, **settings))

    level(0, "RNN", "x", D, 5, direction="reverse", activations=["ScaledTanh"], activation_alpha=[1.5], activation_beta=[0.7])
    branch = lambda node, name: helper.make_graph([node], name, [], [value(name, TensorProto.FLOAT, None)])
    nodes.extend([
        helper.make_node("Shape", ["steps0"], ["size"]),
        helper.make_node("Gather", ["size", "number"], ["directions"], axis=0),
        helper.make_node("Equal", ["directions", "number"], ["isOne"]),
        helper.make_node(
            "If", ["isOne"], ["x1"], then_branch=branch(helper.make_node("Squeeze", ["steps0", "one"], ["squeezed"]), "squeezed"),
            else_branch=branch(helper.make_node("Identity", ["steps0"], ["same"]), "same"))])
    level(1, "GRU", "x1", 5, 3, 2, direction="bidirectional", linear_before_reset=1, clip=0.75,
          activations=["HardSigmoid", "Elu", "Sigmoid", "LeakyRelu"], activation_alpha=[0.3, 0.7, 0.1], activation_beta=[0.4])
    nodes.extend([
        helper.make_node("Transpose", ["steps1"], ["turned"], perm=[0, 2, 1, 3]),
        helper.make_node("Reshape", ["turned", "shape"], ["x2"])])
    level(2, "LSTM", "x2", 6, 4, activations=["Sigmoid", "ThresholdedRelu", "Affine"], activation_alpha=[0.2, 0.5], activation_beta=[0.1])
    nodes.append(helper.make_node("Squeeze", ["steps2", "one"], ["x3"]))
    level(3, "LSTM", "x3", 4, 4, activations=["HardSigmoid", "Softsign", "Softplus"])
    nodes.append(helper.make_node("Squeeze", ["steps3", "one"], ["y"]))
    graph = helper.make_graph(
        nodes, "graph", [value("x", TensorProto.FLOAT, ["time", "batch", D]), *inputs],
        [value("y", TensorProto.FLOAT, ["time", "batch", 4])], [numpy_helper.from_array(a, n) for n, a in arrays.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = os.path.join(out, "onnx_functions.onnx")
    data = os.path.join(out, "onnx_functions.data")
    if os.path.exists(data):
        os.remove(data)
    onnx.save(model, path, save_as_external_data=True, location="onnx_functions.data", size_threshold=100)
    y = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(["y"], values)[0]
    states = {}
    for name, array in values.items():
        if name == "x":
            continue
        kind, index = name.split("_")
        # Layers are counted from the input upward, forward before backward.
        first = int(index) + (1 if int(index) > 1 else 0)
        for direction in range(len(array)):
            states[f"{kind}{first + direction}"] = array[direction]
    np.savez(os.path.join(out, "onnx_functions.npz"), x=values["x"], y=y, **states)
    print(onnx.__version__, onnxruntime.__version__, float(np.abs(y).max()), sorted(states))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    main(parser.parse_args().out)
