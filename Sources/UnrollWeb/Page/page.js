// The page of memory and gradients. The state is the address; every change asks the server, and a newer
// question ends an older one.

const defaults = {
  cell: "rnn", scale: "2", step: "20", "gate-bias": "0", hidden: "8", time: "50", batch: "100",
  seed: "15009", dtype: "float32", "keep-bias": "", chrono: "", orthogonal: "", draws: "",
};
// What the server takes, so that a number that it would refuse is told beside its field.
const integers = { hidden: [1, 64], time: [2, 1000], batch: [1, 1000], seed: [0, 4294967295], step: [0, 999], chrono: [3, 1000000] };
const reals = { scale: [0, 1000], "gate-bias": [-1000, 1000], "keep-bias": [-1000, 1000], orthogonal: [0, 100] };
const words = { cell: ["rnn", "gru", "gru-after", "lstm"], dtype: ["float32", "float64"], draws: ["notebook", "fresh", "later-edition"] };
const inputSize = 5;
const mostWork = 100e6;
const modelControls = ["prompt", "temperature", "top-k", "top-p", "text-seed", "length", "color", "layer", "unit"];

const field = (id) => document.getElementById(id);
const state = { ...defaults };

// MARK: What is wrong, beside its field

// The message of a field, under its control; an empty one takes it away.
function note(name, text) {
  const box = document.querySelector(`[data-name="${name}"]`);
  const control = document.getElementById(name);
  if (!box || !control) return;
  let place = document.getElementById(`${name}-note`);
  if (!place) {
    if (!text) return;
    place = document.createElement("p");
    place.id = `${name}-note`;
    place.className = "note";
    place.setAttribute("role", "status");
    box.append(place);
    control.setAttribute("aria-describedby", place.id);
  }
  place.textContent = text;
}

const group = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

// What is wrong with a value of a setting; an empty text if nothing is.
function problemOf(name, value, others = state) {
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
    const now = { ...others, [name]: value };
    const [time, batch, hidden] = [now.time, now.batch, now.hidden].map(Number);
    const work = time * batch * hidden * (hidden + inputSize);
    if (work > mostWork) {
      return `expected T × B × H × (H + ${inputSize}) of at most 100 million, found ${group(work)}; choose a smaller T, B or H`;
    }
  }
  return "";
}

// Tells of a name that is not known, with the nearest one that is, which the server finds.
async function noteName(name, names, sentence, otherwise = "") {
  const place = notes.push(sentence + otherwise) - 1;
  const response = await fetch(`/api/nearest?${new URLSearchParams({ typed: name, among: names.join(",") })}`);
  const nearest = response.ok && (await response.json()).nearest;
  if (!nearest || !notes.length) return;
  notes[place] = `${sentence} Did you mean '${nearest}'?`;
  tell();
}

// The address: what cannot be used is told, not dropped.
const address = new URLSearchParams(location.search);
const notes = [];
for (const name of Object.keys(defaults)) {
  if (!address.has(name)) continue;
  const problem = problemOf(name, address.get(name));
  if (!problem) state[name] = address.get(name);
  else if (field(name)) note(name, `in the address: ${problem}; the figures show ${defaults[name]}`);
  else notes.push(`${name} in the address: ${problem}.`);
}
if (state.cell === "rnn") {
  for (const name of ["keep-bias", "chrono", "gate-bias"]) {
    if (state[name] === defaults[name]) continue;
    notes.push(`${name} in the address: expected a cell with gates; the RNN has none.`);
    state[name] = defaults[name];
  }
}
for (const name of new Set(address.keys())) {
  const known = [...Object.keys(defaults), ...modelControls, "hide", "token"];
  if (!known.includes(name)) noteName(name, known, `The address has a field '${name}' that this page does not know.`);
}
const hidable = [...document.querySelectorAll("[data-name]")].map((element) => element.dataset.name);
for (const name of (address.get("hide") ?? "").split(",").map((part) => part.trim()).filter(Boolean)) {
  for (const element of document.querySelectorAll("[data-name]")) {
    if (element.dataset.name === name) element.hidden = true;
  }
  if (!hidable.includes(name)) {
    noteName(name, hidable, `hide: '${name}' is no control of this page.`, ` Its controls are ${hidable.join(", ")}.`);
  }
}

// What the tests read: how long each redraw took, in milliseconds.
window.unrollRedraws = [];

