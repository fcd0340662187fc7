"""Layers, steps and language models in PyTorch, JAX and TensorFlow, for peers.py."""
import os

from peer_common import lm_data, np_data, np_params, safe


# ------------------------------------------------------------------ torch
def run_torch(ws, variants, threads):
    import torch, numpy as np
    from torch import nn
    torch.set_num_threads(threads)
    try: torch.set_num_interop_threads(1)
    except RuntimeError: pass
    ver = f'torch {torch.__version__}'
    import contextlib
    def mod(w):
        m = dict(rnn=nn.RNN, gru=nn.GRU, lstm=nn.LSTM)[w['cell']](w['I'], w['H'], w['layers'])
        load(m, np_params(w)); return m
    def load(m, P):
        with torch.no_grad():
            for l, (wi, wh, bi, bh) in enumerate(P):
                getattr(m, f'weight_ih_l{l}').copy_(torch.from_numpy(wi.T)); getattr(m, f'weight_hh_l{l}').copy_(torch.from_numpy(wh.T))
                getattr(m, f'bias_ih_l{l}').copy_(torch.from_numpy(bi)); getattr(m, f'bias_hh_l{l}').copy_(torch.from_numpy(bh))
    def layer(w, v):
        m = mod(w); x, h, c, dy = (torch.from_numpy(a) for a in np_data(w)); lstm = w['cell'] == 'lstm'
        st = (h, c) if lstm else h
        ctx = (lambda: torch.backends.mkldnn.flags(enabled=False)) if v == 'nomkldnn' else contextlib.nullcontext
        call = m
        if v == 'compile':
            torch._dynamo.reset(); import torch._dynamo.config as dc
            dc.allow_rnn = True
            call = torch.compile(m)
        if w['mode'] == 'forward':
            def f():
                with torch.inference_mode(), ctx(): return call(x, st)
            if v == 'no_grad':
                def f():
                    with torch.no_grad(), ctx(): return call(x, st)
        else:
            x.requires_grad_(); [a.requires_grad_() for a in (st if lstm else [st])]
            leaves = list(m.parameters()) + [x] + (list(st) if lstm else [st])
            def f():
                with ctx():
                    y, _ = call(x, st)
                    return y, torch.autograd.grad(y, leaves, dy)
        f.mod = m
        return f
    def step(w, v):
        x, h, c, _ = (torch.from_numpy(a) for a in np_data(w)); lstm = w['cell'] == 'lstm'
        if v == 'layer':
            m = mod(w); s = [(h, c) if lstm else h]
            def f(): _, s[0] = m(x, s[0])
        elif v == 'layer_nomkldnn':
            m = mod(w); s = [(h, c) if lstm else h]
            def f():
                with torch.backends.mkldnn.flags(enabled=False): _, s[0] = m(x, s[0])
        else:
            m = dict(rnn=nn.RNNCell, gru=nn.GRUCell, lstm=nn.LSTMCell)[w['cell']](w['I'], w['H'])
            if v == 'cell_script': m = torch.jit.script(m)
            if v == 'cell_compile':
                torch._dynamo.reset(); m = torch.compile(m)
            x0 = x[0]; s = [(h[0], c[0]) if lstm else h[0]]
            def f(): s[0] = m(x0, s[0])
        def g():
            with torch.inference_mode(): f()
        if v in ('layer', 'cell', 'cell_script', 'cell_compile'):   # enter inference_mode once, as a streaming loop would
            return f
        return g
    def lm(w, v):
        torch.manual_seed(0); V, E, H, L = w['V'], w['E'], w['H'], w['layers']; lstm = w['cell'] == 'lstm'
        class M(nn.Module):
            def __init__(s):
                super().__init__(); s.emb = nn.Embedding(V, E, sparse=False); s.rnn = dict(rnn=nn.RNN, gru=nn.GRU, lstm=nn.LSTM)[w['cell']](E, H, L); s.dec = nn.Linear(H, V)
                for p in s.parameters(): nn.init.uniform_(p, -.1, .1)
                if w['tied']: s.dec.weight = s.emb.weight
            def forward(s, tok, st, tgt):
                y, st = s.rnn(s.emb(tok), st)
                return nn.functional.cross_entropy(s.dec(y.view(-1, H)), tgt), st
        m = M(); tok, tgt = lm_data(w); tok = torch.from_numpy(tok); tgt = torch.from_numpy(tgt).reshape(-1)
        z = torch.zeros(L, w['B'], H); st = [(z, z.clone()) if lstm else z]
        params = list(m.parameters()); fused = v in ('fused', 'compile')
        opt = (torch.optim.SGD(params, lr=0.1, fused=fused or None) if w['opt'] == 'sgd' else torch.optim.Adam(params, lr=1e-3, fused=fused or None))
        call = m
        if v == 'compile':
            torch._dynamo.reset(); call = torch.compile(m)
        def f():
            opt.zero_grad(set_to_none=True)
            loss, s2 = call(tok, st[0], tgt); loss.backward()
            nn.utils.clip_grad_norm_(params, w['clip']); opt.step()
            st[0] = tuple(a.detach() for a in s2) if lstm else s2.detach()
            f.loss = float(loss.detach())
        return f
    if ws is None: return layer
    default = dict(layer=['eager'], lm=['default', 'fused'])
    for w in ws:
        if w['kind'] == 'lm': vs, mk = default['lm'], lm
        elif w['mode'] == 'step': vs, mk = ['layer', 'cell', 'cell_script'] + (['layer_nomkldnn'] if w['cell'] == 'lstm' else []), step
        else: vs, mk = ['eager'], layer
        for v in ([a for a in variants] if variants else vs):
            if w['mode'] == 'step':
                with torch.inference_mode(): safe(w, 'torch', v, ver, lambda: mk(w, v))
            else: safe(w, 'torch', v, ver, lambda: mk(w, v))


