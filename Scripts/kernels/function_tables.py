#!/usr/bin/env python3
"""Writes Sources/CUnrollKernels/vector/function_tables.h: tanh and sigmoid on 32 intervals each.

The functions are tabled for y = -|x|. On each interval one is a polynomial of t = y - centre, c0 + t (c1 +
t (c2 + ...)). The centre is a float near the interval's middle where the function is nearest to a float,
so that c0 has no error of its own. The last two coefficients share a word, which saves a look-up: the word
is the last one as it stands, and its lower bits are the other one's upper bits. These two are chosen
first, then the others are fitted to them, one after the other, each after those before it have been
rounded. Prints how far the polynomials are off, before any arithmetic of floats. `--check` writes nothing
and fails if the file is another one.

sigmoid's intervals are equal; tanh's are those between the floats of three bits of mantissa, of |x| +
TANH_OFFSET: narrow near 0, where the relative error counts, wide where nothing changes any more.
"""
import pathlib
import struct
import sys
from decimal import Decimal, getcontext

getcontext().prec = 40
INTERVALS = 32
WORD_SHIFT = 14  # leaves 18 bits to one coefficient and 14 to the last
SIGMOID_DEGREE, SIGMOID_WIDTH = 5, Decimal("0.5")
TANH_DEGREE, TANH_OFFSET, TANH_MOST, TANH_SHIFT = 4, Decimal("0.63"), Decimal("9.3"), 20
TARGET = pathlib.Path(__file__).parents[2] / "Sources/CUnrollKernels/vector/function_tables.h"
PI = Decimal("3.141592653589793238462643383279502884197")


def bits_of(value):
    return struct.unpack("I", struct.pack("f", float(value)))[0]


def float_of(bits):
    return Decimal(struct.unpack("f", struct.pack("I", bits))[0])


def rounded(value):
    """The nearest float, as a decimal."""
    return float_of(bits_of(value))


def neighbours(value, count):
    """The floats up to `count` places from a value."""
    bits = bits_of(value)
    return map(float_of, range(bits - count, bits + count + 1))


def short(number):
    """In hexadecimal, without the zeros at its end."""
    mantissa, exponent = float(number).hex().split("p")
    return mantissa.rstrip("0").rstrip(".") + "p" + exponent


def sigmoid(y):
    return y.exp() / (1 + y.exp())


def tanh(y):
    """Of |y|, for y <= 0."""
    return (1 - (2 * y).exp()) / (1 + (2 * y).exp())


def sigmoid_inverse(value):
    return (value / (1 - value)).ln()


def tanh_inverse(value):
    return ((1 - value) / (1 + value)).ln() / 2


def cosine(angle):
    total, term, n = Decimal(1), Decimal(1), 0
    while abs(term) > Decimal(10) ** -38:
        n += 2
        term *= -angle * angle / (n * (n - 1))
        total += term
    return total


def nodes(count):
    """Chebyshev's points on -1 ... 1."""
    return [cosine(PI * (2 * i + 1) / (2 * count)) for i in range(count)]