const hasGates = () => state.cell !== "rnn";
// The step that is asked for: the wanted one, or the last where there are fewer.
const step = () => String(Math.max(0, Math.min(Number(state.step), Number(state.time) - 1)));
const superscripts = "⁰¹²³⁴⁵⁶⁷⁸⁹";
// A number with three significant digits.
const shown = (value) => {
  if (typeof value !== "number") return { inf: "∞", "-inf": "−∞", nan: "undefined", "-nan": "undefined" }[value] ?? String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(3))).replace("-", "−");
  const [digits, exponent] = value.toExponential(2).split("e");
  const power = exponent.replace("+", "").replace("-", "⁻").replace(/\d/g, (digit) => superscripts[digit]);
  return `${String(Number(digits)).replace("-", "−")}\u00a0×\u00a010${power}`;
};
// The settings as they are: not rounded.
const exact = (value) => String(Number(value));

// What the server is asked with for a part; with the notebook's draws, its gradients have settings of their own.
function settings(part) {
  const own = { ...state, step: step() };
  if (state.draws === "notebook" && part === "flow") Object.assign(own, { scale: "1", step: String(Math.min(30, Number(state.time) - 1)) });
  return own;
}
function query(part) {
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

function remember() {
  // The other part of the page has fields of its own in the address.
  const kept = new URLSearchParams(location.search);
  for (const name of Object.keys(defaults)) {
    if (state[name] !== defaults[name]) kept.set(name, state[name]);
    else kept.delete(name);
  }
  history.replaceState(null, "", kept.size ? "?" + kept : location.pathname);
}

// The controls as the state has them; a field with a note keeps what was typed.
let hasStepNote = false;
function show() {
  for (const name of ["cell", "hidden", "time", "batch", "seed", "dtype"]) {
    if (field(name).getAttribute("aria-invalid") !== "true") field(name).value = state[name];
  }
  field("scale").value = Math.log2(Number(state.scale) || 0.125);
  field("scale").setAttribute("aria-valuetext", exact(state.scale));
  field("step").max = Math.max(1, Number(state.time) - 1);
  field("step").value = step();
  field("gate-bias").value = state["gate-bias"];
  field("gate-bias").disabled = !hasGates() || state["keep-bias"] !== "";
  field("scale-value").textContent = exact(state.scale);
  field("step-value").textContent = step();
  const last = Number(state.time) - 1;
  const isBeyond = Number(state.step) > last;
  if (isBeyond || hasStepNote) {
    note("step", isBeyond ? `step ${state.step} is beyond the last step of T = ${state.time}; the figures show step ${last}` : "");
  }
  hasStepNote = isBeyond;
  field("gate-bias-value").textContent = state["keep-bias"] !== "" ? "keeps with " + state["keep-bias"] : state["gate-bias"];
  field("chrono").setAttribute("aria-pressed", String(state.chrono !== ""));
  field("orthogonal").setAttribute("aria-pressed", String(state.orthogonal !== ""));
  field("chrono").disabled = !hasGates();
  const why = hasGates() ? "" : "The RNN has no gates.";
  for (const name of ["chrono", "gate-bias"]) field(name).title = why;
}

// MARK: Figures

function figureOf(part) { return document.querySelector(`figure[data-part="${part}"]`); }

function build(figure, part) {
  // On a narrow screen the picture keeps a width at which it can be read, and scrolls.
  const frame = document.createElement("div");
  frame.className = "frame";
  frame.tabIndex = 0;
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", `Figure: ${part}`);
  const picture = document.createElement("div");
  picture.className = "picture";
  frame.append(picture);
  const image = document.createElement("img");
  picture.append(image);
  const caption = document.createElement("figcaption");
  const files = document.createElement("span");
  for (const type of ["svg", "png", "pdf", "csv", "npz"]) {
    const link = document.createElement("a");
    link.textContent = type;
    link.dataset.type = type;
    link.setAttribute("aria-label", `${part} as ${type}`);
    files.append(link, " ");
  }
  const code = document.createElement("code");
  const copy = document.createElement("button");
  copy.type = "button";
  copy.textContent = "Copy the command";
  copy.setAttribute("aria-label", `Copy the command of ${part}`);
  copy.addEventListener("click", () => navigator.clipboard?.writeText(code.textContent));
  caption.append(files, code, copy);
  figure.append(frame, caption);
}

async function draw(part, picture, command) {
  const figure = figureOf(part);
  if (!figure.firstChild) build(figure, part);
  const image = figure.querySelector("img");
  const old = image.src;
  image.src = URL.createObjectURL(new Blob([picture.svg], { type: "image/svg+xml" }));
  image.alt = `${picture.title}. ${picture.alternative}`;
  figure.querySelector("code").textContent = command;
  for (const link of figure.querySelectorAll("a")) {
    link.href = `/figure/${part}.${link.dataset.type}?${query(part)}`;
  }
  await image.decode().catch(() => {});
  if (old) URL.revokeObjectURL(old);
  if (part === "phase") overlay(figure, picture.areas);
}

// Places to click on in the phase diagram, and the mark of the present scale.
let areas = [];
function overlay(figure, places) {
  areas = places;
  const picture = figure.querySelector(".picture");
  for (const old of picture.querySelectorAll(".clickable, .mark")) old.remove();
  for (const [left, right, top, bottom, low, high] of places) {
    const place = document.createElement("div");
    place.className = "clickable";
    Object.assign(place.style, {
      left: 100 * left + "%", width: 100 * (right - left) + "%", top: 100 * top + "%",
      height: 100 * (bottom - top) + "%",
    });
    place.addEventListener("click", (event) => {
      const box = place.getBoundingClientRect();
      const share = (event.clientY - box.top) / box.height;
      set("scale", String(Number((2 ** (high - share * (high - low))).toPrecision(4))));
      changed();
    });
    const mark = document.createElement("div");
    mark.className = "mark";
    picture.append(place, mark);
  }
  placeMarks();
}

function placeMarks() {
  for (const link of figureOf("phase").querySelectorAll("a")) link.href = `/figure/phase.${link.dataset.type}?${query("phase")}`;
  const marks = document.querySelectorAll(".mark");
  areas.forEach(([left, right, top, bottom, low, high], index) => {
    const share = (Math.log2(Number(state.scale)) - low) / (high - low);
    const mark = marks[index];
    if (!mark) return;
    mark.hidden = !(share >= 0 && share <= 1);
    Object.assign(mark.style, {
      left: 100 * left + "%", width: 100 * (right - left) + "%",
      top: 100 * (bottom - share * (bottom - top)) + "%",
    });
  });
}

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

const numbers = {};
function list() {
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
      text.textContent = name === "medians" ? shown(value[0]) : [].concat(value).map(shown).join(", ");
      text.dataset.number = `${part}.${name}`;
      row.append(term, text);
      box.append(row);
    }
  }
}

