#!/usr/bin/env python3
"""Runs Unroll and the peers alternately on one machine and writes times and ratios as a data file.

  compare.py run [--rounds N] [--kinds layer,step,lm] [--names toy,course] [--skip PEERS]
                 [--out results.jsonl]
  compare.py report results.jsonl [--csv ../results/MACHINE.csv]

A round runs every program's list of workloads once, Unroll's at its beginning and at its end. Programs alternate so that
a change of the machine's clock affects all of them. Each time is the median of the medians of all runs, and a peer counts
with its best variant. `peers.py` describes how the peers are called and what is timed; PEERS_PYTHON names the Python that
has torch, jax, numpy and onnxruntime.

`report` prints the rows as CSV, or writes them to a file and describes the run in `runs.csv` in the same folder.
`../tables.py` computes the tables and the figure of Documentation/Benchmarks.md from these files.
"""
import argparse
import collections
import csv
import datetime
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
ALIASES = {"larger": "course"}
# Program, profile, variants, kinds of workloads, names (None: all): where each may lead.
PEERS = [
    ("onednn", "default", "", ("layer", "step"), None),
    ("rtneural", "default", "", ("step",), None),
    ("torch", "default", "", ("layer",), None),
    ("torch", "tuned", "", ("layer",), None),
    ("torch", "tuned", "cell", ("step",), None),
    ("jax", "default", "scan,inscan", ("layer",), ("toy", "larger", "small")),
    ("ort", "default", "", ("layer",), ("toy", "larger", "small", "mid", "big")),
    ("numpy", "default", "", ("layer",), ("toy", "larger")),
    ("torch", "default", "default,fused", ("lm",), None),
    ("torch", "tuned", "fused", ("lm",), None),
    ("jax", "tuned", "scan,inscan", ("lm",), None),
    ("numpy", "tuned", "", ("lm",), None),
]


def workloads():
    for name in ("layers", "step", "lm"):
        with open(f"{HERE}/workloads/{name}.json") as file:
            yield from json.load(file)


def kind_of(w):
    return "lm" if w["kind"] == "lm" else "step" if w["mode"] == "step" else "layer"


def chosen(kinds, names):
    return [w for w in workloads() if kind_of(w) in kinds
            and (not names or ALIASES.get(w["name"], w["name"]) in names)]


def ours(ws):
    binary = os.path.join(ROOT, ".build", "release", "unroll")
    for threads in sorted({w["threads"] for w in ws}):
        part = [w for w in ws if w["threads"] == threads]
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(part, file)
            file.flush()
            cores = "1" if threads == 1 else "0-%d" % (threads - 1)
            done = subprocess.run(
                ["taskset", "-c", cores, binary, "bench", "--workloads", file.name, "--json"],
                stdout=subprocess.PIPE, text=True, check=True)
        yield from (json.loads(line) for line in done.stdout.splitlines())


def peer(program, profile, variants, ws):
    with tempfile.TemporaryDirectory() as folder:
        source, result = folder + "/w.json", folder + "/r.json"
        with open(source, "w") as file:
            json.dump(ws, file)
        command = [sys.executable, HERE + "/peers.py", program, "--workloads", source,
                   "--profile", profile, "--out", result]
        if variants:
            command += ["--variants", variants]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
        records = []
        if os.path.exists(result):
            with open(result) as file:
                records = json.load(file)
        # A peer that is missing must not make the next one the best in silence.
        if done.returncode != 0 or not records:
            records.append({"framework": f"{program} {profile}".strip(),
                            "error": f"exit code {done.returncode}, {len(records)} records of {len(ws)} workloads"})
        for record in records:
            record["profile"] = profile
            yield record


