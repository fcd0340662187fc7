// The settings of the experiments: which values the server accepts, what they are now, and the query with which the
// server is asked.

export const defaults = {
  cell: "rnn", scale: "2", step: "20", "gate-bias": "0", hidden: "8", time: "50", batch: "100",
  seed: "15009", dtype: "float32", "keep-bias": "", chrono: "", orthogonal: "", draws: "",
};
// What the server accepts: a value that it would refuse gets a message next to its field.
const integers = { hidden: [1, 64], time: [2, 1000], batch: [1, 1000], seed: [0, 4294967295], step: [0, 999], chrono: [3, 1000000] };
const reals = { scale: [0, 1000], "gate-bias": [-1000, 1000], "keep-bias": [-1000, 1000], orthogonal: [0, 100] };
const words = { cell: ["rnn", "gru", "gru-after", "lstm", "mgu", "janet"], dtype: ["float32", "float64"], draws: ["notebook", "fresh", "later-edition"] };
const inputSize = 5;
const mostWork = 100e6;

export const state = { ...defaults };

export const hasGates = () => state.cell !== "rnn";
// The step of the histograms: the chosen one, or the last if there are fewer.
export const step = () => String(Math.max(0, Math.min(Number(state.step), Number(state.time) - 1)));

// Sets one setting. The notebook's draws belong to the notebook's settings; step and arithmetic do not change draws.
export function set(name, value) {
  state[name] = value;
  if (!["step", "dtype"].includes(name)) state.draws = "";
}

const group = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

// What is wrong with a value of a setting; an empty text if nothing is.
export function problemOf(name, value) {
  if (value === "" && defaults[name] === "") return "";
  if (words[name]) return words[name].includes(value) ? "" : `expected ${words[name].join(", ")}, found '${value}'`;
  const [low, high] = integers[name] ?? reals[name];
  const number = Number(value);
  const isNumber = value.trim() !== "" && (integers[name] ? /^[+-]?\d+$/.test(value.trim()) : Number.isFinite(number));
  if (!isNumber || number < low || number > high) {
    const found = value.trim() === "" ? "nothing" : `'${value.slice(0, 20)}'`;
    return `expected ${integers[name] ? "a whole number" : "a number"} in ${group(low)} ... ${group(high)}, found ${found}`;
  }
  if (["time", "batch", "hidden"].includes(name)) {
    const now = { ...state, [name]: value };
    const [time, batch, hidden] = [now.time, now.batch, now.hidden].map(Number);
    const work = time * batch * hidden * (hidden + inputSize);
    if (work > mostWork) {
      return `expected T × B × H × (H + ${inputSize}) of at most 100 million, found ${group(work)}; choose a smaller T, B or H`;
    }
  }
  return "";
}

// The settings of a part; with the notebook's draws, the gradients have settings of their own.
function settings(part) {
  const own = { ...state, step: step() };
  if (state.draws === "notebook" && part === "flow") Object.assign(own, { scale: "1", step: String(Math.min(30, Number(state.time) - 1)) });
  return own;
}

// The query with which the server is asked for a part.
export function query(part) {
  const fields = new URLSearchParams();
  const own = settings(part);
  for (const name of ["cell", "scale", "step", "hidden", "time", "batch", "seed", "dtype"]) fields.set(name, own[name]);
  if (hasGates()) {
    if (own["keep-bias"] !== "") fields.set("keep-bias", own["keep-bias"]);
    else {
      if (Number(own["gate-bias"]) !== 0) fields.set("gate-bias", own["gate-bias"]);
      if (own.chrono !== "") fields.set("chrono", own.chrono);
    }
  }
  for (const name of ["orthogonal", "draws"]) if (own[name] !== "") fields.set(name, own[name]);
  return fields.toString();
}
