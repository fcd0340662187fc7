"""The recurrent layers of four programs in NumPy float64, from the convention texts of a set alone, for
verify_oracle.py.
"""
import numpy as np

# Whether an ONNX LSTM clips the cell before h(), which implementations do not agree on.
CLIP_CELL = True


def sg(v):
    return np.where(v >= 0, 1 / (1 + np.exp(-np.abs(v))), np.exp(-np.abs(v)) / (1 + np.exp(-np.abs(v))))


def hs(v):
    return np.clip(0.2 * v + 0.5, 0, 1)


# ---------------------------------------------------------------- TF legacy cells
def tf_step(cell, w, p, x, st):
    if cell == "BasicRNNCell":
        h, = st
        z = np.concatenate([x, h], 1) @ w["kernel"] + w["bias"]
        h = np.maximum(z, 0) if p.get("activation") == "relu" else np.tanh(z)
        return h, (h,)
    if cell == "GRUCell":
        h, = st
        H = h.shape[1]
        ru = sg(np.concatenate([x, h], 1) @ w["gates.kernel"] + w["gates.bias"])
        r, u = ru[:, :H], ru[:, H:]
        c = np.tanh(np.concatenate([x, r * h], 1) @ w["candidate.kernel"] + w["candidate.bias"])
        h = u * h + (1 - u) * c
        return h, (h,)
    c, h = st
    z = np.concatenate([x, h], 1) @ w["kernel"] + w["bias"]
    i, j, f, o = np.split(z, 4, 1)
    fb = p.get("forget_bias", 1.0)
    if p.get("use_peepholes"):
        f, i = f + w["w_f_diag"] * c, i + w["w_i_diag"] * c
    c = sg(f + fb) * c + sg(i) * np.tanh(j)
    if p.get("cell_clip"):
        c = np.clip(c, -p["cell_clip"], p["cell_clip"])
    if p.get("use_peepholes"):
        o = o + w["w_o_diag"] * c
    m = sg(o) * np.tanh(c)
    if p.get("num_proj"):
        m = m @ w["projection.kernel"]
        if p.get("proj_clip"):
            m = np.clip(m, -p["proj_clip"], p["proj_clip"])
    return m, (c, m)


def tf_run(cell, w, p, x, st, n):
    T = x.shape[1]
    ys = []
    for t in range(T):
        y, new = tf_step(cell, w, p, x[:, t], st)
        if n is not None:
            live = (t < n)[:, None]
            y, new = np.where(live, y, 0), tuple(np.where(live, a, b) for a, b in zip(new, st))
        st = new
        ys.append(y)
    return np.stack(ys, 1), st


def revseq(x, n):
    y = x.copy()
    for b in range(x.shape[0]):
        k = x.shape[1] if n is None else n[b]
        y[b, :k] = x[b, :k][::-1]
    return y


def tf_forward(c, a):
    cell, p, n = c["cell"], c["params"], a.get("seq_len")
    lstm = "LSTM" in cell

    def part(tag):
        w = {k[len(tag) + 2:]: v for k, v in a.items() if k.startswith(tag + "w.")}
        st = (a[tag + "c0"], a[tag + "h0"]) if lstm else (a[tag + "h0"],)
        return w, st

    x = a["x"]
    if c["layout"] == "single":
        y, st = tf_run(cell, *(part("")[0], p), x, part("")[1], n)
        fins = [("", st)]
    elif c["layout"] == "multi":
        fins = []
        y = x
        for tag in ("l0.", "l1."):
            w, st = part(tag)
            y, st = tf_run(cell, w, p, y, st, n)
            fins.append((tag, st))
    else:
        w, st = part("fw.")
        y1, s1 = tf_run(cell, w, p, x, st, n)
        w, st = part("bw.")
        y2, s2 = tf_run(cell, w, p, revseq(x, n), st, n)
        y = np.concatenate([y1, revseq(y2, n)], 2)
        fins = [("fw.", s1), ("bw.", s2)]
    out = {"y": y}
    for tag, st in fins:
        out.update(zip((tag + "cT", tag + "hT") if lstm else (tag + "hT",), st))
    return out


