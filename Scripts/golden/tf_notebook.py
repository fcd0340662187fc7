"""The notebook's experiments in TensorFlow, for tf_oracle.py and chaotic_notebook.py."""
import numpy as np

import philox_numpy as P
from oracle_common import err, histogram20
from tf_common import session, tf, tf_top


def rel_error(x, y):
    return np.max(np.abs(x - y) / (np.maximum(1e-8, np.abs(x) + np.abs(y))))


def np_sigmoid(v):
    return 1 / (1 + np.exp(-v))


def np_rnn(K, b, h, x, mode):
    """mode 'f64' | 'f32' | 'mixed' (x@Wx in float32, the rest in float64: what
    NumPy does with float32 weights and data and a float64 initial state)."""
    I = x.shape[2]
    dt = np.float32 if mode == "f32" else np.float64
    h = h.astype(dt)
    ys = []
    for t in range(x.shape[1]):
        if mode == "mixed":
            z = np.stack([np.dot(K[:I].T, x[n, t]) for n in range(x.shape[0])]) + h @ K[I:] + b
        else:
            z = x[:, t].astype(dt) @ K[:I].astype(dt) + h @ K[I:].astype(dt) + b.astype(dt)
        h = np.tanh(z)
        ys.append(h)
    return np.stack(ys, 1), h


def np_gru(Kg, bg, Kc, bc, h, x, mode, reset_after=False):
    I, H = x.shape[2], Kc.shape[1]
    dt = np.float32 if mode == "f32" else np.float64
    h = h.astype(dt)
    ys = []
    for t in range(x.shape[1]):
        if mode == "mixed":
            gx = np.stack([np.dot(Kg[:I].T, x[n, t]) for n in range(x.shape[0])])
            cx = np.stack([np.dot(Kc[:I].T, x[n, t]) for n in range(x.shape[0])])
        else:
            gx, cx = x[:, t].astype(dt) @ Kg[:I].astype(dt), x[:, t].astype(dt) @ Kc[:I].astype(dt)
        ru = np_sigmoid(gx + h @ Kg[I:].astype(dt) + bg.astype(dt))
        r, u = ru[:, :H], ru[:, H:]
        U = Kc[I:].astype(dt)
        c = np.tanh(cx + (r * (h @ U) if reset_after else (r * h) @ U) + bc.astype(dt))
        h = u * h + (1 - u) * c
        ys.append(h)
    return np.stack(ys, 1), h


def random_ops(graph):
    out = []
    for n in graph.as_graph_def().node:
        if n.op in ("RandomUniform", "TruncatedNormal", "RandomStandardNormal"):
            out.append({"node": n.name, "op": n.op, "seed": n.attr["seed"].i, "seed2": n.attr["seed2"].i})
    return out


