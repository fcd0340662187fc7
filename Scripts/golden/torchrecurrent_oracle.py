"""Golden data of the minimal gated unit and of JANET, computed by the package torchrecurrent and PyTorch's autograd.

    thenv/bin/python torchrecurrent_oracle.py --out goldens      # adds the part "torchrecurrent"

The parameters are stored in our layout: input index first, gates in the order forget, candidate, one bias. Every array is
also computed by the loops below, which follow the publications, forward and backward; the script stops if torchrecurrent
computes something else.
"""
import argparse
import os
from importlib.metadata import version

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np  # noqa: E402
import torch  # noqa: E402
import torchrecurrent  # noqa: E402

from oracle_common import Data, Writer, data_seed, err  # noqa: E402

torch.set_num_threads(1)
torch.backends.mkldnn.enabled = False
torch.use_deterministic_algorithms(True)

BASE_SEED = 20261129
SMALL, ODD = (7, 3, 4, 5), (5, 3, 4, 17)  # T, B, I, H
WEIGHTS = ("inputWeights", "recurrentWeights", "bias")
# The scale of the weights; 4 moves arguments past both ends of the hard sigmoid.
CASES = [
    ("MGU", "MGU", {}, 1.2, SMALL),
    ("MGU", "MGU", {}, 1.2, ODD),
    ("MGU", "MGU_relu", {"nonlinearity": "relu"}, 1.2, SMALL),
    ("MGU", "MGU_hard", {"gate_nonlinearity": "hard_sigmoid"}, 4.0, SMALL),
    ("MGU", "MGU_relu_hard", {"nonlinearity": "relu", "gate_nonlinearity": "hard_sigmoid"}, 4.0, SMALL),
    ("JANET", "JANET", {}, 1.2, SMALL),
    ("JANET", "JANET", {}, 1.2, ODD),
    ("JANET", "JANET_beta0.5", {"beta": 0.5}, 1.2, SMALL),
    ("JANET", "JANET_beta0", {"beta": 0.0}, 1.2, SMALL),
]
# Each float64 result of torchrecurrent is this near to that of the loops, relative where it is above 1.
LIMIT = 1e-13

CONVENTIONS = {
    "torchrecurrent.layout": (
        "w.inputWeights [I,G*H] and w.recurrentWeights [H,G*H] are weight_ih and weight_hh transposed, w.bias [G*H] is bias_ih + bias_hh (exact in float32); "
        "column blocks forget, candidate. x [B,T,I], y [B,T,H], h0 and hT [B,H]. hard_sigmoid is x/6 + 1/2 within 0..1."),
    "torchrecurrent.MGU": (
        "Zhou et al. 2016: f=s(x@Wf+h@Uf+bf); n=t(x@Wn+(f*h)@Un+bn); h'=(1-f)*h+f*n; s is gate_nonlinearity (sigmoid), t is nonlinearity (tanh)."),
    "torchrecurrent.JANET": (
        "van der Westhuizen and Lasenby 2018: a=x@Wf+h@Uf+bf; f=s(a); v=1-s(a-beta); n=tanh(x@Wn+h@Un+bn); h'=f*h+v*n; beta is 1 by default. "
        "torchrecurrent has h and c apart, which are equal from the first step on: both start as h0, whose gradient is the sum of both. "
        "Its beta is a trainable parameter, here a constant."),
}


# ------------------------------------------------------------------ the publications, in NumPy
def sigmoid(v):
    return 1 / (1 + np.exp(-v))


# Each function with its derivative at the argument whose value is y.
FUNCTIONS = {
    "sigmoid": (sigmoid, lambda y: y * (1 - y)),
    "tanh": (np.tanh, lambda y: 1 - y * y),
    "relu": (lambda v: np.maximum(v, 0), lambda y: (y > 0) * 1.0),
    "hard_sigmoid": (lambda v: np.clip(v / 6 + 0.5, 0, 1), lambda y: ((y > 0) & (y < 1)) / 6.0),
}


