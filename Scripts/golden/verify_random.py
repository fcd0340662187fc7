"""NumPy's legacy generator in plain Python, for verify_oracle.py."""
import math

import numpy as np


class MT(object):
    def __init__(self, s):
        k = [0] * 624
        for i in range(624):
            k[i] = s & 0xFFFFFFFF
            s = (1812433253 * (s ^ (s >> 30)) + i + 1) & 0xFFFFFFFF
        self.k, self.p, self.gauss = k, 624, None

    def u32(self):
        k = self.k
        if self.p == 624:
            for i in range(624):
                y = (k[i] & 0x80000000) | (k[(i + 1) % 624] & 0x7FFFFFFF)
                k[i] = k[(i + 397) % 624] ^ (y >> 1) ^ (0x9908B0DF if y & 1 else 0)
            self.p = 0
        y = k[self.p]
        self.p += 1
        y ^= y >> 11
        y ^= (y << 7) & 0x9D2C5680
        y ^= (y << 15) & 0xEFC60000
        return y ^ (y >> 18)

    def dbl(self):
        a, b = self.u32() >> 5, self.u32() >> 6
        return (a * 67108864 + b) / 9007199254740992.0

    def normal(self):
        if self.gauss is not None:
            g, self.gauss = self.gauss, None
            return g
        while True:
            x1, x2 = 2 * self.dbl() - 1, 2 * self.dbl() - 1
            r2 = x1 * x1 + x2 * x2
            if 0 < r2 < 1:
                break
        f = math.sqrt(-2 * math.log(r2) / r2)
        self.gauss = f * x1
        return f * x2

    def interval(self, mx):
        if mx == 0:
            return 0
        mask = (1 << mx.bit_length()) - 1
        while True:
            v = (self.u32() if mx <= 0xFFFFFFFF else (self.u32() << 32) | self.u32()) & mask
            if v <= mx:
                return v

    def randint(self, lo, hi, n, bits):
        rng = hi - 1 - lo
        if bits >= 32:
            return [lo + self.interval(rng) for _ in range(n)]
        out, buf, left = [], 0, 0
        mask = (1 << rng.bit_length()) - 1
        for _ in range(n):
            while True:
                if left == 0:
                    buf, left = self.u32(), 32 // bits if bits > 1 else 32
                v = buf & mask
                buf >>= bits
                left -= 1
                if v <= rng:
                    break
            out.append(lo + v)
        return out

    def shuffle(self, v):
        for i in range(len(v) - 1, 0, -1):
            j = self.interval(i)
            v[i], v[j] = v[j], v[i]
        return v

    def binomial(self, n, p):
        if p > 0.5:
            return n - self.binomial(n, 1 - p)
        if n == 0 or p == 0:
            return 0
        if p * n > 30:
            raise NotImplementedError  # BTPE
        q = 1 - p
        qn = math.exp(n * math.log(q))
        npq = n * p
        bound = min(n, npq + 10.0 * math.sqrt(npq * q + 1))
        X, px, U = 0, qn, self.dbl()
        while U > px:
            X += 1
            if X > bound:
                X, px, U = 0, qn, self.dbl()
            else:
                U -= px
                px = ((n - X + 1) * p * px) / (X * q)
        return X


def rng_check(c, a):
    m = MT(c["seed"])
    done = 0
    for call in c["calls"]:
        f, ar, kw = call["f"], call.get("a", []), call.get("kw", {})
        n = int(np.prod(call["shape"])) if call["shape"] else 1
        if f in ("rand", "random_sample"):
            v = [m.dbl() for _ in range(n)]
        elif f in ("randn", "standard_normal"):
            v = [m.normal() for _ in range(n)]
        elif f == "normal":
            v = [ar[0] + ar[1] * m.normal() for _ in range(n)]
        elif f == "uniform":
            v = [ar[0] + (ar[1] - ar[0]) * m.dbl() for _ in range(n)]
        elif f == "randint":
            bits = {"uint8": 8, "int16": 16, "bool_": 1}.get(kw.get("dtype"), 64)
            v = m.randint(ar[0], ar[1], n, bits)
        elif f == "words":
            v = [m.u32() for _ in range(n)]
        elif f == "key":
            v = m.k
        elif f == "pos":
            v = m.p
        elif f == "reseed":
            m, v = MT(ar[0]), ar[0]
        elif f in ("shuffle", "permutation"):
            v = m.shuffle(list(range(ar[0])))
        elif f == "shuffle_rows":
            v = np.array(m.shuffle([list(range(r * ar[1], (r + 1) * ar[1])) for r in range(ar[0])]))
        elif f == "choice":
            if "p" in kw and not kw.get("replace", True):
                p, found = np.array(kw["p"], float), []
                while len(found) < ar[1]:
                    u = [m.dbl() for _ in range(ar[1] - len(found))]
                    p[found] = 0
                    cdf = np.cumsum(p)
                    cdf /= cdf[-1]
                    new = np.searchsorted(cdf, u, side="right")
                    _, first = np.unique(new, return_index=True)
                    found += [int(q) for q in new[np.sort(first)]]
                v = found
            elif "p" in kw:
                cdf = np.cumsum(kw["p"])
                cdf /= cdf[-1]
                v = [int(np.searchsorted(cdf, m.dbl(), side="right")) for _ in range(n)]
            elif kw.get("replace", True):
                v = m.randint(0, ar[0], n, 64)
            else:
                v = m.shuffle(list(range(ar[0])))[:ar[1]]
        elif f == "multinomial":
            p, rows = ar[1], []
            try:
                for _ in range(ar[2]):
                    row, left, rem = [0] * len(p), ar[0], 1.0
                    for j in range(len(p) - 1):
                        row[j] = m.binomial(left, p[j] / rem)
                        left -= row[j]
                        if left <= 0:
                            break
                        rem -= p[j]
                    if left > 0:
                        row[-1] = left
                    rows.append(row)
            except NotImplementedError:
                return done, f
            v = np.array(rows)
        elif f == "binomial":
            try:
                v = [m.binomial(*ar[:2]) for _ in range(n)]
            except NotImplementedError:
                return done, f
        else:
            return done, f
        v = np.asarray(v).reshape(-1)
        tag = call["array"]
        if tag in a:
            assert np.array_equal(a[tag].reshape(-1), v.astype(a[tag].dtype)), (c["name"], call)
        else:
            assert np.array_equal(a[tag + ".head"], v[:64]) and np.array_equal(a[tag + ".tail"], v[-64:]), (c["name"], call)
        done += 1
    return done, ""
