"""Layers and steps in ONNX Runtime, NumPy, oneDNN and RTNeural, for peers.py."""
import json, math, os, subprocess, sys, time

from peer_common import HERE, busy, lm_data, np_data, np_params, record, safe, wait_quiet

RTNEURAL = ['eigen_gcc', 'eigen_clang', 'xsimd', 'xsimd_avx2']   # builds, see build_native.sh


# ------------------------------------------------------------------ onnxruntime
def run_ort(ws, variants, threads):
    import onnxruntime as ort, numpy as np, onnx
    from onnx import helper as oh, TensorProto as TP, numpy_helper as nh
    ver = f'onnxruntime {ort.__version__}'
    def perm(w, a):   # -> onnx: gru z,r,h ; lstm i,o,f,c
        H = w['H']
        if w['cell'] == 'gru': return np.concatenate([a[..., H:2 * H], a[..., :H], a[..., 2 * H:]], -1)
        if w['cell'] == 'lstm': return np.concatenate([a[..., :H], a[..., 3 * H:], a[..., H:2 * H], a[..., 2 * H:3 * H]], -1)
        return a
    def session(w):
        assert w['layers'] == 1
        op = w['cell'].upper(); wi, wh, bi, bh = [perm(w, a) for a in np_params(w)[0]]; T, B, I, H = (w[k] for k in 'TBIH'); lstm = op == 'LSTM'
        init = [nh.from_array(np.ascontiguousarray(wi.T)[None], 'W'), nh.from_array(np.ascontiguousarray(wh.T)[None], 'R'), nh.from_array(np.concatenate([bi, bh])[None], 'Bb')]
        at = dict(hidden_size=H);
        if op == 'GRU': at['linear_before_reset'] = 1
        n = oh.make_node(op, ['X', 'W', 'R', 'Bb', '', 'h0'] + (['c0'] if lstm else []), ['Y', 'Yh'] + (['Yc'] if lstm else []), **at)
        vi = lambda n, s: oh.make_tensor_value_info(n, TP.FLOAT, s)
        g = oh.make_graph([n], 'g', [vi('X', [T, B, I]), vi('h0', [1, B, H])] + ([vi('c0', [1, B, H])] if lstm else []),
                          [vi('Y', [T, 1, B, H]), vi('Yh', [1, B, H])] + ([vi('Yc', [1, B, H])] if lstm else []), init)
        m = oh.make_model(g, opset_imports=[oh.make_opsetid('', 14)]); m.ir_version = 8
        so = ort.SessionOptions(); so.intra_op_num_threads = threads; so.inter_op_num_threads = 1; so.log_severity_level = 3
        return ort.InferenceSession(m.SerializeToString(), so, providers=['CPUExecutionProvider']), lstm
    def bind(s, ins, outs):
        b = s.io_binding()
        for k, v in ins.items(): b.bind_ortvalue_input(k, v)
        for k, v in outs.items(): b.bind_ortvalue_output(k, v)
        return b
    ov = ort.OrtValue.ortvalue_from_numpy
    def layer(w, v):
        s, lstm = session(w); x, h, c, _ = np_data(w)
        if v == 'run':
            feed = dict(X=x, h0=h, **(dict(c0=c) if lstm else {})); return lambda: s.run(None, feed)
        ins = dict(X=ov(x), h0=ov(h)); outs = dict(Y=ov(np.zeros((w['T'], 1, w['B'], w['H']), 'f')), Yh=ov(np.zeros_like(h)))
        if lstm: ins['c0'] = ov(c); outs['Yc'] = ov(np.zeros_like(c))
        b = bind(s, ins, outs); f = lambda: s.run_with_iobinding(b); f.out = outs['Y']; f.keep = (ins, outs, x, h, c); return f
    def step(w, v):
        s, lstm = session(w); x, h, c, _ = np_data(w)
        if v == 'run':
            st = [h, c]
            if lstm:
                def f(): _, st[0], st[1] = s.run(None, dict(X=x, h0=st[0], c0=st[1]))
            else:
                def f(): _, st[0] = s.run(None, dict(X=x, h0=st[0]))
            return f
        X, Y = ov(x), ov(np.zeros((1, 1, 1, w['H']), 'f')); hh = [ov(h), ov(h.copy())]; cc = [ov(c), ov(c.copy())]; bs = []
        for i in (0, 1):
            ins = dict(X=X, h0=hh[i]); outs = dict(Y=Y, Yh=hh[1 - i])
            if lstm: ins['c0'] = cc[i]; outs['Yc'] = cc[1 - i]
            bs.append(bind(s, ins, outs))
        k = [0]
        # the raw C++ session call underneath run_with_iobinding, to keep Python overhead small
        raw = s._sess.run_with_iobinding; ro = None; ib = [b._iobinding for b in bs]
        def f(): raw(ib[k[0]], ro); k[0] ^= 1
        f.keep = (bs, X, Y, hh, cc, x, h, c)   # the bound OrtValues point into these numpy buffers
        return f
    if ws is None: return layer
    for w in ws:
        if w['kind'] == 'lm' or w['mode'] == 'train': continue
        vs, mk = (['iobind', 'run'], step) if w['mode'] == 'step' else (['iobind'], layer)
        for v in (variants or vs): safe(w, 'ort', v, ver, lambda: mk(w, v))