def forward(cell, params, a):
    """Outputs, the final state and, for each step, what the gradient needs."""
    W, U, b = (a["w." + k] for k in WEIGHTS)
    gate = FUNCTIONS[params.get("gate_nonlinearity", "sigmoid")][0]
    candidate = FUNCTIONS[params.get("nonlinearity", "tanh")][0]
    h = a["h0"]
    H, y, tape = h.shape[1], [], []
    for t in range(a["x"].shape[1]):
        x = a["x"][:, t]
        argument = x @ W[:, :H] + h @ U[:, :H] + b[:H]
        f = gate(argument)
        if cell == "MGU":
            n = candidate(x @ W[:, H:] + (f * h) @ U[:, H:] + b[H:])
            new, v = (1 - f) * h + f * n, f
        else:
            n = np.tanh(x @ W[:, H:] + h @ U[:, H:] + b[H:])
            v = 1 - gate(argument - params.get("beta", 1.0))
            new = f * h + v * n
        tape.append((x, h, f, v, n))
        h = new
        y.append(h)
    return np.stack(y, 1), h, tape


def backward(cell, params, a, tape, dy, dh):
    """The gradients of sum(dy * y) + sum(dh * hT), term by term."""
    W, U, _ = (a["w." + k] for k in WEIGHTS)
    gate = FUNCTIONS[params.get("gate_nonlinearity", "sigmoid")][1]
    candidate = FUNCTIONS[params.get("nonlinearity", "tanh")][1]
    H = dh.shape[1]
    dW, dU, db, dx = np.zeros_like(W), np.zeros_like(U), np.zeros(2 * H), np.zeros_like(a["x"])
    for t in reversed(range(len(tape))):
        x, h, f, v, n = tape[t]
        dh = dh + dy[:, t]
        if cell == "MGU":
            dn = dh * f * candidate(n)
            dq = dn @ U[:, H:].T
            df = (dh * (n - h) + dq * h) * gate(f)
            dh = dh * (1 - f) + dq * f + df @ U[:, :H].T
            dU[:, H:] += (f * h).T @ dn
        else:
            dn = dh * v * candidate(n)
            df = dh * (h * gate(f) - n * gate(1 - v))
            dh = dh * f + df @ U[:, :H].T + dn @ U[:, H:].T
            dU[:, H:] += h.T @ dn
        dU[:, :H] += h.T @ df
        both = np.concatenate([df, dn], 1)
        dW += x.T @ both
        db += both.sum(0)
        dx[:, t] = both @ W.T
    return dict(zip(["x", "h0"] + ["w." + k for k in WEIGHTS], (dx, dh, dW, dU, db)))


def check(cell, params, a, step):
    """The largest difference between torchrecurrent's results and the loops', relative where they are above 1."""
    a = {k: v.astype(np.float64) for k, v in a.items()}
    y, last, tape = forward(cell, params, a)
    results = {"y": y, "hT": last}
    one_step = np.zeros_like(y)
    one_step[:, step] = 1
    zero = (np.zeros_like(y), np.zeros_like(last))
    for pre, dy, dh in (("gs.", one_step, zero[1]), ("gw.", a["loss_w"], zero[1]), ("gf.", zero[0], a["loss_f"])):
        for k, g in backward(cell, params, a, tape, dy, dh).items():
            results[pre + k] = g
    inputs = ["x", "h0", "loss_w", "loss_f"] + ["w." + k for k in WEIGHTS]
    assert sorted(results) == sorted(k for k in a if k not in inputs), "an array is not checked"
    gates, candidates = (np.stack([s[i] for s in tape]) for i in (2, 4))
    if params.get("gate_nonlinearity") == "hard_sigmoid":
        assert (gates == 0).any() and (gates == 1).any() and ((gates > 0) & (gates < 1)).any(), "a part of the hard sigmoid is not tested"
    if params.get("nonlinearity") == "relu":
        assert (candidates == 0).any() and (candidates > 0).any(), "a part of the relu is not tested"
    return max(float(np.max(np.abs(a[k] - v) / np.maximum(1, np.abs(v)))) for k, v in results.items())


# --------------------------------------------------------------------------- torchrecurrent
class HardSigmoid(torch.nn.Module):
    """The values of nn.Hardsigmoid, whose own gradient takes 1/6 from float32 even in float64."""

    def forward(self, v):
        return torch.clamp(v / 6 + 0.5, 0, 1)