def solve(rows):
    """The solution of linear equations, each [coefficients..., right side]."""
    size = len(rows)
    for i in range(size):
        pivot = max(range(i, size), key=lambda r: abs(rows[r][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for r in range(size):
            if r != i:
                factor = rows[r][i] / rows[i][i]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[i])]
    return [rows[i][size] / rows[i][i] for i in range(size)]


def polynomial(coefficients, t):
    value = Decimal(0)
    for power in range(max(coefficients), -1, -1):
        value = value * t + coefficients.get(power, 0)
    return value


def fitted(function, degree, centre, places, known):
    """The coefficients of the powers that are not known: least squares of the relative errors."""
    unknown = [power for power in range(degree + 1) if power not in known]
    normal = [[Decimal(0)] * (len(unknown) + 1) for _ in unknown]
    for y in places:
        value, t = function(y), y - centre
        rest = value - polynomial(known, t)
        basis = [t**power / value for power in unknown]
        for i, a in enumerate(basis):
            for j, b in enumerate(basis):
                normal[i][j] += a * b
            normal[i][-1] += a * rest / value
    return dict(zip(unknown, solve(normal)))


def shared_word(lower, upper):
    """The float that has `lower`'s upper bits below and is nearest to `upper`."""
    bits, step = bits_of(upper), 1 << (32 - WORD_SHIFT)
    words = [bits // step * step + more + (bits_of(lower) >> WORD_SHIFT) for more in (-step, 0, step)]
    return min((float_of(word) for word in words if 0 <= word < 1 << 32), key=lambda w: abs(w - upper))


def shortened(value):
    """The nearest float that leaves WORD_SHIFT of its bits to another."""
    step = 1 << WORD_SHIFT
    return float_of((bits_of(value) + step // 2) // step * step)


def centre_of(function, inverse, middle):
    if middle == 0:
        return middle
    near = inverse(rounded(function(middle)))
    return min(neighbours(near, 600), key=lambda c: abs(function(c) / rounded(function(c)) - 1))


def interval(function, degree, inverse, first, last, middle):
    """The centre, the coefficients but the last two and their word between two places, and the error."""
    centre = centre_of(function, inverse, middle)
    known = {0: rounded(function(centre))}
    places = [first + (last - first) * (1 + node) / 2 for node in nodes(24)]

    def fit(power):
        return fitted(function, degree, centre, places, known)[power]

    known[degree - 1] = shortened(fit(degree - 1))
    known[degree] = shared_word(known[degree - 1], fit(degree))
    for power in range(1, degree - 1):
        known[power] = rounded(fit(power))
    worst = max(abs(polynomial(known, y - centre) / function(y) - 1)
                for y in (first + (last - first) * step / 100 for step in range(101)) if function(y) != 0)
    return [centre] + [known[power] for power in range(degree - 1)] + [known[degree]], worst


def sigmoid_intervals():
    """Each number's place in the table, and what it spans."""
    for i in range(INTERVALS):
        middle = (i + 1 - INTERVALS) * SIGMOID_WIDTH
        yield i, middle - SIGMOID_WIDTH / 2, middle + SIGMOID_WIDTH / 2, middle


def tanh_intervals():
    start = bits_of(TANH_OFFSET) >> TANH_SHIFT
    for i in range(start, start + INTERVALS):
        last = TANH_OFFSET - float_of(i << TANH_SHIFT)
        first = max(TANH_OFFSET - float_of((i + 1) << TANH_SHIFT), -TANH_MOST)
        yield i % INTERVALS, first, min(last, Decimal(0)), Decimal(0) if i == start else (first + last) / 2


def table(name, function, degree, inverse, intervals):
    rows, worst = [None] * INTERVALS, Decimal(0)
    for place, first, last, middle in intervals:
        rows[place], error = interval(function, degree, inverse, first, last, middle)
        worst = max(worst, error)
    print(f"{name}: off by {float(worst):.2g} of the value at most")
    text = f"static const float {name}[{degree + 1}][{INTERVALS}] __attribute__((aligned(64))) = {{\n"
    for column in zip(*rows):
        numbers = [f"{short(number)}f" for number in column]
        text += "    {" + ",\n     ".join(
            ", ".join(numbers[i:i + 4]) for i in range(0, INTERVALS, 4)) + "},\n"
    return text + "};\n"


def main():
    text = (
        "// tanh and sigmoid of -|x|, in 32 intervals: centres, then the coefficients from the constant one\n"
        "// on, the last two in one word. Written by Scripts/kernels/function_tables.py.\n\n"
        "#pragma once\n\n"
        "// How far to the left the last word's lower number moves.\n"
        f"#define TABLE_WORD_SHIFT {WORD_SHIFT}\n\n"
        "// Of |x| + TANH_OFFSET, the bits above TANH_SHIFT; tanh of TANH_MOST is 1.\n"
        f"#define TANH_DEGREE {TANH_DEGREE}\n#define TANH_OFFSET {TANH_OFFSET}f\n#define TANH_SHIFT {TANH_SHIFT}\n"
        f"#define TANH_MOST {TANH_MOST}f\n")
    text += table("unroll_tanh_table", tanh, TANH_DEGREE, tanh_inverse, tanh_intervals())
    text += "\n// The intervals' middles are the halves from -15.5 to 0.\n"
    text += f"#define SIGMOID_DEGREE {SIGMOID_DEGREE}\n"
    text += table("unroll_sigmoid_table", sigmoid, SIGMOID_DEGREE, sigmoid_inverse, sigmoid_intervals())
    if "--check" in sys.argv[1:]:
        sys.exit(0 if TARGET.read_text() == text else f"{TARGET.name} was not written by this program")
    TARGET.write_text(text)


if __name__ == "__main__":
    main()
