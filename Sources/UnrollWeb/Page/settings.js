// The settings of the page: the server's table, the current values, the query for the server, and the
// URL to share.

const table = JSON.parse(document.getElementById("table").textContent);
export const labTable = table.lab;
export const writingTable = table.writing;
const rows = Object.fromEntries(labTable.map((row) => [row.name, row]));

export const defaults = Object.fromEntries(labTable.map((row) => [row.name, row.standard]));
export const state = { ...defaults };

// Narrow screens get a variant of the figures.
export const narrow = matchMedia("(max-width: 700px)");

export const hasGates = () => table.gatedCells.includes(state.cell);
// The step of the histograms: the selected one, or the last if there are fewer.
export const step = () => String(Math.max(0, Math.min(Number(state.step), Number(state.time) - 1)));

// Sets one setting. The notebook's draws require the notebook's settings; step and precision do not change draws.
export function set(name, value) {
  state[name] = value;
  if (!["step", "dtype", "draws"].includes(name)) state.draws = defaults.draws;
}

// Resets the settings of gates, for a cell without gates.
export function dropGates() {
  for (const row of labTable) if (row.needsGates) state[row.name] = row.standard;
}

const group = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

// Returns the problem with a value of a setting; an empty text if it is valid.
export function problemOf(name, value) {
  const { kind, words, low, high, standard } = rows[name];
  if (value === "" && standard === "") return "";
  if (kind === "word") return words.includes(value) ? "" : `expected ${words.join(", ")}, found '${value}'`;
  const number = Number(value);
  const isNumber = value.trim() !== "" && (kind === "integer" ? /^[+-]?\d+$/.test(value.trim()) : Number.isFinite(number));
  if (!isNumber || number < low || number > high) {
    const found = value.trim() === "" ? "nothing" : `'${value.slice(0, 20)}'`;
    return `expected ${kind === "integer" ? "a whole number" : "a number"} in ${group(low)} ... ${group(high)}, found ${found}`;
  }
  const sizes = ["time", "batch", "hidden", "input"];
  if (!sizes.includes(name)) return "";
  const now = { ...state, [name]: value };
  const [time, batch, hidden, input] = sizes.map((size) => Number(now[size]));
  const work = time * batch * hidden * (hidden + input);
  if (work <= table.mostWork) return "";
  return `expected T × B × H × (H + ${input}) of at most ${table.mostWork / 1e6} million, found ${group(work)}; choose a smaller T, B or H`;
}

// Returns the settings of a part; with the notebook's draws, the gradients have separate settings.
function settingsOf(part) {
  const own = { ...state, step: step() };
  if (state.draws === "notebook" && part === "flow") Object.assign(own, { scale: "1", step: String(Math.min(30, Number(state.time) - 1)) });
  return own;
}

// Returns the query for a part.
export function query(part) {
  const fields = new URLSearchParams();
  const own = settingsOf(part);
  for (const row of labTable) {
    const value = own[row.name];
    if (value === "" || (row.needsGates && !hasGates())) continue;
    // A saturated gate has no other bias.
    if (row.needsGates && row.name !== "keep-bias" && own["keep-bias"] !== "") continue;
    if (row.name === "gate-bias" && Number(value) === 0) continue;
    fields.set(row.query, value);
  }
  return fields.toString();
}

// MARK: URL

// Writes values to the URL, except defaults; fields with other names are kept.
export function writeAddress(values, standard) {
  const fields = new URLSearchParams(location.search);
  for (const name of Object.keys(standard)) {
    if (values[name] !== standard[name]) fields.set(name, values[name]);
    else fields.delete(name);
  }
  history.replaceState(null, "", fields.size ? "?" + fields : location.pathname);
}

// Reads the settings of the experiments from the URL.
//
// Returns: invalid values, as pairs of a name and a problem; they are replaced with the default.
export function readAddress() {
  const address = new URLSearchParams(location.search);
  const problems = [];
  for (const { name } of labTable) {
    if (!address.has(name)) continue;
    const problem = problemOf(name, address.get(name));
    if (problem) problems.push([name, problem]);
    else state[name] = address.get(name);
  }
  return problems;
}

// Returns the names of unknown fields in the URL, and those of known fields.
export function unknownFields() {
  const known = [...labTable, ...writingTable].map((row) => row.name).concat("hide", "token");
  return { known, unknown: [...new Set(new URLSearchParams(location.search).keys())].filter((name) => !known.includes(name)) };
}

// Returns the names of the parts that the URL field `hide` lists.
export const hidden = () => (new URLSearchParams(location.search).get("hide") ?? "").split(",").map((part) => part.trim()).filter(Boolean);