// MARK: Asking

const running = {};
// What could not be answered, by kind of question; a part keeps neither numbers nor figure of other settings.
const problems = {};
function tell() { field("problem").textContent = [...new Set([...notes, ...Object.values(problems)])].join(" "); }
function forget(part) {
  delete numbers[part];
  figureOf(part)?.replaceChildren();
  if (part === "phase") [areas, phaseKey] = [[], ""];
  list();
}

// A narrow screen gets figures that are drawn for it.
const narrow = matchMedia("(max-width: 700px)");

// Asks for a part; a newer question of the same kind ends this one.
async function ask(kind) {
  running[kind]?.abort();
  const abort = (running[kind] = new AbortController());
  try {
    const response = await fetch(`/api/lab?${query(kind)}&parts=${kind}${narrow.matches ? "&narrow=1" : ""}`, { signal: abort.signal });
    if (response.status === 429) {
      await new Promise((resume) => setTimeout(resume, 300 + 700 * Math.random()));
      return running[kind] === abort && !abort.signal.aborted ? ask(kind) : false;
    }
    if (!response.ok) {
      const sentence = await response.text();
      if (abort.signal.aborted) return false;
      throw new Error(sentence);
    }
    const page = await response.json();
    if (abort.signal.aborted) return false;
    delete problems[kind];
    Object.assign(numbers, page.numbers);
    await Promise.all(Object.entries(page.figures).map(([part, picture]) => draw(part, picture, page.commands[part])));
    tell();
    if (kind !== "phase") list();
    return !abort.signal.aborted;
  } catch (error) {
    if (error.name !== "AbortError") {
      forget(kind);
      problems[kind] = error.message;
      tell();
    }
    return false;
  }
}

// What is in sight is asked for at once, each figure on its own; the rest when the hand rests.
const parts = () => ["memory", "flow", "spectrum"].concat(hasGates() ? ["gates"] : []);
function isInSight(part) {
  const box = figureOf(part).getBoundingClientRect();
  return box.height > 0 && box.top < window.innerHeight && box.bottom > 0;
}