# ------------------------------------------------------------------ jax
def run_jax(ws, variants, threads):
    import jax, jax.numpy as jnp, numpy as np
    ver = f'jax {jax.__version__}'
    def cellstep(cell, H, xw, h, wh, bh):
        if cell == 'rnn': return jnp.tanh(xw + h @ wh)
        if cell == 'gru':
            hw = h @ wh + bh
            rz = jax.nn.sigmoid(xw[:, :2 * H] + hw[:, :2 * H]); r, z = rz[:, :H], rz[:, H:]
            n = jnp.tanh(xw[:, 2 * H:] + r * hw[:, 2 * H:]); return (1 - z) * n + z * h
    def layers_fn(cell, H, P, x, h0, c0, hoist=True, unroll=1):
        hs, cs = [], []
        for l, (wi, wh, bi, bh) in enumerate(P):
            b = bi if cell == 'gru' else bi + bh
            xin = x @ wi + b if hoist else x
            pre = (lambda a: a) if hoist else (lambda a: a @ wi + b)
            if cell == 'lstm':
                def body(s, xt):
                    h, c = s; g = pre(xt) + h @ wh; i, f, gg, o = jnp.split(g, 4, 1)
                    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(gg); h = jax.nn.sigmoid(o) * jnp.tanh(c)
                    return (h, c), h
                (hT, cT), x = jax.lax.scan(body, (h0[l], c0[l]), xin, unroll=unroll); cs.append(cT)
            else:
                def body(h, xt):
                    h = cellstep(cell, H, pre(xt), h, wh, bh); return h, h
                hT, x = jax.lax.scan(body, h0[l], xin, unroll=unroll)
            hs.append(hT)
        return x, jnp.stack(hs), (jnp.stack(cs) if cs else c0)
    def opts(v):
        return dict(hoist=(v != 'inscan'), unroll=int(v[6:]) if v.startswith('unroll') else 1)
    def layer(w, v):
        P = jax.tree.map(jnp.asarray, np_params(w)); x, h, c, dy = map(jnp.asarray, np_data(w)); cell, H = w['cell'], w['H']; o = opts(v)
        if w['mode'] == 'forward':
            fn = jax.jit(lambda P, x, h, c: layers_fn(cell, H, P, x, h, c, **o))
            return lambda: jax.block_until_ready(fn(P, x, h, c))
        def tr(P, x, h, c, dy):
            y, vjp = jax.vjp(lambda P, x, h, c: layers_fn(cell, H, P, x, h, c, **o)[0], P, x, h, c); return y, vjp(dy)
        fn = jax.jit(tr); return lambda: jax.block_until_ready(fn(P, x, h, c, dy))
    def step(w, v):
        P = jax.tree.map(jnp.asarray, np_params(w)); x, h, c, _ = map(jnp.asarray, np_data(w)); s = [(h, c)]
        fn = jax.jit(lambda P, x, h, c: layers_fn(w['cell'], w['H'], P, x, h, c))
        if v == 'aot': fn = fn.lower(P, x, h, c).compile()
        def f(): y, a, b = fn(P, x, *s[0]); s[0] = (a, b); a.block_until_ready()
        return f
    def lm(w, v):
        V, E, H, L, cell = w['V'], w['E'], w['H'], w['layers'], w['cell']; r = np.random.default_rng(0)
        u = lambda *s: jnp.asarray(r.uniform(-.1, .1, s).astype('f'))
        P = dict(emb=u(V, E), rnn=jax.tree.map(jnp.asarray, np_params(w)), b=u(V))
        if not w['tied']: P['dec'] = u(H, V)
        tok, tgt = lm_data(w); tok, tgt = jnp.asarray(tok, 'int32'), jnp.asarray(tgt, 'int32')
        o = opts(v)
        def loss(P, h, c):
            y, h, c = layers_fn(cell, H, P['rnn'], P['emb'][tok], h, c, **o)
            lg = y.reshape(-1, H) @ (P['emb'].T if w['tied'] else P['dec']) + P['b']
            lse = jax.scipy.special.logsumexp(lg, 1); return jnp.mean(lse - jnp.take_along_axis(lg, tgt.reshape(-1, 1), 1)[:, 0]), (h, c)
        def stepf(P, S, h, c):
            (l, (h, c)), g = jax.value_and_grad(loss, has_aux=True)(P, h, c)
            n = jnp.sqrt(sum(jnp.sum(a * a) for a in jax.tree.leaves(g))); k = jnp.minimum(1., w['clip'] / (n + 1e-6))
            if w['opt'] == 'sgd': P = jax.tree.map(lambda p, a: p - 0.1 * k * a, P, g)
            else:
                m, v2, t = S; t = t + 1; m = jax.tree.map(lambda m, a: .9 * m + .1 * k * a, m, g); v2 = jax.tree.map(lambda s, a: .999 * s + .001 * (k * a) ** 2, v2, g)
                a1, a2 = 1 - .9 ** t, 1 - .999 ** t
                P = jax.tree.map(lambda p, m, s: p - 1e-3 * (m / a1) / (jnp.sqrt(s / a2) + 1e-8), P, m, v2); S = (m, v2, t)
            return P, S, h, c, l
        zero = jax.tree.map(jnp.zeros_like, P); S = (zero, jax.tree.map(jnp.copy, zero), jnp.float32(0)) if w['opt'] == 'adam' else ()
        fn = jax.jit(stepf, donate_argnums=(0, 1, 2, 3)); h = jnp.zeros((L, w['B'], H)); st = [(P, S, h, jnp.copy(h))]
        def f():
            *s, l = fn(*st[0]); st[0] = tuple(s); jax.block_until_ready(s); f.loss = float(l)
        return f
    if ws is None: return layer
    for w in ws:
        if w['kind'] == 'lm': vs, mk = ['scan'], lm
        elif w['mode'] == 'step': vs, mk = ['jit'], step
        else: vs, mk = ['scan'], layer
        for v in (variants or vs): safe(w, 'jax', v, ver, lambda: mk(w, v))


