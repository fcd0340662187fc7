"""Golden data of whole training runs: small language models in PyTorch, step by step.

    thenv/bin/python language_oracle.py --out goldens

Writes language/<cell>_<optimiser>[_tied]_<f32|f64>.npz with `tokens` int32 [B*T*steps + 1]; the
first parameters under their state_dict names (embedding.weight, rnn.weight_ih_l0, ...,
decoder.weight, decoder.bias) and the last as `final.<name>`; `losses` [steps], mean nats before
each update; `norms` [steps], the global norm before clipping; `config`, JSON as UTF-8 bytes (uint8,
because readers of numbers have no strings). Tied weights are one parameter, counted once in the norm
and stored once, as `embedding.weight`; there is no `decoder.weight` then.

The float64 twin of a case has exactly the float32 case's first parameters and tokens. The cases are
not in index.json: `unroll verify` recomputes single passes, not runs.
"""
import argparse
import json
import os
import platform

os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np  # noqa: E402
import torch  # noqa: E402

from oracle_common import Data, Writer, data_seed, err  # noqa: E402

torch.set_num_threads(1)
torch.backends.mkldnn.enabled = False
torch.use_deterministic_algorithms(True)

BASE_SEED = 20261127
V, E, H, LAYERS = 11, 6, 7, 2
B, T, STEPS = 3, 5, 20
CLIP = 0.25
CELLS = {"rnn": torch.nn.RNN, "gru": torch.nn.GRU, "lstm": torch.nn.LSTM}
OPTIMISERS = {
    "sgd": (torch.optim.SGD, {"lr": 1.0}),
    "momentum": (torch.optim.SGD, {"lr": 0.3, "momentum": 0.9}),
    "adam": (torch.optim.Adam, {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8}),
    "adamw": (torch.optim.AdamW, {"lr": 0.01, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1}),
    "rmsprop": (torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.99, "eps": 1e-8}),
}
CASES = [(cell, rule, False) for cell in CELLS for rule in OPTIMISERS] + [(cell, "sgd", True) for cell in CELLS]

CONVENTION = (
    "row b of the batch is tokens[b*n:(b+1)*n], n = T*steps; step s reads columns s*T..<(s+1)*T, targets are the next tokens (those of a row's last column the next row's first). "
    "State zero at first, then carried from step to step without gradient. Loss: mean cross-entropy over T*B, nats. norm = sqrt(sum of all g^2); g *= clip/norm if norm > clip; then the optimiser. "
    "Cells as in torch_oracle.py; both biases of a GRU learn, of the others bias_ih alone (bias_hh stays 0). Weight decay is on all that learn.")


class Model(torch.nn.Module):
    def __init__(self, cell, tied, dtype):
        super().__init__()
        width = H if tied else E
        self.embedding = torch.nn.Embedding(V, width, dtype=dtype)
        self.rnn = CELLS[cell](width, H, num_layers=LAYERS, dtype=dtype)
        self.decoder = torch.nn.Linear(H, V, dtype=dtype)
        if tied:
            self.decoder.weight = self.embedding.weight

    def forward(self, x, state):
        y, state = self.rnn(self.embedding(x), state)
        return self.decoder(y), state


def detached(state):
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def run_case(cell, rule, tied, np_dtype, seed):
    d = Data(seed, np_dtype)
    m = Model(cell, tied, torch.float32 if np.dtype(np_dtype) == np.float32 else torch.float64)
    a = {"tokens": d.rng.randint(0, V, B * T * STEPS + 1).astype(np.int32)}
    names = []
    for k, p in m.named_parameters():  # a shared one comes once
        a[k] = d.uniform(tuple(p.shape), 1.2 / np.sqrt(H) if p.dim() == 2 else 0.4)
        names.append(k)
        if cell != "gru" and ".bias_hh" in k:
            # Only ever added to bias_ih: two of them would learn twice as fast as the one bias of
            # most other implementations. It stays 0.
            a[k][:] = 0
            p.requires_grad_(False)
        with torch.no_grad():
            p.copy_(torch.tensor(a[k]))
    cls, kw = OPTIMISERS[rule]
    learnt = [p for p in m.parameters() if p.requires_grad]
    optimiser = cls(learnt, foreach=False, **kw)
    tokens = torch.tensor(a["tokens"], dtype=torch.int64)
    n = T * STEPS
    inputs, targets = tokens[: B * n].view(B, n), tokens[1 : B * n + 1].view(B, n)
    state, losses, norms = None, [], []
    for s in range(STEPS):
        x, t = (v[:, s * T:(s + 1) * T].t().contiguous() for v in (inputs, targets))  # [T,B]
        optimiser.zero_grad()
        y, state = m(x, state)
        state = detached(state)
        loss = torch.nn.functional.cross_entropy(y.reshape(T * B, V), t.reshape(T * B))
        loss.backward()
        grads = [p.grad for p in learnt]
        # not clip_grad_norm_, which divides by norm + 1e-6
        norm = torch.sqrt(sum((g * g).sum() for g in grads))
        if norm > CLIP:
            for g in grads:
                g.mul_(CLIP / norm)
        losses.append(loss.item())
        norms.append(norm.item())
        optimiser.step()
    for k, p in m.named_parameters():
        a["final." + k] = p.detach().numpy()
    a["losses"], a["norms"] = np.array(losses, np_dtype), np.array(norms, np_dtype)
    config = {
        "cell": "torch." + CELLS[cell].__name__, "optimiser": "torch.optim." + cls.__name__, "rate": kw["lr"], "params": kw, "clip": CLIP,
        "sizes": {"V": V, "E": H if tied else E, "H": H, "layers": LAYERS, "B": B, "T": T, "steps": STEPS}, "tied": tied,
        "dtype": np.dtype(np_dtype).name, "seed": seed, "weights": names, "convention": CONVENTION,
        "source": {"framework": "torch", "version": torch.__version__, "numpy": np.__version__, "python": platform.python_version(), "threads": 1, "oneDNN": False}}
    return a, config


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", required=True)
    o = ap.parse_args()
    w = Writer(o.out, "goldens", "language", {})  # for its files only: never finished, no index
    total = 0
    for cell, rule, tied in CASES:
        name = "%s_%s%s" % (cell, rule, "_tied" if tied else "")
        seed = data_seed(BASE_SEED, "language", name)
        a32, config32 = run_case(cell, rule, tied, np.float32, seed)
        a64, config64 = run_case(cell, rule, tied, np.float64, seed)
        assert (a32["tokens"] == a64["tokens"]).all() and all(err(a32[k], a64[k]) == 0 for k in config32["weights"])
        e = {k: err(a32[k], a64[k]) for k in ("losses", "norms")}
        e["final"] = max(err(a32[k], a64[k]) for k in a32 if k.startswith("final."))
        config32["f32_error"] = e
        for a, config, suffix in ((a32, config32, "_f32"), (a64, config64, "_f64")):
            a["config"] = np.frombuffer(json.dumps(config, sort_keys=True).encode("ascii"), np.uint8)
            total += w.add(name + suffix, a, "language")["bytes"]
        print("%-14s loss %.4f -> %.4f, %2d of %d steps clipped, |f32 - f64|: losses %.1e, norms %.1e, final %.1e" % (
            name, a64["losses"][0], a64["losses"][-1], (a64["norms"] > CLIP).sum(), STEPS, e["losses"], e["norms"], e["final"]))
    print("language: %d files, %d bytes" % (2 * len(CASES), total))


if __name__ == "__main__":
    main()
