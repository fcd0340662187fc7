"""Files that PyTorch writes, and graphs that it exports, for model_files.py."""
import os

import numpy as np

T, B, D = 5, 3, 4


def torch_files(out):
    import torch
    from torch import nn

    torch.manual_seed(20261125)
    torch.set_num_threads(1)

    def fill(module):
        for p in module.parameters():
            nn.init.uniform_(p, -0.8, 0.8)
        return module

    def run(name, module, states, save, dtype=torch.float32):
        x = torch.rand(T, B, D, dtype=dtype) * 2 - 1
        states = [torch.rand(s, dtype=dtype) * 2 - 1 for s in states]
        with torch.no_grad():
            if isinstance(module, nn.LSTMCell):
                h, c, ys = states[0][0], states[1][0], []
                for t in range(T):
                    h, c = module(x[t], (h, c))
                    ys.append(h)
                y = torch.stack(ys)
            else:
                y, _ = module(x, tuple(states) if len(states) == 2 else states[0])
        arrays = {"x": x.numpy(), "y": y.numpy()}
        for kind, state in zip(("hidden", "cell"), states):
            for i, part in enumerate(state):
                arrays["%s%d" % (kind, i)] = part.numpy()
        np.savez(os.path.join(out, name + ".npz"), **arrays)
        torch.save(save, os.path.join(out, name + ".pt"))

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.encoder = nn.GRU(D, 5, 2, bidirectional=True)
            self.head = nn.Linear(10, 2)

    model = fill(Model())
    run("torch_gru_stack", model.encoder, [(4, B, 5)], model.state_dict())
    lstm = fill(nn.LSTM(D, 6, 2, proj_size=3)).double()
    run("torch_lstm_projected", lstm, [(2, B, 3), (2, B, 6)], lstm.state_dict(), torch.float64)
    rnn = fill(nn.RNN(D, 6, nonlinearity="relu", bias=True))
    run("torch_rnn_checkpoint", rnn, [(1, B, 6)],
        {"model": rnn.state_dict(), "epoch": 7, "loss": 0.25, "done": True, "note": "a word", "sizes": [4, 6], "nothing": None})
    cell = fill(nn.LSTMCell(D, 6))
    run("torch_lstm_cell", cell, [(1, B, 6), (1, B, 6)], cell.state_dict())
    half = fill(nn.GRU(D, 5, bias=True)).to(torch.bfloat16)
    wide = nn.GRU(D, 5)
    wide.load_state_dict(half.state_dict())
    run("torch_gru_bfloat16", wide, [(1, B, 5)], half.state_dict())
    # Views: transposed memory, an offset into a larger storage, one storage twice.
    plain = fill(nn.LSTM(D, 6))
    views = {k: (v.t().contiguous().t() if v.dim() == 2 else v) for k, v in plain.state_dict().items()}
    both = torch.cat([torch.zeros(5), views["bias_ih_l0"]])
    views["bias_ih_l0"] = both[5:]
    views["bias_again"] = both[5:]
    run("torch_lstm_views", plain, [(1, B, 6), (1, B, 6)], views)


