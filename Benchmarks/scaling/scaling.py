#!/usr/bin/env python3
"""What several ranks cost: measured here, and computed for networks that are not here.

  scaling.py measure BINARY CORPUS [--rounds 3] [--csv ../results/scaling.csv]
  scaling.py report ../results/scaling.csv

BINARY is the path of `unroll` that `./run mpi` prints, CORPUS Penn Treebank's folder. `measure` runs,
alternately: one process of two threads; two ranks of one thread, through the memory of their host, and by
messages, with and without overlap; two ranks in network namespaces, joined by a link of 1 Gbit/s (tc's tbf;
needs root). It writes the medians as a data file. `report` prints the tables of
Documentation/Scaling.md: measured points, the model's values at those points, and its values elsewhere.
"""
import argparse
import csv
import itertools
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile

CHAR = ["--preset", "char-ptb", "--cell", "gru-after", "--layers", "2", "--hidden-size", "512", "--time-steps", "64",
        "--optimizer", "adam", "--learning-rate", "0.001", "--dropout", "0"]
# Options, rows of a batch, steps to measure over, tokens of a step.
WORK = {
    "zaremba-small": (["--preset", "zaremba-small"], 20, 400, 400),
    "char GRU 512 x 2": (CHAR, 32, 80, 2048),
}
ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
TWO = ["mpirun", "-n", "2", "--bind-to", "core"]


def run(command):
    """Trains in a folder of its own; tokens/s, MB sent a step, ms waited a step."""
    with tempfile.TemporaryDirectory() as folder:
        result = subprocess.run(command + ["--output", folder + "/run"], text=True, capture_output=True,
                                env=ENVIRONMENT)
        if result.returncode != 0:
            sys.exit(f"{' '.join(command)}: {result.stderr[-500:]}")
        with open(folder + "/run/metrics.jsonl") as file:
            tokens = json.loads(file.readlines()[-1])["tokens_per_second"]
    sent = re.search(r"sent by rank 0\s+([0-9.]+)", result.stdout)
    waited = re.search(r"waited for sums\s+([0-9.]+)", result.stdout)
    return [tokens, float(sent[1]) if sent else 0, float(waited[1]) if waited else 0]


def on_hosts(command, rate):
    """The command on two hosts with a link of `rate` between them: network namespaces with host names."""
    a, b = "unroll-a", "unroll-b"
    script = f"""
ip netns add {a}; ip netns add {b}
ip link add unroll0 netns {a} type veth peer name unroll0 netns {b}
ip -n {a} addr add 10.77.0.1/24 dev unroll0; ip -n {b} addr add 10.77.0.2/24 dev unroll0
for host in {a} {b}; do
  ip -n $host link set unroll0 up; ip -n $host link set lo up
  ip netns exec $host tc qdisc add dev unroll0 root tbf rate {rate} burst 256k latency 50ms
done"""
    subprocess.run(["sh", "-c", script], check=True)
    with tempfile.TemporaryDirectory() as folder:
        agent = folder + "/agent"
        with open(agent, "w") as file:
            file.write(f'#!/bin/sh\nshift\nexec ip netns exec {b} unshare --uts taskset -c 1 sh -c "hostname {b}; $*"\n')
        os.chmod(agent, 0o755)
        mca = ["--mca", "plm_rsh_agent", agent, "--mca", "btl_tcp_if_include", "10.77.0.0/24",
               "--mca", "oob_tcp_if_include", "10.77.0.0/24"]
        start = ["ip", "netns", "exec", a, "unshare", "--uts", "taskset", "-c", "0", "sh", "-c",
                 f'hostname {a}; exec "$@"', "sh", "mpirun"]
        try:
            return run(start + mca + ["--host", "10.77.0.1:1,10.77.0.2:1", "-n", "2", "--bind-to", "none"] + command)
        finally:
            for host in (a, b):
                subprocess.run(["ip", "netns", "del", host])


def short_corpus(corpus, folder):
    """The training text, and the first lines of the others: what is measured is learning."""
    for part, lines in (("train", None), ("valid", 100), ("test", 100)):
        with open(f"{corpus}/ptb.{part}.txt") as text, open(f"{folder}/{part}.txt", "w") as out:
            out.writelines(itertools.islice(text, lines))


def measure(arguments):
    with tempfile.TemporaryDirectory() as folder:
        short_corpus(arguments.corpus, folder)
        measure_with(arguments, folder)