def run_case(cell, params, scale, size, np_dtype, seed):
    T, B, I, H = size
    d = Data(seed, np_dtype)
    dt = torch.float32 if np.dtype(np_dtype) == np.float32 else torch.float64
    functions = {k: HardSigmoid() if v == "hard_sigmoid" else v for k, v in params.items()}
    m = getattr(torchrecurrent, cell)(I, H, batch_first=True, dtype=dt, **functions)
    a = {"x": d.uniform((B, T, I)), "h0": d.uniform((B, H), 0.8)}
    values = {}
    for k, width in (("weight_ih", I), ("weight_hh", H)):
        values[k] = d.uniform((2 * H, width), scale / np.sqrt(H))
    for k in ("bias_ih", "bias_hh"):
        # On a grid, on which float32 adds both without rounding.
        values[k] = (np.round(d.uniform((2 * H,), 0.4) * 2**20) / 2**20).astype(np_dtype)
    p = m.cells[0]
    with torch.no_grad():
        for k, v in values.items():
            assert getattr(p, k).shape == v.shape and (v != 0).all()
            getattr(p, k).copy_(torch.tensor(v))
    bias = values["bias_ih"] + values["bias_hh"]
    assert (bias == values["bias_ih"].astype(np.float64) + values["bias_hh"]).all()
    for k, v in zip(WEIGHTS, (values["weight_ih"].T, values["weight_hh"].T, bias)):
        a["w." + k] = v
    x = torch.tensor(a["x"], requires_grad=True)
    starts = [torch.tensor(a["h0"][None], requires_grad=True) for _ in range(2 if cell == "JANET" else 1)]
    y, last = m(x, tuple(starts) if cell == "JANET" else starts[0])
    if cell == "JANET":
        assert torch.equal(last[0], last[1])
        last = last[0]
    assert y.dtype == last.dtype == dt
    lw, lf = d.uniform((B, T, H)), d.uniform((B, H))
    step = T // 2
    a["loss_w"], a["loss_f"] = lw, lf
    wrt = [x, p.weight_ih, p.weight_hh, p.bias_ih, p.bias_hh] + starts
    losses = [("gs.", y[:, step, :].sum()), ("gw.", (y * torch.tensor(lw)).sum()), ("gf.", (last[0] * torch.tensor(lf)).sum())]
    for pre, loss in losses:
        gx, gi, gh, first, second, *gs = [g.numpy() for g in torch.autograd.grad(loss, wrt, retain_graph=True)]
        assert (first == second).all()
        a[pre + "x"], a[pre + "h0"] = gx, sum(gs)[0]
        for k, g in zip(WEIGHTS, (gi.T, gh.T, first)):
            a[pre + "w." + k] = g
    a["y"], a["hT"] = y.detach().numpy(), last[0].detach().numpy()
    meta = dict(cell="torchrecurrent." + cell, sizes=dict(zip("TBIH", size)), dtype=np.dtype(np_dtype).name, seed=seed, grad_step=step, params=params,
                final_parts=["hT"], convention="torchrecurrent." + cell, losses="gs: sum(y[:,grad_step,:]); gw: sum(loss_w*y); gf: sum(loss_f*hT)")
    return a, meta


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", required=True)
    o = ap.parse_args()
    v = torch.linspace(-4, 4, 41)
    assert err(HardSigmoid()(v), torch.nn.Hardsigmoid()(v)) < 1e-6
    source = {"framework": "torchrecurrent", "version": version("torchrecurrent"), "torch": torch.__version__, "threads": 1, "oneDNN": False}
    w = Writer(o.out, "goldens", "torchrecurrent", source, CONVENTIONS)
    for cell, tag, params, scale, size in CASES:
        name = "torchrecurrent_%s_T%d_B%d_I%d_H%d" % ((tag,) + size)
        seed = data_seed(BASE_SEED, name)
        a32, meta32 = run_case(cell, params, scale, size, np.float32, seed)
        a64, meta64 = run_case(cell, params, scale, size, np.float64, seed)
        e = {}
        for k in a32:
            key = k[:2] if k[:3] in ("gs.", "gw.", "gf.") else ("out" if k in ("y", "hT") else None)
            if key:
                e[key] = max(e.get(key, 0.0), err(a32[k], a64[k]))
        meta32["f32_error"] = e
        d32, d64 = check(cell, params, a32, meta32["grad_step"]), check(cell, params, a64, meta64["grad_step"])
        print("%-36s loops: float64 %.1e, float32 %.1e; |f32 - f64| %.1e; |y| up to %.2f" % (name, d64, d32, max(e.values()), np.abs(a64["y"]).max()))
        assert d64 <= LIMIT, "torchrecurrent computes other equations than the loops"
        w.add(name + "_f32", a32, "torchrecurrent", **meta32)
        w.add(name + "_f64", a64, "torchrecurrent", **meta64)
    w.finish()


if __name__ == "__main__":
    main()
