"""Keras 2's layers and model files, for tf_oracle.py."""
import os

import numpy as np

from oracle_common import Data, data_seed
from tf_common import case_name, f32_errors, tf_top


def keras_layer(K, kind, H, dtype, p):
    kw = dict(return_sequences=True, return_state=True, dtype=dtype)
    kw.update({k: v for k, v in p.items() if k in ("reset_after", "recurrent_activation", "go_backwards", "activation", "use_bias")})
    return getattr(K.layers, kind)(H, **kw)


def keras_case(c, size, np_dtype, seed):
    T, B, I, H = size
    p = c.get("params", {})
    d = Data(seed, np_dtype)
    K = tf_top.keras
    bidi = c.get("bidirectional", False)
    lstm = c["cell"] == "LSTM"
    dt = np.dtype(np_dtype).name
    layer = keras_layer(K, c["cell"], H, dt, p)
    if bidi:
        layer = K.layers.Bidirectional(layer, dtype=dt)
    x = d.uniform((B, T, I))
    mask = None
    if c.get("mask") == "right":
        n = d.rng.randint(0, T + 1, B)
        n[0], n[-1] = 0, T
        mask = np.arange(T)[None, :] < n[:, None]
    elif c.get("mask") == "any":
        mask = d.rng.random_sample((B, T)) < 0.6
    layer.build((B, T, I))
    ws = [d.uniform(v.shape, 1.2 / np.sqrt(H) if len(v.shape) == 2 and v.shape[0] != 2 else 0.5) for v in layer.get_weights()]
    layer.set_weights(ws)
    a = {"x": x}
    names = []
    for v, val in zip(layer.weights, ws):
        leaf = v.name.split("/")[-1].split(":")[0]
        pre = ("bw." if "backward" in v.name else "fw.") if bidi else ""
        names.append(pre + "w." + leaf)
        a[names[-1]] = val
    ndirs = 2 if bidi else 1
    states = [d.uniform((B, H), 0.8) for _ in range(ndirs * (2 if lstm else 1))]
    snames = [pre + s for pre in (("fw.", "bw.") if bidi else ("",)) for s in (("h0", "c0") if lstm else ("h0",))]
    a.update(zip(snames, states))
    lw = d.uniform((B, T, H * ndirs))
    a["loss_w"] = lw
    step = T // 2
    xt, st = tf_top.constant(x), [tf_top.constant(v) for v in states]
    with tf_top.GradientTape(persistent=True) as g:
        g.watch([xt] + st)
        kw = {} if mask is None else {"mask": tf_top.constant(mask)}
        out = layer(xt, initial_state=st if len(st) > 1 else st[0], **kw) if not bidi else layer(xt, initial_state=st, **kw)
        y = out[0]
        ls, lwt = tf_top.reduce_sum(y[:, step, :]), tf_top.reduce_sum(y * lw)
    a["y"] = y.numpy()
    for nm, v in zip([s.replace("0", "T") for s in snames], out[1:]):
        a[nm] = v.numpy()
    if mask is not None:
        a["mask"] = mask
    wrt, wn = list(layer.trainable_variables) + [xt] + st, names + ["x"] + snames
    for pre, L in (("gs.", ls), ("gw.", lwt)):
        for nm, gr in zip(wn, g.gradient(L, wrt)):
            a[pre + nm] = np.zeros_like(a[nm]) if gr is None else gr.numpy()
    conv = "keras." + c["cell"]
    if c["cell"] == "GRU":
        conv += ".reset_after_" + str(p.get("reset_after", True)).lower()
    meta = dict(cell="keras." + c["cell"], sizes={"T": T, "B": B, "I": I, "H": H}, dtype=dt, seed=seed, grad_step=step,
                params=p, convention=conv, weights=names, bidirectional=bidi, mask=c.get("mask", ""))
    return a, meta


def run_keras(w, spec, base):
    for c in spec["keras"]:
        for size in c["sizes"]:
            name = case_name(c, size)
            seed = data_seed(base, "keras", name)
            a32, meta = keras_case(c, size, np.float32, seed)
            a64, meta64 = keras_case(c, size, np.float64, seed)
            meta["f32_error"] = f32_errors(a32, a64)
            w.add(name + "_f32", a32, "keras", **meta)
            if c.get("f64", True) and size[3] <= spec["f64_max_H"]:
                w.add(name + "_f64", a64, "keras", **meta64)


def run_keras_files(w, spec, base):
    """A tiny Embedding+GRU+Dense model as .h5, .keras and .weights.h5."""
    K = tf_top.keras
    for c in spec["keras_files"]:
        V, E, H, O, B, T = c["sizes"]
        K.backend.clear_session()
        d = Data(data_seed(base, c["name"]), np.float32)
        m = K.Sequential([
            K.layers.Embedding(V, E, input_length=T, name="embedding", mask_zero=c.get("mask_zero", False)),
            K.layers.GRU(H, name="gru", return_sequences=True, reset_after=c["reset_after"]),
            K.layers.Dense(O, name="dense", activation="softmax")], name=c["name"])
        m.build((None, T))
        ws = [d.uniform(v.shape, 0.8) for v in m.get_weights()]
        m.set_weights(ws)
        x = d.rng.randint(0, V, (B, T)).astype(np.int32)
        y = m(x).numpy()
        files = []
        for suf in (".h5", ".keras", ".weights.h5"):
            rel = "%s/%s%s" % (w.part, c["name"], suf)
            path = os.path.join(w.out, rel)
            if suf == ".weights.h5":
                m.save_weights(path)
            else:
                m.save(path)
            files.append(rel)
        a = {"x": x, "y": y}
        names = []
        for v, val in zip(m.weights, ws):
            names.append("w." + v.name.split(":")[0].replace("/", "."))
            a[names[-1]] = val
        w.add(c["name"], a, "keras_files", files=files, sizes=dict(zip("VEHOBT", c["sizes"])), weights=names, dtype="float32",
              reset_after=c["reset_after"], convention="keras.GRU.reset_after_" + str(c["reset_after"]).lower(),
              notes="model files hold the same weights as w.*; x int32 ids, y softmax probabilities [B,T,O]. .keras is a zip (config.json, metadata.json, model.weights.h5); its bytes carry a save date and are not reproducible.")
