"""Golden data of layer-normalised cells and of zoneout's mean, from PyTorch's layer_norm and autograd.

    thenv/bin/python normalized_oracle.py --out goldens

Writes normalized/<cell>_<kind>_<f32|f64>.npz, cell rnn, gru (reset gate before the product),
gru_after, lstm; kind normalized, zoneout, both. Inputs: x [T,B,D], hidden, cell [B,H] (lstm), and the
parameters by the names below, input index first, gates in the order n | r z n | i f g o. Results:
outputs [T,B,H], final_hidden, final_cell; `d.<name>`, the gradient of
sum(w_outputs * outputs) + sum(w_hidden * final_hidden) + sum(w_cell * final_cell) of every input.
`config`: JSON as uint8. The cases are not in index.json: the command has no such settings.
"""
import argparse
import json
import os
import platform

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.nn.functional import layer_norm  # noqa: E402

from oracle_common import Data, Writer, data_seed, err  # noqa: E402

torch.set_num_threads(1)
torch.backends.mkldnn.enabled = False

BASE_SEED = 20261128
T, B, D, H = 5, 3, 4, 6
ZONE_HIDDEN, ZONE_CELL, EPSILON = 0.3, 0.4, 1e-5
GATES = {"rnn": 1, "gru": 3, "gru_after": 3, "lstm": 4}
KINDS = ("normalized", "zoneout", "both")

CONVENTION = (
    "Ba, Kiros and Hinton 2016: a = input_gain * n(x W) + recurrent_gain * n(h U) + bias, n without gain or offset of its own, epsilon 1e-5; "
    "one n over all gates' columns, but for a GRU one over r and z and one over the candidate; reset gate after: r * (recurrent_gain * n(h Un) + recurrent_bias n), "
    "recurrent_bias of r and z is added to bias; LSTM: h = o * tanh(cell_gain * n(c) + cell_offset). Zoneout's mean (Krueger et al. 2017): "
    "h' = rate * h + (1 - rate) * h~, c' likewise, h~ from c before it is mixed.")


