#!/usr/bin/env python3
"""Runs Unroll's whole trainer and the peers' bare training steps alternately, and prints ratios.

  trainer.py CORPUS [--rounds 3]

CORPUS is a folder with train and valid texts, such as Penn Treebank's words. Ours is `unroll train`
with everything that a run does: reading the text, dropout off, clipping, updates, metrics, a
checkpoint at the beginning and the end. The peers' are steps of the same sizes on random symbols
(`workloads/lm.json`): PyTorch fused, as shipped and tuned, and JAX. Two threads.
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
    ("b_course", "rnn", 60, COURSE + ["--cell", "rnn"], 1.25),
    ("b_course", "gru", 60, COURSE + ["--cell", "gru"], 1.25),
    ("b_course", "lstm", 60, COURSE + ["--cell", "lstm"], 1.25),
    ("c_char", "gru", 60, ["--preset", "char-ptb", "--cell", "gru-after", "--layers", "2", "--hidden-size",
                           "512", "--batch-size", "32", "--time-steps", "64"] + ADAM, 1.3),
    ("d_ptb_medium", "lstm", 40, ["--preset", "zaremba-medium", "--dropout", "0"], 1.15),
]
PEERS = [("torch", "default", "default,fused"), ("torch", "tuned", "fused"), ("jax", "tuned", "scan,inscan")]


def ours(corpus, steps, options):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([BINARY, "train", corpus, "--output", folder + "/run", "--threads", "2", "--max-steps",
                        str(steps)] + options, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(folder + "/run/metrics.jsonl") as file:
            return json.loads(file.readlines()[-1])["tokens_per_second"]


def theirs(name, cell):
    with open(HERE + "/workloads/lm.json") as file:
        work = [w for w in json.load(file) if w["name"] == name and w["cell"] == cell and w["threads"] == 2]
    best = {}
    for program, profile, variants in PEERS:
        with tempfile.TemporaryDirectory() as folder:
            with open(folder + "/w.json", "w") as file:
                json.dump(work, file)
            subprocess.run([sys.executable, HERE + "/peers.py", program, "--workloads", folder + "/w.json",
                            "--profile", profile, "--variants", variants, "--out", folder + "/r.json"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
            if not os.path.exists(folder + "/r.json"):
                continue
            with open(folder + "/r.json") as file:
                for record in json.load(file):
                    if "median" in record:
                        tokens = record["T"] * record["B"] / record["median"]
                        best[f"{program} {record['variant']} {profile}"] = tokens
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print("| workload | ours, tokens/s | best peer | tokens/s | ratio | wanted |\n|---|---|---|---|---|---|")
    for name, cell, steps, options, wanted in ROWS:
        mine, others = [], {}
        for _ in range(arguments.rounds):
            mine.append(ours(arguments.corpus, steps, options))
            for variant, tokens in theirs(name, cell).items():
                others.setdefault(variant, []).append(tokens)
            mine.append(ours(arguments.corpus, steps, options))
        us = statistics.median(mine)
        variant, them = max(((v, statistics.median(t)) for v, t in others.items()), key=lambda x: x[1])
        mark = "" if us / them >= wanted else " ✗"
        print(f"| {name} {cell} | {us:,.0f} | {variant} | {them:,.0f} | {us / them:.2f}{mark} | ≥ {wanted} |", flush=True)


if __name__ == "__main__":
    main()