def torch_state_files(out):
    """State dicts as programs of PyTorch write them: old containers, objects beside the weights, wrapped parameters, lists of modules, shards."""
    import argparse as ap
    import collections
    import datetime
    import decimal
    import json
    import pathlib
    import warnings

    import torch
    from safetensors.torch import save_file
    from torch import nn

    warnings.simplefilter("ignore")
    torch.manual_seed(20261130)
    torch.set_num_threads(1)
    x = torch.rand(T, B, D) * 2 - 1

    def fill(module):
        for p in module.parameters():
            nn.init.uniform_(p, -0.8, 0.8)
        return module

    def write(name, y, save, **how):
        np.savez(os.path.join(out, name + ".npz"), x=x.numpy(), y=y.detach().numpy())
        torch.save(save, os.path.join(out, name + ".pt"), **how)

    def roll(cell, x):
        state, ys = None, []
        for row in x:
            state = cell(row, state)
            ys.append(state[0] if isinstance(state, tuple) else state)
        return torch.stack(ys)

    gru = fill(nn.GRU(D, 5, 2, bidirectional=True))
    views = {k: (v.t().contiguous().t() if v.dim() == 2 else v) for k, v in gru.state_dict().items()}
    views["bias_hh_l0"] = torch.cat([torch.zeros(5), views["bias_hh_l0"]])[5:]
    write("torch_old_container", gru(x)[0], {"model": views, "epoch": 3, "half": torch.zeros(3, dtype=torch.uint16)}, _use_new_zipfile_serialization=False)

    lstm = fill(nn.LSTM(D, 6))
    objects = {
        "dtype": torch.float32, "device": torch.device("cpu"), "set": {1, 2}, "counter": collections.Counter("aab"), "bytes": b"ab",
        "large": 1 << 100, "float8": torch.zeros(2).to(torch.float8_e4m3fn), "complex": torch.zeros(2, 3, dtype=torch.complex64),
        "sparse": torch.eye(3).to_sparse(), "quantized": torch.quantize_per_tensor(torch.zeros(2, 2), 1.0, 0, torch.qint8),
        "options": ap.Namespace(a=1), "numpy": np.float64(3), "array": np.zeros((2, 3)), "losses": [np.float32(i) for i in range(9)],
        "path": pathlib.PurePosixPath("/a"), "date": datetime.date(2026, 1, 2), "decimal": decimal.Decimal("1.5"), "criterion": nn.CrossEntropyLoss(),
        "pairs": {(1, 2): 3}, "default": collections.defaultdict(list, {"word": "kept"}), "unsigned": torch.zeros(2, dtype=torch.uint16)}
    write("torch_objects", lstm(x)[0], {"model": lstm.state_dict(), **objects})

    expanded = fill(nn.LSTM(D, 6))
    save = dict(expanded.state_dict(), bias_ih_l0=torch.tensor([0.3]).expand(24), weight_hh_l0=torch.rand(24, 1).expand(24, 6))
    save["bias_hh_l0"] = save["bias_ih_l0"]
    expanded.load_state_dict(save)
    write("torch_expanded", expanded(x)[0], save)

    normed = fill(nn.GRU(D, 5, 2))
    for name, dim in (("weight_hh_l0", 0), ("weight_ih_l0", None), ("weight_ih_l1", 1)):
        nn.utils.parametrizations.weight_norm(normed, name, dim=dim)
        with torch.no_grad():
            normed.parametrizations[name].original0.mul_(1.5)
    write("torch_weight_norm", normed(x)[0], {"rnn." + k: v for k, v in normed.state_dict().items()})
    plain = fill(nn.LSTM(D, 6))
    older = nn.LSTM(D, 6)
    older.load_state_dict(plain.state_dict())
    nn.utils.weight_norm(older, "weight_hh_l0")
    save = older.state_dict()
    mask = (torch.rand(24, D) > 0.4).float()
    save["weight_ih_l0_orig"], save["weight_ih_l0_mask"] = save.pop("weight_ih_l0"), mask
    with torch.no_grad():
        plain.weight_ih_l0.mul_(mask)
    write("torch_pruned", plain(x)[0], save)

    # AWD-LSTM as fastai names it: the parameter beside the module that it wraps, whose copy dropout changed.
    layers = [fill(nn.LSTM(D, 6)), fill(nn.LSTM(6, 6)), fill(nn.LSTM(6, 4))]
    save, y = {"0.encoder.weight": torch.rand(7, D)}, x
    for i, layer in enumerate(layers):
        y = layer(y)[0]
        for k, v in layer.state_dict().items():
            if k == "weight_hh_l0":
                save["0.rnns.%d.weight_hh_l0_raw" % i] = v
                v = v * (torch.rand_like(v) > 0.5) * 2
            save["0.rnns.%d.module.%s" % (i, k)] = v
    write("torch_awd", y, save)

    layers = [fill(nn.LSTM(D, 6, bidirectional=True)), fill(nn.LSTM(12, 5, 2))]
    y = layers[1](layers[0](x)[0])[0]
    write("torch_list", y, {"net.lstm%d.%s" % (i + 1, k): v for i, layer in enumerate(layers) for k, v in layer.state_dict().items()})
    cells = [fill(nn.GRUCell(D, 5)), fill(nn.GRUCell(5, 3))]
    write("torch_cells", roll(cells[1], roll(cells[0], x)), {"cells.%d.%s" % (i, k): v for i, cell in enumerate(cells) for k, v in cell.state_dict().items()})

    shards = fill(nn.LSTM(D, 5, 2))
    state = shards.state_dict()
    names = list(state)
    files = ["torch_shards-0000%d-of-00002.safetensors" % i for i in (1, 2)]
    save_file({k: state[k] for k in names[:4]}, os.path.join(out, files[0]))
    save_file({k: state[k] for k in names[4:]}, os.path.join(out, files[1]))
    with open(os.path.join(out, "torch_shards.safetensors.index.json"), "w") as index:
        json.dump({"metadata": {"total_size": sum(v.nbytes for v in state.values())}, "weight_map": {k: files[i >= 4] for i, k in enumerate(names)}}, index)
    np.savez(os.path.join(out, "torch_shards.npz"), x=x.numpy(), y=shards(x)[0].detach().numpy())

    # Equinox' GRUCell: one bias outside, one of the candidate inside the reset gate's product.
    rng = np.random.RandomState(5)
    draw = lambda *shape: rng.uniform(-0.8, 0.8, shape).astype(np.float32)  # noqa: E731
    a = {"weight_ih": draw(15, D), "weight_hh": draw(15, 5), "bias": draw(15), "bias_n": draw(5)}
    h, ys, sigmoid = np.zeros((B, 5)), [], lambda v: 1 / (1 + np.exp(-v))
    for row in x.numpy().astype(np.float64):
        i, r = np.split(row @ a["weight_ih"].T + a["bias"], 3, 1), np.split(h @ a["weight_hh"].T, 3, 1)
        n = np.tanh(i[2] + sigmoid(i[0] + r[0]) * (r[2] + a["bias_n"]))
        h = n + sigmoid(i[1] + r[1]) * (h - n)
        ys.append(h)
    save_file({"cell." + k: torch.from_numpy(v) for k, v in a.items()}, os.path.join(out, "equinox_gru.safetensors"))
    np.savez(os.path.join(out, "equinox_gru.npz"), x=x.numpy(), y=np.stack(ys).astype(np.float32))
    print("torch", torch.__version__)