def run_case(cell, kind, np_dtype, seed):
    d = Data(seed, np_dtype)
    dtype = torch.float32 if np.dtype(np_dtype) == np.float32 else torch.float64
    width, normal = GATES[cell] * H, kind != "zoneout"
    a = {
        "x": d.uniform((T, B, D)), "hidden": d.uniform((B, H)),
        "inputWeights": d.uniform((D, width), 0.8), "recurrentWeights": d.uniform((H, width), 0.8),
        "bias": d.uniform((width,), 0.5)}
    if cell == "lstm":
        a["cell"] = d.uniform((B, H))
    if cell == "gru_after":
        a["recurrentBias"] = d.uniform((width,), 0.5)
    if normal:
        a["inputGain"] = 1 + d.uniform((width,), 0.5)
        a["recurrentGain"] = 1 + d.uniform((width,), 0.5)
        if cell == "lstm":
            a["cellGain"], a["cellOffset"] = 1 + d.uniform((H,), 0.5), d.uniform((H,), 0.5)
    names = sorted(a)
    weights = {"outputs": d.uniform((T, B, H)), "hidden": d.uniform((B, H)), "cell": d.uniform((B, H))}
    p = {k: torch.tensor(v, requires_grad=True) for k, v in a.items()}
    assert all(v.dtype == dtype for v in p.values())
    second = 2 * H if cell.startswith("gru") else width

    def groups(v, gain):
        if not normal:
            return v
        return torch.cat([layer_norm(part, part.shape[-1:], weight=g, eps=EPSILON) for part, g in zip(v.split([second, width - second], -1), gain.split([second, width - second])) if part.shape[-1]], -1)

    W, U, bias = p["inputWeights"], p["recurrentWeights"], p["bias"]
    zoned = kind != "normalized"
    h, c, outputs = p["hidden"], p.get("cell"), []
    for t in range(T):
        ax = groups(p["x"][t] @ W, p.get("inputGain")) + bias
        if cell == "rnn":
            new = torch.tanh(ax + groups(h @ U, p.get("recurrentGain")))
        elif cell == "lstm":
            i, f, g, o = (ax + groups(h @ U, p.get("recurrentGain"))).chunk(4, -1)
            fresh = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            shown = layer_norm(fresh, (H,), p["cellGain"], p["cellOffset"], EPSILON) if normal else fresh
            new = torch.sigmoid(o) * torch.tanh(shown)
            c = ZONE_CELL * c + (1 - ZONE_CELL) * fresh if zoned else fresh
        elif cell == "gru":
            gain = p.get("recurrentGain")
            first = h @ U[:, : 2 * H]
            if normal:
                first = layer_norm(first, (2 * H,), gain[: 2 * H], eps=EPSILON)
            r, z = torch.sigmoid(ax[:, : 2 * H] + first).chunk(2, -1)
            last = (r * h) @ U[:, 2 * H:]
            if normal:
                last = layer_norm(last, (H,), gain[2 * H:], eps=EPSILON)
            n = torch.tanh(ax[:, 2 * H:] + last)
            new = (1 - z) * n + z * h
        else:
            ah = groups(h @ U, p.get("recurrentGain")) + p["recurrentBias"]
            r, z = torch.sigmoid(ax[:, : 2 * H] + ah[:, : 2 * H]).chunk(2, -1)
            n = torch.tanh(ax[:, 2 * H:] + r * ah[:, 2 * H:])
            new = (1 - z) * n + z * h
        h = ZONE_HIDDEN * h + (1 - ZONE_HIDDEN) * new if zoned else new
        outputs.append(h)
    y = torch.stack(outputs)
    loss = (y * torch.tensor(weights["outputs"])).sum() + (h * torch.tensor(weights["hidden"])).sum()
    a["outputs"], a["final_hidden"] = y.detach().numpy(), h.detach().numpy()
    a["w_outputs"], a["w_hidden"] = weights["outputs"], weights["hidden"]
    if cell == "lstm":
        loss = loss + (c * torch.tensor(weights["cell"])).sum()
        a["final_cell"], a["w_cell"] = c.detach().numpy(), weights["cell"]
    loss.backward()
    for k in names:
        a["d." + k] = p[k].grad.numpy()
    config = {
        "cell": cell, "kind": kind, "sizes": {"T": T, "B": B, "D": D, "H": H},
        "zoneout": [ZONE_HIDDEN, ZONE_CELL] if zoned else None, "dtype": np.dtype(np_dtype).name, "seed": seed, "convention": CONVENTION,
        "source": {"framework": "torch", "version": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "threads": 1, "oneDNN": False}}
    return a, names, config


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", required=True)
    o = ap.parse_args()
    w = Writer(o.out, "goldens", "normalized", {})  # for its files only: never finished, no index
    total = 0
    for cell in GATES:
        for kind in KINDS:
            seed = data_seed(BASE_SEED, "normalized", cell + kind)
            a32, names, config32 = run_case(cell, kind, np.float32, seed)
            a64, _, config64 = run_case(cell, kind, np.float64, seed)
            config32["f32_error"] = {k: err(a32[k], a64[k]) for k in a32 if k not in names}
            for a, config, suffix in ((a32, config32, "_f32"), (a64, config64, "_f64")):
                a["config"] = np.frombuffer(json.dumps(config, sort_keys=True).encode("ascii"), np.uint8)
                total += w.add("%s_%s%s" % (cell, kind, suffix), a, "normalized")["bytes"]
            print("%-9s %-10s |f32 - f64|: outputs %.1e, gradients %.1e" % (
                cell, kind, config32["f32_error"]["outputs"], max(v for k, v in config32["f32_error"].items() if k.startswith("d."))))
    print("normalized: %d files, %d bytes" % (2 * len(GATES) * len(KINDS), total))


if __name__ == "__main__":
    main()