class Notebook(object):
    """The graph of the notebook: same statements in the same order (the op-level
    seeds are counts of the graph's ops, so the order matters)."""

    def __init__(self, input_data, batch, hidden, seed, dtype=None):
        tf.reset_default_graph()
        tf.random.set_random_seed(seed)
        dtype = dtype or tf.float32
        self.init_state = np.zeros([batch, hidden])
        self.initial_state = tf.Variable(self.init_state, dtype=dtype)
        kw = {} if dtype == tf.float32 else {"dtype": dtype}
        self.rnn_cell = tf.nn.rnn_cell.BasicRNNCell(hidden, **kw)
        self.rnn_y, self.rnn_h = tf.nn.dynamic_rnn(self.rnn_cell, input_data, initial_state=self.initial_state, dtype=dtype)
        self.gru_cell = tf.nn.rnn_cell.GRUCell(hidden, **kw)
        self.gru_y, self.gru_h = tf.nn.dynamic_rnn(self.gru_cell, input_data, initial_state=self.initial_state, dtype=dtype)
        self.graph = tf.get_default_graph()
        self.ops = random_ops(self.graph)
        self.s = session(self.graph)
        self.s.run(tf.global_variables_initializer())
        self.grads = {}

    def weights(self):
        k = self.s.run(list(self.rnn_cell.weights) + list(self.gru_cell.weights))
        return dict(zip(("rnn.kernel", "rnn.bias", "gru.gates.kernel", "gru.gates.bias",
                         "gru.candidate.kernel", "gru.candidate.bias"), k))

    def set_rnn(self, wt_h, wt_x, bias):
        v = self.rnn_cell.weights
        v[0].load(np.concatenate([wt_x, wt_h]).astype(v[0].dtype.as_numpy_dtype), self.s)
        v[1].load(np.asarray(bias, v[1].dtype.as_numpy_dtype), self.s)

    def set_gru(self, Kg, bg, Kc, bc):
        for v, a in zip(self.gru_cell.weights, (Kg, bg, Kc, bc)):
            v.load(np.asarray(a, v.dtype.as_numpy_dtype), self.s)

    def set_state(self, h):
        self.initial_state.load(np.asarray(h, self.initial_state.dtype.as_numpy_dtype), self.s)

    def state(self, which, step):
        y = self.rnn_y if which == "rnn" else self.gru_y
        return self.s.run(y)[:, step, :]

    def grad(self, which, step):
        key = (which, step)
        if key not in self.grads:
            y = self.rnn_y if which == "rnn" else self.gru_y
            with self.graph.as_default():
                st = tf.transpose(y, [1, 0, 2])[step]
                self.grads[key] = tf.gradients([tf.reduce_sum(st)], [self.initial_state])[0]
        return self.s.run(self.grads[key])

    def close(self):
        self.s.close()


def special_gru(Kr, br, I, H, bu, brst, dtype=np.float32):
    """GRU weights that recover the RNN with kernel Kr, bias br."""
    return (np.zeros([I + H, 2 * H], dtype), np.concatenate([np.full(H, brst), np.full(H, bu)]).astype(dtype),
            Kr.astype(dtype), br.astype(dtype))


def keep_gru(I, H, bu, Kc, bc, dtype=np.float32):
    return (np.zeros([I + H, 2 * H], dtype), np.concatenate([np.ones(H), np.full(H, bu)]).astype(dtype),
            Kc.astype(dtype), bc.astype(dtype))


def nb_toy(w, c):
    T, B, I, H = c["sizes"]
    np.random.seed(c["seed"])
    x = np.random.rand(B, T, I).astype(np.float32)
    nb = Notebook(x, B, H, c["seed"])
    a = {"input_data": x}
    a.update(nb.weights())
    a["rnn.y"], a["rnn.hT"] = nb.s.run([nb.rnn_y, nb.rnn_h])
    a["gru.y"], a["gru.hT"] = nb.s.run([nb.gru_y, nb.gru_h])
    for op, key in zip(nb.ops, ("rnn.kernel", "gru.gates.kernel", "gru.candidate.kernel")):
        k = a[key]
        assert k.tobytes() == P.glorot_uniform_f32(op["seed"], op["seed2"], *k.shape).tobytes(), key
    vals = {"rel_error(rnn,gru)": float(rel_error(a["rnn.y"], a["gru.y"]))}
    z = nb.init_state
    for m in ("mixed", "f64", "f32"):
        y, h = np_rnn(a["rnn.kernel"], a["rnn.bias"], z, x, m)
        vals["rnn.np_" + m] = float(rel_error(a["rnn.y"], y) + rel_error(a["rnn.hT"], h))
        for ra in (False, True):
            y, h = np_gru(a["gru.gates.kernel"], a["gru.gates.bias"], a["gru.candidate.kernel"], a["gru.candidate.bias"], z, x, m, ra)
            vals["gru%s.np_%s" % ("_reset_after" if ra else "", m)] = float(rel_error(a["gru.y"], y) + rel_error(a["gru.hT"], h))
            if m == "f64":
                a["np64.gru%s.y" % ("_reset_after" if ra else "")] = y
    a["np64.rnn.y"], _ = np_rnn(a["rnn.kernel"], a["rnn.bias"], z, x, "f64")
    # GRU as RNN, a sweep over the two gate biases
    sweep = []
    for bu, br in c["gru_as_rnn"]:
        nb.set_gru(*special_gru(a["rnn.kernel"], a["rnn.bias"], I, H, bu, br))
        y, h = nb.s.run([nb.gru_y, nb.gru_h])
        sweep.append({"bias_u": bu, "bias_r": br, "rel_error": float(rel_error(a["rnn.y"], y)),
                      "max_abs": err(y, a["rnn.y"]), "bitwise_equal": bool(y.tobytes() == a["rnn.y"].tobytes())})
        a["gru_as_rnn.u%g_r%g.y" % (bu, br)] = y
    # candidate set, gate weights left as TF made them, only biases moved
    nb.set_gru(a["gru.gates.kernel"], np.concatenate([np.full(H, 20.0), np.full(H, -20.0)]), a["rnn.kernel"], a["rnn.bias"])
    y = nb.s.run(nb.gru_y)
    vals["gru_as_rnn.gate_weights_kept.u-20_r20"] = float(rel_error(a["rnn.y"], y))
    nb.close()
    w.add(c["name"], a, "notebook", seed=c["seed"], sizes=dict(zip("TBIH", c["sizes"])), dtype="float32",
          convention="notebook", random_ops=nb.ops, values=vals, gru_as_rnn=sweep)