def torch_onnx_files(out):
    """Graphs as PyTorch exports them, with what surrounds the recurrent operators; checked by onnxruntime."""
    import onnxruntime
    import torch
    from torch import nn

    torch.manual_seed(20261126)
    torch.set_num_threads(1)

    class Tagger(nn.Module):
        """Embedding, two bidirectional layers with a zero initial state, a linear layer, softmax."""

        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(7, D)
            self.layers = nn.LSTM(D, 5, 2, bidirectional=True, batch_first=True)
            self.head = nn.Linear(10, 3)

        def forward(self, symbols):
            y, _ = self.layers(self.embedding(symbols))
            return torch.softmax(self.head(y), -1)

    class Stack(nn.Module):
        """A GRU stack with its states as input and output."""

        def __init__(self):
            super().__init__()
            self.layers = nn.GRU(D, 5, 2)

        def forward(self, x, h):
            return self.layers(x, h)

    class Last(nn.Module):
        """An RNN whose last output goes on."""

        def __init__(self):
            super().__init__()
            self.layers = nn.RNN(D, 6, nonlinearity="relu")
            self.head = nn.Linear(6, 2)

        def forward(self, x):
            y, _ = self.layers(x)
            return self.head(y[-1])

    rng = np.random.RandomState(5)

    def values(steps, rows):
        return {
            "x": rng.uniform(-1, 1, (steps, rows, D)).astype(np.float32),
            "symbols": rng.randint(0, 7, (rows, steps)).astype(np.int64),
            "h": rng.uniform(-1, 1, (2, rows, 5)).astype(np.float32)}

    # Exported with some sizes, run with others.
    traced, other = values(T, B), values(T + 2, B + 1)
    cases = [
        ("torch_export_tagger", Tagger(), ["symbols"], {"symbols": {0: "batch", 1: "time"}}, ["y"]),
        ("torch_export_stack", Stack(), ["x", "h"], {"x": {0: "time", 1: "batch"}, "h": {1: "batch"}}, ["y", "final"]),
        ("torch_export_last", Last(), ["x"], {"x": {0: "time", 1: "batch"}}, ["y"]),
    ]
    for name, module, names, axes, outputs in cases:
        for p in module.parameters():
            nn.init.uniform_(p, -0.8, 0.8)
        module.eval()
        path = os.path.join(out, name + ".onnx")
        torch.onnx.export(
            module, tuple(torch.from_numpy(traced[n]) for n in names), path, input_names=names,
            output_names=outputs, dynamic_axes=axes, opset_version=14, dynamo=False)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        inputs = {n: other[n] for n in names}
        results = session.run(outputs, inputs)
        np.savez(os.path.join(out, name + ".npz"), **inputs, **dict(zip(outputs, results)))
        import onnx
        print(name, sorted({n.op_type for n in onnx.load(path).graph.node}))
