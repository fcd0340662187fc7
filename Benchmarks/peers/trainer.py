#!/usr/bin/env python3
"""Runs Unroll's trainer and the peers' bare training steps alternately, and adds the rates to a data file.

  trainer.py CORPUS [--rounds 3] [--names a_ptb_small,d_ptb_medium] [--csv ../results/trainer.csv]

CORPUS is a folder with train and valid texts, such as Penn Treebank's words. Unroll's is `unroll train` on it, dropout
off, and its rate is the one that the run reports: all steps from the first, clipping, updates and metrics included;
reading the text, validation and checkpoints happen, but are not timed. The peers' are the same sizes and
optimisers on random symbols (`workloads/lm.json`): PyTorch fused, as shipped and tuned, and JAX, the median of steps
after a warm-up. (`c_char` has 65 symbols there, as tiny Shakespeare has; the text's characters here.) Two threads.
The last columns are the largest resident memory of the whole process, Unroll's and PyTorch's (the smaller of its
two processes, as shipped and tuned), the latter once as it is and once without what importing PyTorch alone
takes. The rows are printed and, with --csv, added to a file that stands already. PEERS_PYTHON names the Python that has torch, jax and numpy.
"""
import argparse
import csv
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile

from compare import processor

HERE = os.path.dirname(os.path.abspath(__file__))
BINARY = os.path.join(os.path.dirname(os.path.dirname(HERE)), ".build", "release", "unroll")
ADAM = ["--optimizer", "adam", "--learning-rate", "0.001", "--dropout", "0"]
SGD = ["--optimizer", "sgd", "--learning-rate", "1", "--dropout", "0"]
COURSE = ["--preset", "course"] + ADAM
# Workload, cell, steps of Unroll, options.
ROWS = [
    ("a_ptb_small", "lstm", 300, ["--preset", "zaremba-small"]),
    ("b_course", "rnn", 150, COURSE + ["--cell", "rnn"]),
    ("b_course", "gru", 150, COURSE + ["--cell", "gru"]),
    ("b_course", "lstm", 150, COURSE + ["--cell", "lstm"]),
    ("c_char", "gru", 100, ["--preset", "char-ptb", "--cell", "gru-after", "--layers", "2", "--embedding-size", "512",
                           "--hidden-size", "512", "--batch-size", "32", "--time-steps", "64"] + SGD),
    ("d_ptb_medium", "lstm", 60, ["--preset", "zaremba-medium", "--dropout", "0"]),
]
COLUMNS = ["date", "machine", "workload", "cell", "unroll_tokens_per_s", "peer", "peer_tokens_per_s", "ratio",
           "unroll_peak_mb", "torch_peak_mb", "torch_peak_less_import_mb"]
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
    parser.add_argument("--csv", help="a data file, to which the rows are added")
    arguments = parser.parse_args()
    if arguments.csv and not os.path.exists(arguments.csv):
        parser.error(f"--csv: expected a file that stands already, such as results/trainer.csv, found no {arguments.csv}")
    names, known = arguments.names.split(","), sorted({row[0] for row in ROWS})
    for name in names:
        if name not in known:
            parser.error(f"--names: expected some of {', '.join(known)}, got {name}")
    for path, remedy in [(BINARY, "./run info builds it"),
                         (HERE + "/libfakeintel.so", "build_native.sh builds it; PyTorch's tuned rows need it")]:
        if not os.path.exists(path):
            sys.exit(f"{path}: not found; {remedy}")
    imported = peak_of([os.environ.get("PEERS_PYTHON", sys.executable), "-c", "import torch"])
    writers = [csv.writer(sys.stdout, lineterminator="\n")]
    writers[0].writerow(COLUMNS)
    if arguments.csv:
        writers.append(csv.writer(open(arguments.csv, "a", newline=""), lineterminator="\n"))
    for name, cell, steps, options in ROWS:
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
        variant, them = max(((v, statistics.median(t)) for v, t in others.items()), key=lambda x: x[1])
        for writer in writers:
            writer.writerow([datetime.date.today(), processor(), name, cell, f"{us:.0f}", variant, f"{them:.0f}",
                             f"{us / them:.2f}", f"{max(peak for _, peak in mine):.0f}", f"{min(peaks):.0f}",
                             f"{min(peaks) - imported:.0f}"])
        sys.stdout.flush()


if __name__ == "__main__":
    main()