def drift_rows(nb, spec_bias, I, H, Kc, bc, inits, step):
    rows = []
    for b in spec_bias:
        nb.set_gru(*keep_gru(I, H, b, Kc, bc))
        row = {"bias_u": b}
        for k, v in inits:
            nb.set_state(v)
            row[k] = err(nb.state("gru", step), np.asarray(v).astype(nb.initial_state.dtype.as_numpy_dtype))
        rows.append(row)
    return rows


def nb_experiments(w, c):
    """cells In[346], In[347], In[372], In[376], run top to bottom, for one scale
    of the RNN weights in the forward and one in the backward experiment."""
    T, B, I, H = c["sizes"]
    steps = c["steps"]
    seed, scale, gscale = c["seed"], c["scale"], c["grad_scale"]
    gstep = c.get("grad_step", 30)
    with_gru = c.get("with_gru", True)  # its parts do not depend on the RNN's scale
    draws, a = [], {}

    def rand(tag, *shape):
        v = np.random.rand(*shape)
        draws.append({"tag": tag, "shape": list(shape)})
        a["draw.%02d" % (len(draws) - 1)] = v
        return v

    np.random.seed(seed)
    x = np.random.rand(B, T, I).astype(np.float32) - np.float32(0.5)
    nbs = {"32": Notebook(x, B, H, seed)}
    ops = nbs["32"].ops
    init_w = nbs["32"].weights()
    if with_gru:
        a.update(("init." + k, v) for k, v in init_w.items())
    wt_h = (rand("wt_h", H, H) - 0.5) * scale
    wt_x = (rand("wt_x", I, H) - 0.5) * scale
    bias = (rand("bias", H) - 0.5) * scale
    rows = [("rnn", s, [rand("init_rand1 rnn %d" % s, B, H), rand("init_rand2 rnn %d" % s, B, H)]) for s in steps]
    rows += [("gru", s, [rand("init_rand1 gru %d" % s, B, H), rand("init_rand2 gru %d" % s, B, H)]) for s in steps]
    gwt_h = (rand("grad wt_h", H, H) - 0.5) * gscale
    gwt_x = (rand("grad wt_x", I, H) - 0.5) * gscale
    gbias = (rand("grad bias", H) - 0.5) * gscale
    if not c.get("store_draws", False):  # they are in numpy_rng's notebook_draws
        a = {k: v for k, v in a.items() if not k.startswith("draw.")}
    a.update({"wt_h": wt_h, "wt_x": wt_x, "bias": bias, "grad.wt_h": gwt_h, "grad.wt_x": gwt_x, "grad.bias": gbias})
    if c.get("store_input", False):
        a["input_data"] = x
    # a float64 twin: the same graph in float64 with the same (float32-rounded) numbers
    nbs["64"] = Notebook(x.astype(np.float64), B, H, seed, tf.float64)
    f = lambda v: np.asarray(v, np.float32).astype(np.float64)  # noqa: E731
    Kc_keep, bc_keep = init_w["gru.candidate.kernel"], init_w["gru.candidate.bias"]
    bu = c["keep_bias"]
    vals = {}
    for prec, nb in (("32", nbs["32"]), ("64", nbs["64"])):
        nb.set_rnn(f(wt_h), f(wt_x), f(bias))
        for which, s, (r1, r2) in rows:
            variants = [("rnn", None)] if which == "rnn" else [] if not with_gru else [
                ("gru_keep", keep_gru(I, H, bu, Kc_keep, bc_keep)),
                ("gru_init", tuple(init_w["gru." + q] for q in ("gates.kernel", "gates.bias", "candidate.kernel", "candidate.bias")))]
            for tag, wts in variants:
                if wts is not None:
                    nb.set_gru(*wts)
                st = []
                for h in (np.zeros([B, H]), r1, r2, r1 * 100):
                    nb.set_state(f(h))
                    st.append(nb.state(which, s))
                pairs = ((0, 1), (0, 2), (1, 2), (3, 0), (3, 1), (3, 2))
                for k, (i, j) in enumerate(pairs):
                    nd = np.linalg.norm(st[i] - st[j], axis=1)
                    base = "%s.step%d.f%s" % (tag, s, prec)
                    a["%s.norm_diff%d" % (base, k + 1)] = nd
                    if prec == "32":
                        n, e = histogram20(nd)
                        a["%s.hist%d.counts" % (base, k + 1)], a["%s.hist%d.edges" % (base, k + 1)] = n, e
                    if prec == "32":
                        vals["%s.norm_diff%d.mean" % (base, k + 1)] = float(nd.astype(np.float64).mean())
                if prec == "32" and c.get("store_states", True):
                    for nm, q in zip(("zero", "rand1", "rand2", "scaleup1"), st):
                        a["%s.step%d.f32.state_%s" % (tag, s, nm)] = q
    last_r1 = rows[-1][2][0]
    inits = [("zero", np.zeros([B, H])), ("rand1", last_r1), ("rand1x100", last_r1 * 100)]
    drift = {p: drift_rows(nbs[p], c["keep_sweep"], I, H, Kc_keep, bc_keep, [(k, f(v)) for k, v in inits], gstep)
             for p in nbs if with_gru}
    # backward. The notebook never resets initial_state: it still holds
    # init_rand1*100 of the last histogram call ("as_left").
    for prec, nb in (("32", nbs["32"]), ("64", nbs["64"])):
        nb.set_rnn(f(gwt_h), f(gwt_x), f(gbias))
        for gname, wts in (("gru_keep", keep_gru(I, H, bu, Kc_keep, bc_keep)),
                           ("gru_init", tuple(init_w["gru." + q] for q in ("gates.kernel", "gates.bias", "candidate.kernel", "candidate.bias"))),
                           ("rnn", None)):
            if gname != "rnn" and not with_gru:
                continue
            if wts is not None:
                nb.set_gru(*wts)
            for sname, h in (("as_left", last_r1 * 100), ("zero", np.zeros([B, H])), ("rand1", last_r1)):
                nb.set_state(f(h))
                gr = nb.grad("rnn" if gname == "rnn" else "gru", gstep)
                nrm = np.linalg.norm(gr, axis=1)
                base = "grad.%s.%s.f%s" % (gname, sname, prec)
                a[base], a[base + ".norm"] = gr, nrm
                if prec == "32":
                    n, e = histogram20(nrm)
                    a[base + ".hist.counts"], a[base + ".hist.edges"] = n, e
                n64 = nrm.astype(np.float64)
                vals[base + ".norm"] = {"min": float(n64.min()), "mean": float(n64.mean()), "max": float(n64.max()), "zeros": int((nrm == 0).sum())}
    for nb in nbs.values():
        nb.close()
    f32e = {}
    for k in a:
        if ".f32" in k and k.replace(".f32", ".f64") in a:
            grp = k.split(".f32")[0] + (".norm" if k.endswith(".norm") else "")
            f32e[grp] = max(f32e.get(grp, 0.0), err(a[k], a[k.replace(".f32", ".f64")]))
    w.add(c["name"], a, "notebook", seed=seed, sizes=dict(zip("TBIH", c["sizes"])), dtype="float32", steps=steps, f32_error=f32e,
          scale=scale, grad_scale=gscale, grad_step=gstep, keep_bias=bu, convention="notebook", draws=draws,
          random_ops=ops, values=vals, drift=drift,
          notes="f64 arrays: the same graph in float64 fed with the float32-rounded numbers. as_left = the state that the notebook leaves in initial_state (init_rand1*100 of the last histogram call). "
                "gru_keep: gate kernels 0, bias_u=keep_bias, bias_r=1, candidate as TF initialised it. gru_init: the GRU as TF initialised it.")


