#!/usr/bin/env python3
"""Compares what other_machine.c computed on two machines.

  other_machine.py HERE THERE LIMIT    # HERE.txt and THERE.txt name the arrays of the numbers in HERE and THERE

An array's distance is its largest difference, over its largest number where that is above 1. Exits with 1 if one is
above LIMIT.
"""

import array
import math
import sys


def load(path):
    """The arrays of a run: (case, name, count), and all numbers, one after the other."""
    names, case = [], ""
    with open(path + ".txt", encoding="utf-8") as file:
        for line in file:
            if line.startswith("# "):
                case = line[2:].strip()
            else:
                name, count = line.rsplit(" ", 1)
                names.append((case, name, int(count)))
    numbers = array.array("d")
    with open(path, "rb") as file:
        numbers.frombytes(file.read())
    if sum(count for _, _, count in names) != len(numbers):
        sys.exit(f"{path}: expected as many numbers as {path}.txt names, found {len(numbers)}")
    return names, numbers


def distance(expected, found):
    if expected == found:
        return 0.0
    if not all(map(math.isfinite, (*expected, *found))):
        return math.inf
    return max(abs(a - b) for a, b in zip(expected, found)) / max(1.0, max(map(abs, expected)))


here, there, limit = sys.argv[1], sys.argv[2], float(sys.argv[3])
names, ours = load(here)
others, theirs = load(there)
if names != others:
    sys.exit(f"{there}: expected the arrays of {here}")
start, equal, worst, failed = 0, 0, (0.0, "", ""), 0
for case, name, count in names:
    apart = distance(ours[start : start + count], theirs[start : start + count])
    start += count
    equal += apart == 0
    worst = max(worst, (apart, case, name))
    if apart > limit:
        failed += 1
        print(f"{case}: {name}: {apart:.2e} apart")
print(f"{len(names)} arrays: {equal} equal, the others at most {worst[0]:.1e} apart ({worst[1]}: {worst[2]}); at most {limit:g} wanted")
sys.exit(failed > 0)