def run(arguments):
    ws = chosen(arguments.kinds.split(","), arguments.names.split(",") if arguments.names else None)
    with open(arguments.out, "a") as out:
        for number in range(arguments.rounds):
            skipped = arguments.skip.split(",")
            unroll = [("unroll", "default", "", None, None)]
            programs = unroll + [p for p in PEERS if f"{p[0]} {p[1]}" not in skipped] + unroll
            for program, profile, variants, kinds, names in programs:
                part = [w for w in ws if (kinds is None or kind_of(w) in kinds)
                        and (names is None or w["name"] in names)]
                if program == "ort":
                    part = [w for w in part if w["mode"] != "train"]
                if not part:
                    continue
                print(f"round {number + 1}: {program} {profile} {variants}: {len(part)} workloads, "
                      f"{datetime.datetime.now():%H:%M:%S}", file=sys.stderr, flush=True)
                records = ours(part) if program == "unroll" else peer(
                    program, profile, variants, part)
                for record in records:
                    record["round"] = number
                    record["date"], record["machine"] = str(datetime.date.today()), processor()
                    out.write(json.dumps(record) + "\n")
                out.flush()


def processor():
    with open("/proc/cpuinfo") as file:
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")),
                    platform.machine())


def measured(file):
    """The records that a run wrote."""
    records = []
    try:
        with open(file) as lines:
            for number, line in enumerate(lines, 1):
                try:
                    record = json.loads(line)
                except json.JSONDecodeError:
                    record = None
                if not isinstance(record, dict):
                    sys.exit(f"compare.py: {file}, line {number}: expected a JSON object, as `compare.py run` "
                             f"writes them, found {line.strip()[:40]!r}; remove the line, or run again")
                records.append(record)
    except OSError as error:
        sys.exit(f"compare.py: {file}: {error.strerror}; `compare.py run --out {file}` writes it")
    if not any(r.get("framework") == "unroll" and "median" in r for r in records):
        sys.exit(f"compare.py: {file}: expected measurements of Unroll, found none; see `compare.py run`")
    return records


def medians(records):
    """{(row, program, variant): (seconds, the record nearest to them, runs)}, rows being (name, cell, mode,
    threads)."""
    times, errors = collections.defaultdict(list), collections.Counter()
    for r in records:
        if "median" not in r:
            errors[r.get("framework", "?")] += 1
            continue
        name = ALIASES.get(r["name"], r["name"])
        variant = r["variant"] + ("+tuned" if r.get("profile") == "tuned" else "")
        row = (name, r["cell"], r["mode"], r["threads"])
        times[row, r["framework"], variant].append((r["median"], r))

    def middle(values):
        median = statistics.median(t for t, _ in values)
        return median, min(values, key=lambda v: abs(v[0] - median))[1], len(values)
    return {key: middle(values) for key, values in times.items()}, errors


ORDER = ["toy", "course", "small", "mid", "big", "wide", "huge"]
COLUMNS = ["kind", "workload", "cell", "pass", "variant", "threads", "unroll_us", "gflops", "percent_of_peak",
           "peer", "peer_us", "ratio", "torch_us", "torch_ratio"]
RUN_COLUMNS = ["file", "machine", "system", "cores", "peak_gflops_1_thread", "peak_gflops_2_threads", "date",
               "rounds", "versions", "failed_measurements"]


def plain(value, digits=3):
    """A number of so many significant digits, without an exponent."""
    rounded = float(f"{value:.{digits}g}")
    return f"{rounded:.0f}" if rounded >= 100 else f"{rounded:.12f}".rstrip("0").rstrip(".")


def microseconds(t):
    """A time in microseconds: whole nanoseconds below one microsecond, three digits above."""
    return f"{t * 1e6:.3f}".rstrip("0").rstrip(".") if t < 1e-6 else plain(t * 1e6)


def rank(row):
    name = row[0]
    place = ORDER.index(name) if name in ORDER else 99
    hidden = int(name.split("to")[1]) if name.startswith("step_") else 0
    return place, hidden, name, row[1], row[3], row[2]