def run_keras_notebook(w, spec):
    """The later Keras version of the notebook (np.random.seed(s), SimpleRNN, GRU)."""
    K = tf_top.keras
    for c in spec["keras_notebook"]:
        T, B, I, H = 5, 4, 3, 2
        K.backend.clear_session()
        np.random.seed(c["seed"])
        x = np.random.rand(B, T, I).astype(np.float32)
        K.utils.set_random_seed(c["seed"])  # tf.random.set_seed alone leaves Keras 2.15's initialisers unseeded
        h0 = tf_top.constant(np.zeros([B, H]), dtype=tf_top.float32)
        r = K.layers.SimpleRNN(H, return_sequences=True, return_state=True)
        y1, f1 = r(x, initial_state=h0)
        g = K.layers.GRU(H, return_sequences=True, return_state=True, reset_after=False)
        y2, f2 = g(x, initial_state=h0)
        a = {"toy.x": x, "toy.rnn.y": y1.numpy(), "toy.rnn.hT": f1.numpy(), "toy.gru.y": y2.numpy(), "toy.gru.hT": f2.numpy()}
        for pre, layer in (("toy.rnn.", r), ("toy.gru.", g)):
            for v, val in zip(layer.weights, layer.get_weights()):
                a[pre + "w." + v.name.split("/")[-1].split(":")[0]] = val
        # long-term dependency
        T, B, I, H = 50, 100, 5, 8
        np.random.seed(c["seed"])
        ws = [((np.random.rand(*s) - 0.5) * c["scale"]).astype(np.float32) for s in ((H, H), (I, H), (H,))]
        xin = (np.random.rand(B, T, I).astype(np.float32) - 0.5).astype(np.float32)
        inits = [np.zeros([B, H], np.float32)] + [np.random.random_sample([B, H]).astype(np.float32) for _ in range(2)]
        inits.append(inits[1] * 100)
        layer = K.layers.SimpleRNN(H, return_sequences=True)
        layer.build((B, T, I))
        layer.set_weights([ws[1], ws[0], ws[2]])
        outs = [layer(tf_top.constant(xin), initial_state=tf_top.constant(v)).numpy() for v in inits]
        vals = {}
        for step in (5, 10, 20):
            dl = [np.linalg.norm(outs[i][:, step] - outs[j][:, step], axis=1) for i in range(4) for j in range(i + 1, 4)]
            a["ltd.step%d.norms" % step] = np.stack(dl)
            vals["diff_frac%d" % step] = float(sum(np.mean((q > 0.1).astype(np.float32)) for q in dl) / len(dl))
        a.update({"ltd.wt_h": ws[0], "ltd.wt_x": ws[1], "ltd.bias": ws[2]})
        # gradient of sum of squares of state 30
        np.random.seed(c["grad_seed"])
        ws = [((np.random.rand(*s) - 0.5) * c["scale"]).astype(np.float32) for s in ((H, H), (I, H), (H,))]
        layer.set_weights([ws[1], ws[0], ws[2]])
        st = tf_top.Variable(np.random.random_sample([B, H]), dtype=tf_top.float32)
        with tf_top.GradientTape() as t:
            obj = tf_top.reduce_sum(tf_top.square(layer(tf_top.constant(xin), initial_state=st)[:, 30, :]))
        gr = t.gradient(obj, st).numpy()
        a.update({"grad.wt_h": ws[0], "grad.wt_x": ws[1], "grad.bias": ws[2], "grad.h0": st.numpy(), "grad.d_h0": gr,
                  "grad.norm": np.linalg.norm(gr, axis=1)})
        w.add(c["name"], a, "keras_notebook", seed=c["seed"], scale=c["scale"], grad_seed=c["grad_seed"], values=vals, convention="keras.SimpleRNN",
              notes="the course's later Keras notebook; draws: seed, wt_h, wt_x, bias, input (B,T,I), two random states; the toy's initial weights come from Keras' own initialisers after keras.utils.set_random_seed(seed) (tf.random.set_seed alone does not fix them in 2.15).")


