#!/usr/bin/env python3
"""Runs Unroll and the peers alternately on one machine and writes the ratios.

  compare.py run [--rounds N] [--kinds layer,step,lm] [--names toy,course] [--skip PEERS]
                 [--out results.jsonl]
  compare.py report results.jsonl [--markdown ../../Documentation/Benchmarks.md | --short]

A round runs every program's list of workloads once, ours at its beginning and at its end; rounds
follow each other, so that no program has the machine's better hour. Each figure is the median of all
these runs' medians, and a peer's best variant counts. `peers.py` says how the peers are called and what is timed; PEERS_PYTHON
names the Python that has torch, jax, numpy and onnxruntime. `report --short` shows how many rows of each
kind reach what is wanted, and of those that do not, which part of the machine's peak that would take.
"""
import argparse
import collections
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


def seconds(t):
    return f"{t * 1e9:.0f} ns" if t < 1e-6 else f"{t * 1e6:.3g} µs" if t < 1e-3 else f"{t * 1e3:.3g} ms"


ORDER = ["toy", "course", "small", "mid", "big", "wide", "huge"]
TARGETS = {  # forward 1, train 1, forward 2, train 2
    "toy": (5, 5, 8, 8), "course": (4, 4, 5, 5), "small": (1.2, 1.3, 1.5, 2),
    "mid": (1.05, 1.1, 1.05, 1.15), "big": (1.0, 1.03, 1.05, 1.1),
    "wide": (1.0, 1.03, 1.05, 1.1), "huge": (1.0, 1.03, 1.05, 1.1)}
LM_TARGETS = {"a_ptb_small": 1.35, "b_course": 1.25, "c_char": 1.3, "d_ptb_medium": 1.15}


def rank(row):
    name = row[0]
    place = ORDER.index(name) if name in ORDER else 99
    hidden = int(name.split("to")[1]) if name.startswith("step_") else 0
    return place, hidden, name, row[1], row[3], row[2]