# ------------------------------------------------------------------------- Keras
def keras_dir(c, w, x, st, mask):
    cell, p = c["cell"][6:], c["params"]
    H = st[0].shape[1]
    K, U = w["kernel"], w["recurrent_kernel"]
    b = w.get("bias", np.zeros(K.shape[1]))
    ra = hs if p.get("recurrent_activation") == "hard_sigmoid" else sg
    T = x.shape[1]
    order = range(T - 1, -1, -1) if p.get("go_backwards") else range(T)
    ys, prev = [], np.zeros_like(st[0])
    for t in order:
        xt = x[:, t]
        if cell == "SimpleRNN":
            z = xt @ K + st[0] @ U + b
            h = np.maximum(z, 0) if p.get("activation") == "relu" else np.tanh(z)
            new = (h,)
        elif cell == "GRU":
            h0 = st[0]
            if p.get("reset_after", True):
                if b.ndim == 1:
                    b = np.zeros((2, 3 * H))
                gx, gh = xt @ K + b[0], h0 @ U + b[1]
                z, r = ra(gx[:, :H] + gh[:, :H]), ra(gx[:, H:2 * H] + gh[:, H:2 * H])
                hh = np.tanh(gx[:, 2 * H:] + r * gh[:, 2 * H:])
            else:
                gx = xt @ K + b
                z, r = ra(gx[:, :H] + h0 @ U[:, :H]), ra(gx[:, H:2 * H] + h0 @ U[:, H:2 * H])
                hh = np.tanh(gx[:, 2 * H:] + (r * h0) @ U[:, 2 * H:])
            new = (z * h0 + (1 - z) * hh,)
        else:
            h0, c0 = st
            z = xt @ K + h0 @ U + b
            i, f, g, o = np.split(z, 4, 1)
            c1 = ra(f) * c0 + ra(i) * np.tanh(g)
            new = (ra(o) * np.tanh(c1), c1)
        if mask is not None:
            m = mask[:, t][:, None]
            y = np.where(m, new[0], prev)
            new = tuple(np.where(m, q, s) for q, s in zip(new, st))
        else:
            y = new[0]
        st, prev = new, y
        ys.append(y)
    return np.stack(ys, 1), st


def keras_forward(c, a):
    names = ("h0", "c0") if c["cell"] == "keras.LSTM" else ("h0",)
    fins = ("hT", "cT")
    if not c["bidirectional"]:
        w = {k[2:]: v for k, v in a.items() if k.startswith("w.")}
        y, st = keras_dir(c, w, a["x"], tuple(a[k] for k in names), a.get("mask"))
        return dict([("y", y)] + list(zip(fins, st)))
    out, ys = {}, []
    for tag in ("fw.", "bw."):
        w = {k[5:]: v for k, v in a.items() if k.startswith(tag + "w.")}
        x = a["x"] if tag == "fw." else a["x"][:, ::-1]
        y, st = keras_dir(c, w, x, tuple(a[tag + k] for k in names), None)
        ys.append(y if tag == "fw." else y[:, ::-1])
        out.update(zip((tag + "hT", tag + "cT"), st))
    out["y"] = np.concatenate(ys, 2)
    return out


# ------------------------------------------------------------------------- torch
def torch_forward(c, a):
    p, cell = c["params"], c["cell"][6:]
    L, D = p.get("num_layers", 1), 2 if p.get("bidirectional") else 1
    x, n = a["x"], a.get("seq_len")
    B, T = x.shape[:2]
    n = np.full(B, T) if n is None else n
    hT, cT = np.zeros_like(a["h0"]), np.zeros_like(a.get("c0", a["h0"]))
    for l in range(L):
        ys = []
        for d in range(D):
            s = "_l%d%s" % (l, "_reverse" if d else "")
            Wi, Wh = a["w.weight_ih" + s], a["w.weight_hh" + s]
            bi, bh = a.get("w.bias_ih" + s, 0.0), a.get("w.bias_hh" + s, 0.0)
            Wr = a.get("w.weight_hr" + s)
            k = l * D + d
            h, cc = a["h0"][k].copy(), a["c0"][k].copy() if cell == "LSTM" else None
            y = np.zeros((B, T, h.shape[1]))
            for t in (range(T) if d == 0 else range(T - 1, -1, -1)):
                gx, gh = x[:, t] @ Wi.T + bi, h @ Wh.T + bh
                live = (t < n)[:, None]
                if cell == "RNN":
                    z = gx + gh
                    hn = np.maximum(z, 0) if p["nonlinearity"] == "relu" else np.tanh(z)
                elif cell == "GRU":
                    H = h.shape[1]
                    r, z = sg(gx[:, :H] + gh[:, :H]), sg(gx[:, H:2 * H] + gh[:, H:2 * H])
                    nn_ = np.tanh(gx[:, 2 * H:] + r * gh[:, 2 * H:])
                    hn = (1 - z) * nn_ + z * h
                else:
                    i, f, g, o = np.split(gx + gh, 4, 1)
                    c1 = sg(f) * cc + sg(i) * np.tanh(g)
                    hn = sg(o) * np.tanh(c1)
                    if Wr is not None:
                        hn = hn @ Wr.T
                    cc = np.where(live, c1, cc)
                h = np.where(live, hn, h)
                y[:, t] = np.where(live, hn, 0)
            hT[k] = h
            if cell == "LSTM":
                cT[k] = cc
            ys.append(y)
        x = np.concatenate(ys, 2)
    out = {"y": x, "hT": hT}
    if cell == "LSTM":
        out["cT"] = cT
    return out