def nb_init_tf2(w, spec):
    """Initial weights that tf.compat.v1 of TF 2.15.1 gives for the notebook's graph
    after tf.disable_v2_behavior(). Op-level seeds there are 0, 1, 2, ... (a counter),
    not op counts. (After disable_eager_execution() alone the initialisers become
    stateless ops with an unseeded random seed: other weights in every process.)"""
    for c in spec["notebook"]["toy"]:
        T, B, I, H = c["sizes"]
        np.random.seed(c["seed"])
        x = np.random.rand(B, T, I).astype(np.float32)
        with tf.Graph().as_default():
            nb = Notebook.__new__(Notebook)
            tf.random.set_random_seed(c["seed"])
            st = tf.Variable(np.zeros([B, H]), dtype=tf.float32)
            rc, gc = tf.nn.rnn_cell.BasicRNNCell(H), tf.nn.rnn_cell.GRUCell(H)
            ry, rh = tf.nn.dynamic_rnn(rc, x, initial_state=st, dtype=tf.float32)
            gy, gh = tf.nn.dynamic_rnn(gc, x, initial_state=st, dtype=tf.float32)
            ops = random_ops(tf.get_default_graph())
            with session() as s:
                s.run(tf.global_variables_initializer())
                assert len(ops) == 3, ops
                nb.s, nb.rnn_cell, nb.gru_cell = s, rc, gc
                a = nb.weights()
                a["input_data"] = x
                a["rnn.y"], a["rnn.hT"], a["gru.y"], a["gru.hT"] = s.run([ry, rh, gy, gh])
                sweep = []
                for bu, br in c["gru_as_rnn"]:
                    nb.set_gru(*special_gru(a["rnn.kernel"], a["rnn.bias"], I, H, bu, br))
                    y = s.run(gy)
                    sweep.append({"bias_u": bu, "bias_r": br, "rel_error": float(rel_error(a["rnn.y"], y)),
                                  "max_abs": err(y, a["rnn.y"]), "bitwise_equal": bool(y.tobytes() == a["rnn.y"].tobytes())})
        for op, key in zip(ops, ("rnn.kernel", "gru.gates.kernel", "gru.candidate.kernel")):
            assert a[key].tobytes() == P.glorot_uniform_f32(op["seed"], op["seed2"], *a[key].shape).tobytes(), key
        vals = {}
        z = np.zeros([B, H])
        for m in ("mixed", "f64", "f32"):
            y, h = np_rnn(a["rnn.kernel"], a["rnn.bias"], z, x, m)
            vals["rnn.np_" + m] = float(rel_error(a["rnn.y"], y) + rel_error(a["rnn.hT"], h))
            y, h = np_gru(a["gru.gates.kernel"], a["gru.gates.bias"], a["gru.candidate.kernel"], a["gru.candidate.bias"], z, x, m)
            vals["gru.np_" + m] = float(rel_error(a["gru.y"], y) + rel_error(a["gru.hT"], h))
        w.add(c["name"] + "_compat_v1", a, "notebook", seed=c["seed"], sizes=dict(zip("TBIH", c["sizes"])), dtype="float32",
              random_ops=ops, values=vals, gru_as_rnn=sweep, convention="notebook",
              notes="tf.compat.v1 in TF 2.15.1: other op seeds than TF 1.13.1, so other initial weights; the notebook itself is the tf1 case of the same seed")
