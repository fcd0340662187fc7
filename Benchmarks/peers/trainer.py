#!/usr/bin/env python3
"""Runs Unroll's trainer and the peers' bare training steps alternately, and prints ratios.

  trainer.py CORPUS [--rounds 3] [--names a_ptb_small,d_ptb_medium]

CORPUS is a folder with train and valid texts, such as Penn Treebank's words. Ours is `unroll train` on it, dropout
off, and its rate is the one that the run reports: all steps from the first, clipping, updates and metrics included;
reading the text, validation and checkpoints happen, but are not timed. The peers' are the same sizes and
optimisers on random symbols (`workloads/lm.json`): PyTorch fused, as shipped and tuned, and JAX, the median of steps
after a warm-up. (`c_char` has 65 symbols there, as tiny Shakespeare has; the text's characters here.) Two threads.
The last columns are the largest resident memory of the whole process, ours and PyTorch's (the leaner of its
two processes, as shipped and tuned), the latter once as it is and once without what importing PyTorch alone
takes. PEERS_PYTHON names the Python that has torch, jax and numpy.
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
SGD = ["--optimizer", "sgd", "--learning-rate", "1", "--dropout", "0"]
COURSE = ["--preset", "course"] + ADAM
# Workload, cell, steps of ours, options, wanted ratio.
ROWS = [
    ("a_ptb_small", "lstm", 300, ["--preset", "zaremba-small"], 1.35),
    ("b_course", "rnn", 150, COURSE + ["--cell", "rnn"], 1.25),
    ("b_course", "gru", 150, COURSE + ["--cell", "gru"], 1.25),
    ("b_course", "lstm", 150, COURSE + ["--cell", "lstm"], 1.25),
    ("c_char", "gru", 100, ["--preset", "char-ptb", "--cell", "gru-after", "--layers", "2", "--embedding-size", "512",
                           "--hidden-size", "512", "--batch-size", "32", "--time-steps", "64"] + SGD, 1.3),
    ("d_ptb_medium", "lstm", 60, ["--preset", "zaremba-medium", "--dropout", "0"], 1.15),
]
PEERS = [("torch", "default", "default,fused"), ("torch", "tuned", "fused"), ("jax", "tuned", "scan,inscan")]


def peak_of(command):
    """The largest resident memory of a command's process, in MB. Where it fails, its last words end this program."""
    with tempfile.TemporaryFile("w+", errors="replace") as words:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=words)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            words.seek(0)
            sys.exit(f"{' '.join(command)}: exit code {process.returncode}\n{words.read()[-2000:]}")
    return usage.ru_maxrss / 1024


def ours(corpus, steps, options):
    with tempfile.TemporaryDirectory() as folder:
        peak = peak_of([BINARY, "train", corpus, "--output", folder + "/run", "--threads", "2",
                        "--max-steps", str(steps)] + options)
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
            peak = peak_of([sys.executable, HERE + "/peers.py", program, "--workloads", folder + "/w.json",
                            "--profile", profile, "--variants", variants, "--out", folder + "/r.json"])
            if program == "torch":
                peaks.append(peak)
            with open(folder + "/r.json") as file:
                records = json.load(file)
            for record in records:
                if "median" not in record:
                    sys.exit(f"{program} {profile} on {name} {cell}: {record.get('error')}")
                best[f"{program} {record['variant']} {profile}"] = record["T"] * record["B"] / record["median"]
    return best, min(peaks)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--names", default=",".join(row[0] for row in ROWS))
    arguments = parser.parse_args()
    names, known = arguments.names.split(","), sorted({row[0] for row in ROWS})
    for name in names:
        if name not in known:
            parser.error(f"--names: expected some of {', '.join(known)}, got {name}")
    for path, remedy in [(BINARY, "./run info builds it"),
                         (HERE + "/libfakeintel.so", "build_native.sh builds it; PyTorch's tuned rows need it")]:
        if not os.path.exists(path):
            sys.exit(f"{path}: not found; {remedy}")
    imported = peak_of([os.environ.get("PEERS_PYTHON", sys.executable), "-c", "import torch"])
    print("| workload | ours, tokens/s | best peer | tokens/s | ratio | wanted | our peak, MB | PyTorch's | less its import |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, cell, steps, options, wanted in ROWS:
        if name not in names:
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