let phaseKey = "";
let restTimer;
let question = 0;
async function changed(message = "") {
  const mine = ++question;
  // What was said of other settings is true no longer.
  field("lesson").textContent = message;
  delete field("lesson").dataset.numbers;
  show();
  remember();
  placeMarks();
  clearTimeout(restTimer);
  if (!hasGates()) {
    running.gates?.abort();
    delete problems.gates;
    forget("gates");
    tell();
  }
  const start = performance.now();
  const seen = parts().filter(isInSight);
  const first = seen.length ? seen : ["memory"];
  const done = await Promise.all(first.map((part) => ask(part)));
  if (done.every(Boolean)) {
    const time = performance.now() - start;
    window.unrollRedraws.push(time);
    field("timing").textContent = `redrawn in ${Math.round(time)} ms`;
  }
  if (mine !== question) return;
  restTimer = setTimeout(async () => {
    const rest = parts().filter((part) => !first.includes(part));
    await Promise.all(rest.map((part) => ask(part)));
    if (mine !== question) return;
    window.unrollSettled = mine;
    const key = query("phase").replace(/scale=[^&]*/, "") + narrow.matches;
    if (key === phaseKey) return;
    phaseKey = key;
    if (!(await ask("phase")) && phaseKey === key) phaseKey = "";
  }, 150);
}

// MARK: Controls

// Sets one setting. The notebook's draws are those of its own settings; step and arithmetic take no draws.
function set(name, value) {
  state[name] = value;
  if (!["step", "dtype"].includes(name)) state.draws = "";
}

for (const name of ["cell", "hidden", "time", "batch", "seed", "dtype", "step", "gate-bias"]) {
  const take = (event) => {
    const value = event.target.value;
    // An empty field is being typed into, until it is left.
    if (event.type === "input" && value === "" && !event.target.validity.badInput) return;
    const problem = problemOf(name, value);
    event.target.toggleAttribute("aria-invalid", false);
    if (problem) {
      event.target.setAttribute("aria-invalid", "true");
      return note(name, `${problem}; the figures show ${state[name]}`);
    }
    note(name, "");
    if (event.type === "change" && state[name] === value) return;
    set(name, value);
    if (name === "cell" && !hasGates()) Object.assign(state, { "keep-bias": "", chrono: "", "gate-bias": "0" });
    // What was too much together may have room now.
    for (const other of ["hidden", "time", "batch"]) {
      const typed = field(other).value;
      if (other === name || field(other).getAttribute("aria-invalid") !== "true" || problemOf(other, typed)) continue;
      field(other).removeAttribute("aria-invalid");
      note(other, "");
      set(other, typed);
    }
    changed();
  };
  field(name).addEventListener("input", take);
  field(name).addEventListener("change", take);
}
field("scale").addEventListener("input", (event) => {
  set("scale", String(Number((2 ** Number(event.target.value)).toPrecision(4))));
  note("scale", "");
  changed();
});
field("controls").addEventListener("submit", (event) => event.preventDefault());

// Asks for a lesson; nothing is said of it if a setting has changed meanwhile.
async function lesson(name) {
  const asked = question;
  field("lesson").textContent = "";
  const response = await fetch(`/api/lesson/${name}?${query("lesson")}`);
  const answer = response.ok ? await response.json() : { sentence: await response.text() };
  if (asked !== question) return;
  tellLesson(answer);
  return response.ok ? answer : undefined;
}
function tellLesson(answer) {
  field("lesson").textContent = answer.sentence;
  field("lesson").dataset.numbers = JSON.stringify(answer.numbers ?? {});
}

field("as-rnn").addEventListener("click", () => lesson("gru-as-rnn"));
field("check").addEventListener("click", () => lesson("gradient-check"));
field("remember").addEventListener("click", async () => {
  const answer = await lesson("remember");
  if (!answer) return;
  if (!state.cell.startsWith("gru")) state.cell = "gru";
  Object.assign(state, { "keep-bias": String(answer.numbers.bias), chrono: "", "gate-bias": "0", draws: "" });
  changed(answer.sentence);
  tellLesson(answer);
});
field("chrono").addEventListener("click", () => {
  set("chrono", state.chrono === "" ? String(Math.max(3, Number(state.time))) : "");
  state["keep-bias"] = "";
  changed();
});
field("orthogonal").addEventListener("click", () => {
  set("orthogonal", state.orthogonal === "" ? "1" : "");
  changed();
});
field("reset").addEventListener("click", () => {
  Object.assign(state, defaults, { draws: "notebook" });
  notes.length = 0;
  for (const name of Object.keys(defaults)) {
    note(name, "");
    field(name)?.removeAttribute("aria-invalid");
  }
  changed("The notebook’s settings and random numbers: memory at scale 2, gradients at scale 1 and step 30.");
});
narrow.addEventListener("change", () => changed(field("lesson").textContent));

changed();