def report(arguments):
    records = measured(arguments.results)
    times, errors = medians(records)
    rows = sorted({key[0] for key in times}, key=rank)
    lines = []
    # The median over the runs: one of them may have measured while the host gave both threads one core.
    peaks = collections.defaultdict(list)
    for r in records:
        if "fma_peak_gflops" in r:
            peaks[r["threads"]].append(r["fma_peak_gflops"])
    peak = {threads: statistics.median(values) for threads, values in peaks.items()}
    compared, shortfalls = collections.defaultdict(list), []  # (ratio, wanted) of each kind of row

    def best(row, keep):
        found = [(t, f"{program} {variant}") for (r, program, variant), (t, _, _)
                 in times.items() if r == row and keep(program, variant)]
        return min(found, key=lambda x: x[0]) if found else None

    def table(title, keep_rows, target):
        chosen_rows = [r for r in rows if keep_rows(r)]
        if not chosen_rows:
            return
        lines.append(f"\n## {title}\n")
        lines.append("| workload | variant | threads | ours | GFLOP/s | of peak | best peer | time "
                     "| ratio | wanted | PyTorch's best | ratio |")
        lines.append("|---|---|---|---|---|---|---|---|---|---|---|---|")
        for row in chosen_rows:
            for (r, program, variant), (t, record, _) in sorted(times.items(), key=str):
                if r != row or program != "unroll":
                    continue
                other = best(row, lambda p, v: p != "unroll")
                torch = best(row, lambda p, v: p == "torch")
                wanted = target(row, variant)
                share = record["median"] / t  # rates belong to the median, not to the run next to it
                ratio = other[0] / t if other else None
                mark = "" if not wanted or ratio is None or ratio >= wanted else " ✗"
                of_peak = 100 * share * record["gflops"] / peak[row[3]]
                if wanted and ratio is not None:
                    kind = (row[0] if title == "Layers" else title, row[2], row[3])
                    compared[kind].append((ratio, wanted))
                if mark:
                    shortfalls.append(" | ".join([
                        f"| {row[0]} {row[1]} {row[2]}", variant.replace("_", " "), str(row[3]),
                        f"{ratio:.2f}", f"{wanted}", other[1], f"{of_peak / ratio:.0f} %",
                        f"{of_peak:.0f} %", f"{of_peak * wanted / ratio:.0f} % |"]))
                lines.append("| " + " | ".join([
                    f"{row[0]} {row[1]} {row[2]}", variant.replace("_", " "), str(row[3]),
                    seconds(t), f"{share * record['gflops']:.3g}", f"{of_peak:.0f} %",
                    other[1] if other else "–", seconds(other[0]) if other else "–",
                    f"{ratio:.2f}{mark}" if ratio else "–", f"≥ {wanted}" if wanted else "",
                    seconds(torch[0]) if torch else "–",
                    f"{torch[0] / t:.1f}" if torch else "–"]) + " |")

    def layer_target(row, variant):
        if row[0] not in TARGETS:
            return None
        return TARGETS[row[0]][(row[3] - 1) * 2 + (row[2] == "train")]

    def step_target(row, variant):
        # RTNeural, the peer that counts, has no reset gate before the product, and nobody has bfloat16.
        return None if variant.startswith("reset_before") or "bfloat16" in variant else 1

    def lm_target(row, variant):
        return LM_TARGETS.get(row[0]) if row[3] == 2 else None

    table("Layers", lambda r: r[0] in ORDER, layer_target)
    table("Streaming steps, batch 1", lambda r: r[2] == "step", step_target)
    table("Language-model training steps", lambda r: r[0][:2] in ("a_", "b_", "c_", "d_"), lm_target)
    if arguments.short:
        for (name, mode, threads), found in compared.items():
            reached = sum(ratio >= wanted for ratio, wanted in found)
            print(f"{name} {mode} {threads}: {min(found)[0]:.2f}–{max(found)[0]:.2f} "
                  f"({reached} of {len(found)})")
        print("\n| row | variant | threads | ratio | wanted | best peer | its part of the peak | ours "
              "| wanted would take |\n|---|---|---|---|---|---|---|---|---|")
        print("\n".join(shortfalls))
        return
    versions = sorted({record.get("version", "") if program != "unroll" else "Unroll "
                       + record.get("version", "") for (_, program, _), (_, record, _)
                       in times.items()})
    # Of the run, which may have been on another day and machine than its report; old files do not say.
    stamps = {(record.get("date", str(datetime.date.today())), record.get("machine", processor()))
              for _, record, _ in times.values()}
    dates, cpus = sorted({date for date, _ in stamps}), sorted({cpu for _, cpu in stamps})
    # Ours run twice in a round.
    counts = {runs // 2 for (_, program, _), (_, _, runs) in times.items() if program == "unroll"}
    rounds = " to ".join(f"{n}" for n in sorted({min(counts), max(counts)})) if counts else "none of ours"
    head = [
        f"Machine: {', '.join(cpus)}, {os.cpu_count()} cores, {platform.system()} {platform.release()}; "
        f"multiply-add peak, median of those measured in the same run: "
        + ", ".join(f"{v:.0f} GFLOP/s on {k} thread{'s' * (k > 1)}"
                    for k, v in sorted(peak.items())) + ".",
        f"Date: {' to '.join([dates[0], dates[-1]] if len(dates) > 1 else dates)}. Rounds: {rounds}. Versions: " + ", ".join(versions) + ".",
        "Failed measurements: " + (", ".join(f"{k} {v}" for k, v in errors.items()) or "none") + "."]
    text = "\n\n".join(head) + "\n" + "\n".join(lines) + "\n"
    if arguments.markdown:
        marker = "<!-- figures: written by compare.py -->\n"
        try:
            with open(arguments.markdown) as file:
                old = file.read()
        except OSError as error:
            sys.exit(f"compare.py: {arguments.markdown}: {error.strerror}; it is to stand already, with a line "
                     f"{marker.strip()!r} before the figures")
        with open(arguments.markdown + ".new", "w") as file:
            file.write(old.split(marker)[0] + marker + "\n" + text)
        os.replace(arguments.markdown + ".new", arguments.markdown)
    else:
        print(text)


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
    form = reporter.add_mutually_exclusive_group()
    form.add_argument("--markdown", help="a file whose figures to replace")
    form.add_argument("--short", action="store_true",
                      help="only how many rows reach what is wanted, and what falls short by how much")
    arguments = parser.parse_args()
    (run if arguments.command == "run" else report)(arguments)


if __name__ == "__main__":
    main()