# -------------------------------------------------------------------------- ONNX
def onnx_forward(c, a):
    op, at = c["cell"][5:], c["params"]
    X, W, R = a["X"], a["W"], a["R"]
    T, B, _ = X.shape
    D, H = W.shape[0], R.shape[2]
    G = W.shape[1] // H
    bias = a.get("B", np.zeros((D, 2 * G * H)))
    n = a.get("sequence_lens", np.full(B, T))
    acts = at.get("activations")
    clip = at.get("clip")
    cl = (lambda v: np.clip(v, -clip, clip)) if clip else (lambda v: v)
    fns = {"Tanh": np.tanh, "Relu": lambda v: np.maximum(v, 0), "Sigmoid": sg, "HardSigmoid": hs}
    Y, Yh, Yc = np.zeros((T, D, B, H)), np.zeros((D, B, H)), np.zeros((D, B, H))
    for d in range(D):
        rev = at.get("direction") == "reverse" or d == 1
        h = a["initial_h"][d] if "initial_h" in a else np.zeros((B, H))
        cc = a["initial_c"][d] if "initial_c" in a else np.zeros((B, H))
        Wb, Rb = bias[d, :G * H], bias[d, G * H:]
        per = {"RNN": 1, "GRU": 2, "LSTM": 3}[op]
        f = [fns[q] for q in (acts[d * per:(d + 1) * per] if acts and len(acts) >= (d + 1) * per else acts or
                              {"RNN": ["Tanh"], "GRU": ["Sigmoid", "Tanh"], "LSTM": ["Sigmoid", "Tanh", "Tanh"]}[op])]
        P = a["P"][d] if "P" in a else np.zeros(3 * H)
        for t in (range(T - 1, -1, -1) if rev else range(T)):
            live = (t < n)[:, None]
            gx, gh = X[t] @ W[d].T + Wb, h @ R[d].T + Rb
            if op == "RNN":
                hn = f[0](cl(gx + gh))
            elif op == "GRU":
                z, r = f[0](cl(gx[:, :H] + gh[:, :H])), f[0](cl(gx[:, H:2 * H] + gh[:, H:2 * H]))
                if at.get("linear_before_reset"):
                    ht = f[1](cl(gx[:, 2 * H:] + r * gh[:, 2 * H:]))
                else:
                    ht = f[1](cl(gx[:, 2 * H:] + (r * h) @ R[d][2 * H:].T + Rb[2 * H:]))
                hn = (1 - z) * ht + z * h
            else:
                i, o, fg, g = np.split(gx + gh, 4, 1)
                i = f[0](cl(i + P[:H] * cc))
                ff = 1 - i if at.get("input_forget") else f[0](cl(fg + P[2 * H:] * cc))
                c1 = ff * cc + i * f[1](cl(g))
                o = f[0](cl(o + P[H:2 * H] * c1))
                hn = o * f[2](cl(c1) if CLIP_CELL else c1)
                cc = np.where(live, c1, cc)
            h = np.where(live, hn, h)
            Y[t, d] = np.where(live, hn, 0)
        Yh[d], Yc[d] = h, cc
    out = {"Y": Y, "Y_h": Yh}
    if op == "LSTM":
        out["Y_c"] = Yc
    return out


def torchrecurrent_forward(c, a):
    p, h = c["params"], a["h0"]
    s = (lambda v: np.clip(v / 6 + 0.5, 0, 1)) if p.get("gate_nonlinearity") == "hard_sigmoid" else sg
    t = (lambda v: np.maximum(v, 0)) if p.get("nonlinearity") == "relu" else np.tanh
    W, U, b = a["w.inputWeights"], a["w.recurrentWeights"], a["w.bias"]
    H, ys = h.shape[1], []
    for x in np.moveaxis(a["x"], 1, 0):
        gx = x @ W + b
        z = gx[:, :H] + h @ U[:, :H]
        f = s(z)
        if c["cell"] == "torchrecurrent.MGU":
            h = (1 - f) * h + f * t(gx[:, H:] + (f * h) @ U[:, H:])
        else:
            h = f * h + (1 - s(z - p.get("beta", 1.0))) * t(gx[:, H:] + h @ U[:, H:])
        ys.append(h)
    return {"y": np.stack(ys, 1), "hT": h}


FORWARD = {"cells": tf_forward, "keras": keras_forward, "torch": torch_forward,
           "torchrecurrent": torchrecurrent_forward, "onnx": onnx_forward}
