#!/usr/bin/env python3
"""Computes the tables and the figure of Documentation/Benchmarks.md from the data files in results/.

  tables.py            replaces the tables in the document and draws Documentation/figures/benchmarks.svg (needs gnuplot)
  tables.py --check    exits with 1 if the document's tables differ from the data files

`peers/compare.py report` writes the data files. A table stands in the document between two comments,
<!-- table: NAME --> and <!-- end -->.
"""
import argparse
import csv
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RESULTS = os.path.join(HERE, "results")
DOCUMENTATION = os.path.join(os.path.dirname(HERE), "Documentation")
DOCUMENT = os.path.join(DOCUMENTATION, "Benchmarks.md")
FIGURE = os.path.join(DOCUMENTATION, "figures", "benchmarks.svg")
SIZES = ["toy", "course", "small", "mid", "big", "wide", "huge"]
PASSES = [("forward", 1), ("train", 1), ("forward", 2), ("train", 2)]
STEPS = ["1to8", "1to32", "40to40", "64to64", "128to128", "256to256", "512to512"]
# What a row of a table is called; cell and variant in the data files.
STEP_CELLS = [("GRU, reset after", "gru", "reset after"), ("LSTM", "lstm", "default"), ("basic RNN", "rnn", "default")]
LM = [("a_ptb_small", "Penn Treebank, small"), ("b_course", "course"), ("c_char", "characters"),
      ("d_ptb_medium", "Penn Treebank, medium")]


def read(name):
    with open(os.path.join(RESULTS, name), newline="") as file:
        return list(csv.DictReader(file))


def runs():
    """(machine, rows) of each data file, in the order of runs.csv."""
    return [(run["machine"], read(run["file"])) for run in read("runs.csv")]


def chosen(rows, **fields):
    return [row for row in rows if all(row[name] == str(value) for name, value in fields.items())]


def markdown(head, body):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in body])


def ratio_text(row):
    """The ratio as it was measured; from 10 on without decimals that the measurement does not support."""
    value = float(row["ratio"])
    return f"{value:.0f}" if value >= 10 else f"{value:.2f}"


def layers(rows):
    """The range of ratios over the cells, for each size and pass."""
    body = []
    for size in SIZES:
        cells = []
        for mode, threads in PASSES:
            ratios = sorted((row["ratio"] for row in chosen(
                rows, kind="layer", workload=size, threads=threads, **{"pass": mode})), key=float)
            cells.append(f"{ratios[0]}–{ratios[-1]}")
        body.append([f"`{size}`"] + cells)
    return markdown(["size"] + [f"{mode}, {n} thread{'s' * (n > 1)}" for mode, n in PASSES], body)


def steps():
    body = []
    for machine, rows in runs():
        for title, cell, variant in STEP_CELLS:
            found = [chosen(rows, workload=f"step_{size}", cell=cell, variant=variant)[0] for size in STEPS]
            body.append([f"{title}, {machine.split(' (')[0]}"] + [ratio_text(row) for row in found])
    return markdown(["step"] + [size.replace("to", "→") for size in STEPS], body)


def language_models():
    body = []
    for name, title in LM:
        for row in chosen(runs()[0][1], kind="lm", workload=name, threads=2):
            fields = {key: row[key] for key in ("workload", "cell", "variant", "threads")}
            cells = []
            for _, rows in runs():
                same = chosen(rows, kind="lm", **fields)[0]
                cells += [f"{float(same['unroll_us']) / 1000:g} ms", f"{same['peer']}", same["ratio"]]
            kind = row["cell"].upper() + ("" if row["variant"] == "default" else f", {row['variant']}")
            body.append([title, kind] + cells)
    head = ["model", "cell"]
    for machine, _ in runs():
        short = machine.split(" ")[1].split(" (")[0]
        head += [f"Unroll, {short}", "best peer", "ratio"]
    return markdown(head, body)


def tables():
    found = {f"layers {run['file']}": layers(read(run["file"])) for run in read("runs.csv")}
    return {**found, "steps": steps(), "language models": language_models()}


