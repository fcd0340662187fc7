#!/usr/bin/env python3
"""Runs Unroll's whole trainer and the peers' bare training steps alternately, and prints ratios.

  trainer.py CORPUS [--rounds 3] [--names a_ptb_small,d_ptb_medium]

CORPUS is a folder with train and valid texts, such as Penn Treebank's words. Ours is `unroll train`
with everything that a run does: reading the text, dropout off, clipping, updates, metrics, a
checkpoint at the beginning and the end. The peers' are steps of the same sizes on random symbols
(`workloads/lm.json`): PyTorch fused, as shipped and tuned, and JAX. Two threads. The last columns are
the largest resident memory of the whole process, ours and PyTorch's (the leanest of its variants), the
latter once as it is and once without what importing PyTorch alone takes. PEERS_PYTHON names the Python
that has torch, jax and numpy.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.join(os.path.dirname(os.path.dirname(HERE)), ".build", "release", "unroll")
ADAM = ["--optimizer", "adam", "--learning-rate", "0.001", "--dropout", "0"]
COURSE = ["--preset", "course"] + ADAM
# Workload, cell, steps of ours, options, wanted ratio.
ROWS = [
    ("a_ptb_small", "lstm", 300, ["--preset", "zaremba-small"], 1.35),
    ("b_course", "rnn", 150, COURSE + ["--cell", "rnn"], 1.25),
    ("b_course", "gru", 150, COURSE + ["--cell", "gru"], 1.25),
    ("b_course", "lstm", 150, COURSE + ["--cell", "lstm"], 1.25),
    ("c_char", "gru", 100, ["--preset", "char-ptb", "--cell", "gru-after", "--layers", "2", "--hidden-size",
                           "512", "--batch-size", "32", "--time-steps", "64"] + ADAM, 1.3),
    ("d_ptb_medium", "lstm", 60, ["--preset", "zaremba-medium", "--dropout", "0"], 1.15),
]
PEERS = [("torch", "default", "default,fused"), ("torch", "tuned", "fused"), ("jax", "tuned", "scan,inscan")]


def peak_of(command):
    """Runs a command in silence; the largest resident memory of its process, in MB."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, usage.ru_maxrss / 1024


def ours(corpus, steps, options):
    with tempfile.TemporaryDirectory() as folder:
        code, peak = peak_of([BINARY, "train", corpus, "--output", folder + "/run", "--threads", "2",
                              "--max-steps", str(steps)] + options)
        if code != 0:
            sys.exit(f"unroll train with {options} ended with exit code {code}")
        with open(folder + "/run/metrics.jsonl") as file:
            return json.loads(file.readlines()[-1])["tokens_per_second"], peak


def theirs(name, cell):
    with open(HERE + "/workloads/lm.json") as file:
        work = [w for w in json.load(file) if w["name"] == name and w["cell"] == cell and w["threads"] == 2]
    best, peaks = {}, []
    for program, profile, variants in PEERS:
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/w.json", "w") as file:
                json.dump(work, file)
            _, peak = peak_of([sys.executable, HERE + "/peers.py", program, "--workloads", folder + "/w.json",
                               "--profile", profile, "--variants", variants, "--out", folder + "/r.json"])
            if program == "torch":
                peaks.append(peak)
            if not os.path.exists(folder + "/r.json"):
                continue
            with open(folder + "/r.json") as file:
                for record in json.load(file):
                    if "median" in record:
                        tokens = record["T"] * record["B"] / record["median"]
                        best[f"{program} {record['variant']} {profile}"] = tokens
    return best, min(peaks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", default=",".join(row[0] for row in ROWS))
    arguments = parser.parse_args()
    python = os.environ.get("PEERS_PYTHON", sys.executable)
    code, imported = peak_of([python, "-c", "import torch"])
    if code != 0:
        sys.exit(f"{python}: expected a Python that has torch, whose import failed; PEERS_PYTHON names another")
    print("| workload | ours, tokens/s | best peer | tokens/s | ratio | wanted | our peak, MB | PyTorch's | less its import |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, cell, steps, options, wanted in ROWS:
        if name not in arguments.names.split(","):
            continue
        mine, others, peaks = [], {}, []
        for _ in range(arguments.rounds):
            mine.append(ours(arguments.corpus, steps, options))
            measured, peak = theirs(name, cell)
            peaks.append(peak)
            for variant, tokens in measured.items():
                others.setdefault(variant, []).append(tokens)
            mine.append(ours(arguments.corpus, steps, options))
        us = statistics.median(tokens for tokens, _ in mine)
        memory = f"{max(peak for _, peak in mine):,.0f} | {min(peaks):,.0f} | {min(peaks) - imported:,.0f} |"
        variant, them = max(((v, statistics.median(t)) for v, t in others.items()), key=lambda x: x[1])
        mark = "" if us / them >= wanted else " ✗"
        print(f"| {name} {cell} | {us:,.0f} | {variant} | {them:,.0f} | {us / them:.2f}{mark} | ≥ {wanted} | {memory}",
              flush=True)


if __name__ == "__main__":
    main()