# ------------------------------------------------------------------ numpy
def run_numpy(ws, variants, threads):
    import numpy as np
    ver = f'numpy {np.__version__} (bundled OpenBLAS)'; half = np.float32(.5)
    def sig(a):   # in place
        a *= half; np.tanh(a, out=a); a *= half; a += half
    def fwd(cell, H, P, x, h0, c0, keep):
        T, B, I = x.shape; wi, wh, bi, bh = P; GH = wi.shape[1]
        xw = (x.reshape(T * B, I) @ wi).reshape(T, B, GH); xw += bi if cell == 'gru' else bi + bh
        ys = np.empty((T, B, H), 'f'); h, c = h0, c0; hw = np.empty((B, GH), 'f'); cs = tc = hn = None
        if keep and cell == 'lstm': cs = np.empty((T, B, H), 'f'); tc = np.empty((T, B, H), 'f')
        if keep and cell == 'gru': hn = np.empty((T, B, H), 'f')
        for t in range(T):
            g = xw[t]; np.dot(h, wh, out=hw)
            if cell == 'rnn':
                g += hw; h = np.tanh(g, out=ys[t])
            elif cell == 'gru':
                hw += bh; rz = g[:, :2 * H]; rz += hw[:, :2 * H]; sig(rz); n = g[:, 2 * H:]; 
                if keep: hn[t] = hw[:, 2 * H:]
                n += rz[:, :H] * hw[:, 2 * H:]; np.tanh(n, out=n); y = ys[t]; np.subtract(h, n, out=y); y *= rz[:, H:]; y += n; h = y
            else:
                g += hw; sig(g[:, :2 * H]); np.tanh(g[:, 2 * H:3 * H], out=g[:, 2 * H:3 * H]); sig(g[:, 3 * H:])
                c = g[:, H:2 * H] * c; c += g[:, :H] * g[:, 2 * H:3 * H]; th = np.tanh(c); h = np.multiply(g[:, 3 * H:], th, out=ys[t])
                if keep: cs[t] = c; tc[t] = th
        return ys, h, c, (xw, cs, tc, hn)
    def bwd(cell, H, P, x, h0, c0, ys, cache, dy):
        T, B, I = x.shape; wi, wh, bi, bh = P; g, cs, tc, hn = cache; whT = wh.T; GH = wi.shape[1]
        dg = np.empty_like(g); dgh = np.empty_like(g) if cell == 'gru' else dg; dh = np.zeros((B, H), 'f'); dc = np.zeros((B, H), 'f')
        hp = np.concatenate([h0[None], ys[:-1]], 0)
        for t in range(T - 1, -1, -1):
            dh += dy[t]; d = dg[t]; a = g[t]
            if cell == 'rnn':
                y = ys[t]; np.multiply(dh, 1 - y * y, out=d); np.dot(d, whT, out=dh)
            elif cell == 'gru':
                r, z, n = a[:, :H], a[:, H:2 * H], a[:, 2 * H:]; dn = dh * (1 - z); dn *= 1 - n * n; d[:, 2 * H:] = dn
                d[:, H:2 * H] = dh * (hp[t] - n) * z * (1 - z); d[:, :H] = dn * hn[t] * r * (1 - r); e = dgh[t]; e[:, :2 * H] = d[:, :2 * H]; np.multiply(dn, r, out=e[:, 2 * H:])
                dh *= z; dh += e @ whT
            else:
                i, f, gg, o = a[:, :H], a[:, H:2 * H], a[:, 2 * H:3 * H], a[:, 3 * H:]; th = tc[t]; cp = cs[t - 1] if t else c0
                dc += dh * o * (1 - th * th); d[:, 3 * H:] = dh * th * o * (1 - o); d[:, :H] = dc * gg * i * (1 - i); d[:, H:2 * H] = dc * cp * f * (1 - f); d[:, 2 * H:3 * H] = dc * i * (1 - gg * gg)
                dc *= f; np.dot(d, whT, out=dh)
        D, Dh = dg.reshape(T * B, GH), dgh.reshape(T * B, GH)
        return (x.reshape(T * B, I).T @ D, hp.reshape(T * B, H).T @ Dh, D.sum(0), Dh.sum(0)), (D @ wi.T).reshape(T, B, I), dh, dc
    def layer(w, v):
        P = np_params(w)[0]; x, h, c, dy = np_data(w); cell, H = w['cell'], w['H']
        if w['mode'] == 'forward': return lambda: fwd(cell, H, P, x, h[0], c[0], False)
        def f():
            y, _, _, k = fwd(cell, H, P, x, h[0], c[0], True); return y, bwd(cell, H, P, x, h[0], c[0], y, k, dy)
        return f
    def step(w, v):
        P = np_params(w)[0]; x, h, c, _ = np_data(w); s = [h[0], c[0]]
        def f(): _, s[0], s[1], _ = fwd(w['cell'], w['H'], P, x, s[0], s[1], False)
        return f
    def lm(w, v):
        V, E, H, L, cell, B = w['V'], w['E'], w['H'], w['layers'], w['cell'], w['B']; r = np.random.default_rng(0); u = lambda *s: r.uniform(-.1, .1, s).astype('f')
        emb, b = u(V, E), u(V); dec = None if w['tied'] else u(H, V); R = np_params(w); tok, tgt = lm_data(w); tok = tok.reshape(-1); tgt = tgt.reshape(-1); N = tok.size
        ps = [emb, b] + ([] if w['tied'] else [dec]) + [p for P in R for p in P]; st = [[np.zeros((B, H), 'f'), np.zeros((B, H), 'f')] for _ in range(L)]
        ms = [np.zeros_like(p) for p in ps] if w['opt'] == 'adam' else None; vs2 = [np.zeros_like(p) for p in ps] if ms else None; tm = [0]; ar = np.arange(N)
        def f():
            x = emb[tok].reshape(w['T'], B, E); caches = []
            for l in range(L):
                y, h, c, k = fwd(cell, H, R[l], x, st[l][0], st[l][1], True); caches.append((x, st[l][0], st[l][1], y, k)); st[l] = [h.copy(), c]; x = y
            W = emb.T if w['tied'] else dec; Y = x.reshape(N, H); lg = Y @ W; lg += b; lg -= lg.max(1, keepdims=True); pt = lg[ar, tgt]; np.exp(lg, out=lg); z = lg.sum(1, keepdims=True)
            f.loss = float(np.mean(np.log(z[:, 0]) - pt)); lg /= z; lg[ar, tgt] -= 1; lg *= np.float32(1 / N)
            dW = Y.T @ lg; db = lg.sum(0); dy = (lg @ W.T).reshape(w['T'], B, H); gR = [None] * L
            for l in range(L - 1, -1, -1):
                xi, h0, c0, y, k = caches[l]; gR[l], dy, _, _ = bwd(cell, H, R[l], xi, h0, c0, y, k, dy)
            de = np.ascontiguousarray(dW.T) if w['tied'] else np.zeros_like(emb); np.add.at(de, tok, dy.reshape(N, E))
            gs = [de, db] + ([] if w['tied'] else [dW]) + [g for G in gR for g in G]
            n = math.sqrt(sum(float(np.vdot(g, g)) for g in gs)); k = np.float32(min(1., w['clip'] / (n + 1e-6)))
            if ms is None:
                for p, g in zip(ps, gs): g *= np.float32(.1) * k; p -= g
            else:
                tm[0] += 1; a1, a2 = np.float32(1 - .9 ** tm[0]), np.float32(1 - .999 ** tm[0])
                for p, g, m, v2 in zip(ps, gs, ms, vs2):
                    g *= k; m *= np.float32(.9); m += np.float32(.1) * g; g *= g; v2 *= np.float32(.999); g *= np.float32(.001); v2 += g; q = v2 / a2; np.sqrt(q, out=q); q += np.float32(1e-8); p -= np.float32(1e-3) * (m / a1) / q
        return f
    if ws is None: return layer
    for w in ws:
        mk = lm if w['kind'] == 'lm' else step if w['mode'] == 'step' else layer
        safe(w, 'numpy', 'numpy', ver, lambda: mk(w, 'numpy'))