def replaced(text):
    for name, table in tables().items():
        pattern = re.compile(f"(<!-- table: {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
        if len(pattern.findall(text)) != 1:
            sys.exit(f"tables.py: {DOCUMENT}: expected one table '{name}' between comments, found "
                     f"{len(pattern.findall(text))}")
        text = pattern.sub(lambda match: match[1] + table + "\n" + match[2], text)
    return text


def draw():
    """Ratio against size, a panel for each machine and pass; colour and shape stand for the cell."""
    machines = runs()
    cells = [("basic RNN", "rnn", "default", "#0072b2", 7), ("GRU, reset before", "gru", "reset before", "#e69f00", 9),
             ("GRU, reset after", "gru", "reset after", "#009e73", 5), ("LSTM", "lstm", "default", "#cc79a7", 13)]
    script = [
        "set terminal svg size 900,620 dynamic enhanced font 'DejaVu Sans,12' background rgb 'white'",
        f"set output '{FIGURE}'",
        "set multiplot layout 2,2 margins 0.075,0.985,0.13,0.95 spacing 0.055,0.15",
        "set logscale y", "set yrange [0.9:30]", "set xrange [-0.5:6.5]", "set grid ytics lc rgb '#dddddd'",
        "set ytics (1, 1.5, 2, 3, 5, 10, 20)", "unset key", "set border 3", "set tics nomirror",
        "set xtics (" + ", ".join(f"'{size}' {index}" for index, size in enumerate(SIZES)) + ")",
        "set arrow from graph 0, first 1 to graph 1, first 1 nohead lc rgb '#555555' dt 2"]
    for row, (mode, word) in enumerate([("forward", "forward pass"), ("train", "training pass")]):
        for column, (machine, rows) in enumerate(machines):
            script.append(f"set title '{word}, {machine}' font ',13'")
            script.append("set ylabel 'ratio to the best peer' offset 1.5" if column == 0 else "unset ylabel")
            plots = []
            for threads in (1, 2):
                for number, (title, cell, variant, colour, shape) in enumerate(cells):
                    name = f"$d{row}{column}{threads}{number}"
                    script.append(f"{name} << EOD")
                    for index, size in enumerate(SIZES):
                        found = chosen(rows, kind="layer", workload=size, cell=cell, variant=variant,
                                       threads=threads, **{"pass": mode})
                        script.append(f"{index + (number - 1.5) * 0.13 + (threads - 1.5) * 0.05} {found[0]['ratio']}")
                    script.append("EOD")
                    # Filled shapes stand for one thread, the same shapes unfilled for two.
                    plots.append(f"{name} using 1:2 with points pt {shape if threads == 1 else shape - 1} ps 0.8 "
                                 f"lc rgb '{colour}'")
            script.append("plot " + ", ".join(plots))
    legend, x = [], 0.03
    for title, _, _, colour, shape in cells:
        legend.append(f"set label '{title}' at screen {x + 0.018},0.045 left point pt {shape} ps 0.9 lc rgb '{colour}' offset 1,0")
        x += 0.075 + 0.0078 * len(title)
    legend.append(f"set label 'filled: 1 thread, open: 2 threads' at screen 0.985,0.045 right")
    # The last plot carries the legend, so that it is drawn once.
    script[-1:-1] = legend
    subprocess.run(["gnuplot", "-"], input="\n".join(script + ["unset multiplot"]), text=True, check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare only")
    arguments = parser.parse_args()
    with open(DOCUMENT) as file:
        old = file.read()
    new = replaced(old)
    if arguments.check:
        if new != old:
            sys.exit(f"tables.py: {DOCUMENT}: the tables differ from Benchmarks/results; Benchmarks/tables.py writes them")
        return
    with open(DOCUMENT + ".new", "w") as file:
        file.write(new)
    os.replace(DOCUMENT + ".new", DOCUMENT)
    draw()


if __name__ == "__main__":
    main()
