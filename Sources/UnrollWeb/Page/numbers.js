// The list of numbers next to the figures.

import { field } from "./dom.js";
import { hasGates } from "./settings.js";

const titles = {
  memory: { fraction_above_tenth: "share of distances above 0.1", medians: "median distance, zero − random 1" },
  flow: { gradient_median: "median gradient norm at t", gradient_zeros: "gradients that are 0" },
  spectrum: {
    exponents: "largest Lyapunov exponents (nats/step)", recurrent_radius: "spectral radius of U",
    largest_singular_value: "largest singular value at T", smallest_singular_value: "smallest singular value at T",
    underflowed: "entries of the gradient that are 0 or subnormal", fixed_points: "fixed points found",
    stable_points: "of them stable",
  },
  gates: { means: "mean of the gates", half_lives: "half-lives: shortest, median, longest" },
};

// The numbers of the last answers, by part.
export const numbers = {};

const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";

// A number with three significant digits.
function rounded(value) {
  if (typeof value !== "number") return { inf: "∞", "-inf": "−∞", nan: "undefined", "-nan": "undefined" }[value] ?? String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(3))).replace("-", "−");
  const [digits, exponent] = value.toExponential(2).split("e");
  const power = exponent.replace("+", "").replace("-", "⁻").replace(/\d/g, (digit) => superscripts[digit]);
  return `${String(Number(digits)).replace("-", "−")}\u00a0×\u00a010${power}`;
}

// Writes the list again.
export function list() {
  const box = field("numbers");
  box.replaceChildren();
  for (const [part, names] of Object.entries(titles)) {
    if (!numbers[part] || (part === "gates" && !hasGates())) continue;
    for (const [name, title] of Object.entries(names)) {
      const value = numbers[part][name];
      if (value === undefined) continue;
      const row = document.createElement("div");
      const [term, text] = [document.createElement("dt"), document.createElement("dd")];
      term.textContent = title;
      text.textContent = name === "medians" ? rounded(value[0]) : [].concat(value).map(rounded).join(", ");
      text.dataset.number = `${part}.${name}`;
      row.append(term, text);
      box.append(row);
    }
  }
}