def measure_with(arguments, corpus):
    found = {}
    for _ in range(arguments.rounds):
        for name, (options, rows, steps, _) in WORK.items():
            train = [arguments.binary, "train", corpus] + options + ["--max-steps", str(steps)]
            whole = train + ["--batch-size", str(rows)]
            two = whole + ["--shards", "2", "--threads", "1"]
            points = {
                "one": lambda: run(whole + ["--threads", "2"]),
                "half": lambda: run(train + ["--batch-size", str(rows // 2), "--threads", "1"]),
                "two": lambda: run(TWO + two),
                "messages": lambda: run(TWO + ["-x", "UNROLL_MPI_MEMORY=0"] + two),
                "apart": lambda: run(TWO + ["-x", "UNROLL_MPI_MEMORY=0", "-x", "UNROLL_MPI_OVERLAP=0"] + two),
                "gigabit": lambda: on_hosts(two, "1gbit"),
            }
            for point, body in points.items():
                found.setdefault(name, {}).setdefault(point, []).append(body())
                print(name, point, found[name][point][-1], file=sys.stderr, flush=True)
        medians = {name: {point: [statistics.median(v) for v in zip(*all)] for point, all in points.items()}
                   for name, points in found.items()}
        rows = [[name, point, f"{tokens:.0f}", f"{sent:.2f}", f"{waited:.2f}"]
                for name, points in medians.items() for point, (tokens, sent, waited) in points.items()]
        with open(arguments.csv, "w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([COLUMNS, *rows])


# Of a data file. Points: one process of two threads; half a batch on one; two ranks through memory, by messages, by messages
# without overlap (apart), over a link of 1 Gbit/s.
COLUMNS = ["workload", "point", "tokens_per_s", "sent_mb", "waited_ms"]


def read(path):
    found = {}
    try:
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                found.setdefault(row["workload"], {})[row["point"]] = [float(row[name] or "nan") for name in COLUMNS[2:]]
    except (OSError, KeyError, ValueError) as error:
        sys.exit(f"{path}: expected the data file that `measure` writes: {error}")
    return found


# The share of a link's rate that MPI's TCP reaches: fitted to zaremba-small on the link of 1 Gbit/s.
USED = 0.6
# The share of a step's computation behind which sums can hide: the layers' backward pass.
BEHIND = 0.25


def step(rows_time, megabytes, ranks, gigabits, copy):
    """Seconds of a step.

    A step computes for rows_time seconds. A rank sends and receives 2 (n - 1) / n of the gradients: on the
    wire, of which a part fits behind the backward pass, and through its own core at `copy` megabytes a second,
    which no overlap hides where the computation has all cores. A rank sends 2 (n - 1) messages of each
    array, of 20 us each; those of the last two arrays do not hide.
    """
    moved = 2 * (ranks - 1) / ranks * megabytes
    wire = moved * 8e-3 / (USED * gigabits) + 2 * (ranks - 1) * 2 * 20e-6
    return rows_time + moved / copy + max(0, wire - BEHIND * rows_time)


def report(arguments):
    found = read(arguments.file)
    print("| workload | one process, two threads | two ranks of one thread | ratio | by messages | ratio | "
          "half a batch alone, twice | sent a step by messages | 2 (n - 1)/n of all parameters | "
          "waited then, with and without overlap |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    parameters = {"zaremba-small": 4651600, "char GRU 512 x 2": arguments.char_parameters}
    models = {}
    for name, points in found.items():
        tokens = WORK[name][3]
        one, two, half, messages = points["one"][0], points["two"][0], points["half"][0], points["messages"]
        whole = parameters[name] * 4e-6
        apart = points["apart"][2]
        print(f"| {name} | {one:,.0f} | {two:,.0f} | {two / one:.2f} | {messages[0]:,.0f} | "
              f"{messages[0] / one:.2f} | {2 * half:,.0f} | {messages[1]:.1f} MB | {whole:.1f} MB | "
              f"{messages[2]:.1f} and {apart:.1f} ms: {100 * (1 - messages[2] / apart):.0f} % hidden |")
        # A step of half the rows on one core; what two ranks need beyond it is copying, at no wire.
        rows_time = tokens / 2 / half
        copy = messages[1] / max(1e-4, tokens / messages[0] - rows_time)
        models[name] = (tokens, rows_time, messages[1], copy)
    print()
    print("| workload | link | measured, tokens/s | model | |")
    print("|---|---|---|---|---|")
    for name, (tokens, rows_time, megabytes, copy) in models.items():
        measured = found[name]["gigabit"][0]
        computed = tokens / step(rows_time, megabytes, 2, 1, copy)
        print(f"| {name} | 1 Gbit/s | {measured:,.0f} | {computed:,.0f} | {100 * (computed / measured - 1):+.0f} % |")
    print()
    ranks = [2, 4, 8, 16, 32, 64, 128, 256]
    print("| workload | link, Gbit/s | " + " | ".join(map(str, ranks)) + " |")
    print("|---|---|" + "---|" * len(ranks))
    for name, (tokens, rows_time, megabytes, copy) in models.items():
        for gigabits in (1, 10, 25, 100):
            values = [rows_time / step(rows_time, megabytes, n, gigabits, copy) for n in ranks]
            print(f"| {name} | {gigabits} | " + " | ".join(f"{100 * v:.0f} %" for v in values) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("measure")
    one.add_argument("binary")
    one.add_argument("corpus")
    one.add_argument("--rounds", type=int, default=3)
    one.add_argument("--csv", default="scaling.csv")
    one.set_defaults(body=measure)
    two = commands.add_parser("report")
    two.add_argument("file")
    two.add_argument("--char-parameters", type=int, default=2492594)
    two.set_defaults(body=report)
    arguments = parser.parse_args()
    arguments.body(arguments)


if __name__ == "__main__":
    main()