def rows_of(times, peak):
    """The rows of the data file, in the order of COLUMNS."""
    def best(row, keep):
        found = [(t, f"{program} {variant}") for (r, program, variant), (t, _, _)
                 in times.items() if r == row and keep(program)]
        return min(found, key=lambda x: x[0]) if found else None

    kinds = {"layer": lambda r: r[0] in ORDER, "step": lambda r: r[2] == "step",
             "lm": lambda r: r[0][:2] in ("a_", "b_", "c_", "d_")}
    rows = sorted({key[0] for key in times}, key=rank)
    for kind, belongs in kinds.items():
        for row in filter(belongs, rows):
            other, torch = best(row, lambda p: p != "unroll"), best(row, lambda p: p == "torch")
            for (r, program, variant), (t, record, _) in sorted(times.items(), key=str):
                if r != row or program != "unroll":
                    continue
                # Rates belong to the median, not to the run nearest to it.
                gflops = record["gflops"] * record["median"] / t
                yield [kind, row[0], row[1], row[2], variant.replace("_", " "), row[3], microseconds(t),
                       plain(gflops), f"{100 * gflops / peak[row[3]]:.0f}",
                       other[1] if other else "", microseconds(other[0]) if other else "",
                       f"{other[0] / t:.2f}" if other else "",
                       microseconds(torch[0]) if torch else "", f"{torch[0] / t:.1f}" if torch else ""]


def described(file, records, times, errors, peak):
    """The row of a data file in runs.csv, in the order of RUN_COLUMNS."""
    versions = sorted({("Unroll " if program == "unroll" else "") + record.get("version", "")
                       for (_, program, _), (_, record, _) in times.items()})
    # Of the run, which may have been on another day and machine than its report; old files do not say.
    dates = sorted({record.get("date", str(datetime.date.today())) for record in records})
    machines = sorted({record.get("machine", processor()) for record in records})
    # Unroll runs twice in a round.
    counts = sorted({runs // 2 for (_, program, _), (_, _, runs) in times.items() if program == "unroll"})
    span = [str(counts[0])] if counts[0] == counts[-1] else [str(counts[0]), str(counts[-1])]
    return [os.path.basename(file), ", ".join(machines), f"{platform.system()} {platform.release()}", os.cpu_count(),
            *(f"{peak[n]:.0f}" if n in peak else "" for n in (1, 2)),
            " to ".join(dict.fromkeys([dates[0], dates[-1]])), " to ".join(span), "; ".join(versions),
            "; ".join(f"{k} {v}" for k, v in errors.items()) or "none"]


def replace_file(path, rows):
    with open(path + ".new", "w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    os.replace(path + ".new", path)


def report(arguments):
    records = measured(arguments.results)
    times, errors = medians(records)
    # The median over the runs: one of them may have measured while the host gave both threads one core.
    peaks = collections.defaultdict(list)
    for r in records:
        if "fma_peak_gflops" in r:
            peaks[r["threads"]].append(r["fma_peak_gflops"])
    peak = {threads: statistics.median(values) for threads, values in peaks.items()}
    rows = [COLUMNS, *rows_of(times, peak)]
    if not arguments.csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
        return
    replace_file(arguments.csv, rows)
    runs = os.path.join(os.path.dirname(arguments.csv), "runs.csv")
    others = []
    if os.path.exists(runs):
        with open(runs, newline="") as file:
            others = [row for row in list(csv.reader(file))[1:] if row[0] != os.path.basename(arguments.csv)]
    replace_file(runs, [RUN_COLUMNS, *others, described(arguments.csv, records, times, errors, peak)])


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--rounds", type=int, default=3)
    runner.add_argument("--kinds", default="layer,step,lm")
    runner.add_argument("--names", default="")
    runner.add_argument("--skip", default="", help="peers to leave out, such as 'torch default'")
    runner.add_argument("--out", default="results.jsonl")
    reporter = commands.add_parser("report")
    reporter.add_argument("results")
    reporter.add_argument("--csv", help="the data file to write; its folder's runs.csv describes the run")
    arguments = parser.parse_args()
    (run if arguments.command == "run" else report)(arguments)


if __name__ == "__main__":
    main()