# ------------------------------------------------------------------ tensorflow
def run_tf(ws, variants, threads):
    os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
    import tensorflow as tf, numpy as np
    tf.config.threading.set_intra_op_parallelism_threads(threads); tf.config.threading.set_inter_op_parallelism_threads(1 if threads == 1 else 2)
    ver = f'tensorflow {tf.__version__}'; K = tf.keras.layers
    def klayer(w, return_seq=True):
        c = dict(rnn=K.SimpleRNN, gru=K.GRU, lstm=K.LSTM)[w['cell']]
        return c(w['H'], return_sequences=return_seq, return_state=True, time_major=True)
    def perm(w, a):   # torch gate order -> keras (lstm i,f,c,o same; gru z,r,h)
        if w['cell'] != 'gru': return a
        H = w['H']; return np.concatenate([a[..., H:2 * H], a[..., :H], a[..., 2 * H:]], -1)
    def load(w, l, P):
        wi, wh, bi, bh = [perm(w, a) for a in P]
        l.set_weights([wi, wh, np.stack([bi, bh]) if w['cell'] == 'gru' else bi + bh])
    def layer(w, v):
        x, h, c, dy = map(tf.constant, np_data(w)); lstm = w['cell'] == 'lstm'; jit = v.endswith('xla')
        st = [h[0], c[0]] if lstm else [h[0]]
        if v.startswith('block'):
            assert lstm; wi, wh, bi, bh = np_params(w)[0]; H = w['H']
            # BlockLSTMV2 gate order i,c,f,o? -> uses ICFO for V1 and IFCO via V2 kernels; only cost is measured here
            W = tf.Variable(np.concatenate([wi, wh], 0)); b = tf.Variable(bi + bh); z = tf.zeros([H]); vars_ = [W, b]; sl = tf.constant(w['T'], tf.int64)
            def fwd(x, st):
                o = tf.raw_ops.BlockLSTMV2(seq_len_max=sl, x=x, cs_prev=st[1], h_prev=st[0], w=W, wci=z, wcf=z, wco=z, b=b, cell_clip=0.0, use_peephole=False)
                return o.h
        else:
            l = klayer(w); l(x, initial_state=st); load(w, l, np_params(w)[0]); vars_ = l.trainable_variables
            fwd = lambda x, st: l(x, initial_state=st)[0]
        if w['mode'] == 'forward':
            fn = tf.function(lambda x, st: fwd(x, st), jit_compile=jit or None, autograph=False)
            fn = fn.get_concrete_function(x, st)
            def f(): return fn(x, st)   # structured call: the flat form makes TF 2.15 format an error message (reprs tensors) on every call
        else:
            def tr(x, st, dy):
                with tf.GradientTape() as t:
                    t.watch(x); [t.watch(s) for s in st]; y = fwd(x, st)
                return y, t.gradient(y, list(vars_) + [x] + list(st), output_gradients=dy)
            fn = tf.function(tr, jit_compile=jit or None, autograph=False).get_concrete_function(x, st, dy)
            def f(): return fn(x, st, dy)
        return f
    def step(w, v):
        x, h, c, _ = map(tf.constant, np_data(w)); lstm = w['cell'] == 'lstm'
        ck = dict(rnn=K.SimpleRNNCell, gru=K.GRUCell, lstm=K.LSTMCell)[w['cell']](w['H']); x0 = x[0]; s = [[h[0], c[0]] if lstm else [h[0]]]; ck(x0, s[0])
        fn = tf.function(lambda x, st: ck(x, st)[1], jit_compile=(v == 'cell_xla') or None, autograph=False).get_concrete_function(x0, s[0])
        def f(): s[0] = fn(x0, s[0])
        return f
    def lm(w, v):
        V, E, H, L = w['V'], w['E'], w['H'], w['layers']; lstm = w['cell'] == 'lstm'; jit = v.endswith('xla'); tf.random.set_seed(0)
        u = lambda *s: tf.Variable(tf.random.uniform(s, -.1, .1)); emb = u(V, E); b = u(V); dec = None if w['tied'] else u(H, V)
        tok, tgt = lm_data(w); tok, tgt = tf.constant(tok, tf.int32), tf.constant(tgt.reshape(-1), tf.int32)
        rn = []; xx = tf.zeros([w['T'], w['B'], E])
        for l in range(L):
            k = klayer(w); st0 = [tf.zeros([w['B'], H])] * (2 if lstm else 1); xx = k(xx, initial_state=st0)[0]; rn.append(k)
        vars_ = [emb, b] + ([] if w['tied'] else [dec]) + [p for k in rn for p in k.trainable_variables]
        st = [[tf.zeros([w['B'], H])] * (2 if lstm else 1) for _ in range(L)]
        opt = (tf.keras.optimizers.SGD(0.1, jit_compile=False) if w['opt'] == 'sgd' else tf.keras.optimizers.Adam(1e-3, jit_compile=False)); opt.build(vars_)
        def stepf(tok, tgt, st):
            with tf.GradientTape() as t:
                x = tf.nn.embedding_lookup(emb, tok); ns = []
                for k, s in zip(rn, st):
                    x, *s2 = k(x, initial_state=s); ns.append(s2)
                lg = tf.linalg.matmul(tf.reshape(x, [-1, H]), emb if w['tied'] else dec, transpose_b=w['tied']) + b
                loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=tgt, logits=lg))
            g = t.gradient(loss, vars_); g, _ = tf.clip_by_global_norm(g, w['clip']); opt.apply_gradients(zip(g, vars_)); return loss, ns
        fn = tf.function(stepf, jit_compile=jit or None, autograph=False); s = [st]
        def f():
            l, s[0] = fn(tok, tgt, s[0]); f.loss = float(l)
        return f
    if ws is None: return layer
    for w in ws:
        if w['kind'] == 'lm': vs, mk = ['keras'], lm
        elif w['mode'] == 'step': vs, mk = ['cell'], step
        else: vs, mk = ['keras'], layer
        for v in (variants or vs):
            if v.startswith('block') and w['cell'] != 'lstm': continue
            safe(w, 'tf', v, ver, lambda: mk(w, v))