# ------------------------------------------------------------------ native programs
def run_native(framework, program, jobs):
    """Asks a program that answers each line "cell T B I H mode variant" with one JSON object."""
    if not os.path.exists(f'{HERE}/{program}'): sys.exit(f'{HERE}/{program}: not there; build_native.sh builds it')
    p = subprocess.Popen([HERE + '/' + program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    def cpu():
        a = open(f'/proc/{p.pid}/stat').read().rsplit(')', 1)[1].split(); return (int(a[11]) + int(a[12])) / 100
    def ask(w, v):
        a0, c0, t0 = busy(), cpu(), time.perf_counter()
        p.stdin.write(f"{w['cell']} {w['T']} {w['B']} {w['I']} {w['H']} {w['mode']} {v}\n"); p.stdin.flush()
        r = json.loads(p.stdout.readline()); a1, c1, dt = busy(), cpu(), time.perf_counter() - t0
        r['other_cpu'] = round(max(0, (a1[0] - a0[0]) - (c1 - c0)) / dt, 3); r['steal'] = round((a1[1] - a0[1]) / dt, 3); return r
    for w, v in jobs:
        best = None
        for k in range(3):
            if k: wait_quiet()
            r = ask(w, v); r['tries'] = k + 1
            if best is None or r['other_cpu'] + r['steal'] < best['other_cpu'] + best['steal']: best = r
            if 'error' in r or r['other_cpu'] + r['steal'] <= 0.12: break
        record(w, framework, v, best.pop('version', framework), best)
    p.stdin.close(); p.wait()


def run_onednn(ws, variants, threads):
    jobs = [(w, v) for w in ws if w['kind'] == 'layer' and w['layers'] == 1
            for v in (['lbr', 'std'] if w['cell'] == 'gru' else ['default']) if not variants or v in variants]
    run_native('onednn', 'onednn_bench', jobs)


def run_rtneural(ws, variants, threads):
    steps = [w for w in ws if w['mode'] == 'step' and w['layers'] == 1 and w['cell'] != 'rnn']
    for v in RTNEURAL:
        if not variants or v in variants: run_native('rtneural', 'rtneural_' + v, [(w, v) for w in steps])
