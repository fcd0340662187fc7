// The page of memory and gradients. The state is the address; every change asks the server, and a newer
// question ends an older one.

const defaults = {
  cell: "rnn", scale: "2", step: "20", "gate-bias": "0", hidden: "8", time: "50", batch: "100",
  seed: "15009", dtype: "float32", "keep-bias": "", chrono: "", orthogonal: "",
};
const field = (id) => document.getElementById(id);
const state = { ...defaults };
const address = new URLSearchParams(location.search);
for (const name of Object.keys(defaults)) if (address.has(name)) state[name] = address.get(name);
for (const name of (address.get("hide") ?? "").split(",").filter(Boolean)) {
  for (const element of document.querySelectorAll("[data-name]")) {
    if (element.dataset.name === name) element.hidden = true;
  }
}

// What the tests read: how long each redraw took, in milliseconds.
window.unrollRedraws = [];

const hasGates = () => state.cell !== "rnn";
// The step that is asked for: the wanted one, or the last where there are fewer.
const step = () => String(Math.max(0, Math.min(Number(state.step), Number(state.time) - 1)));
const shown = (value) => {
  if (typeof value !== "number") return String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e-3 && size < 1e5 ? String(Number(value.toPrecision(4))) : value.toExponential(3);
};

// The fields that the server is asked with.
function query(parts) {
  const fields = new URLSearchParams();
  for (const name of ["cell", "scale", "step", "hidden", "time", "batch", "seed", "dtype"]) {
    fields.set(name, name === "step" ? step() : state[name]);
  }
  if (hasGates()) {
    if (state["keep-bias"] !== "") fields.set("keep-bias", state["keep-bias"]);
    else {
      if (Number(state["gate-bias"]) !== 0) fields.set("gate-bias", state["gate-bias"]);
      if (state.chrono !== "") fields.set("chrono", state.chrono);
    }
  }
  if (state.orthogonal !== "") fields.set("orthogonal", state.orthogonal);
  if (parts) fields.set("parts", parts);
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

// The controls as the state has them.
function show() {
  for (const name of ["cell", "hidden", "time", "batch", "seed", "dtype"]) field(name).value = state[name];
  field("scale").value = Math.log2(Number(state.scale) || 0.125);
  field("scale").setAttribute("aria-valuetext", shown(Number(state.scale)));
  field("step").max = Math.max(1, Number(state.time) - 1);
  field("step").value = step();
  field("gate-bias").value = state["gate-bias"];
  field("gate-bias").disabled = !hasGates() || state["keep-bias"] !== "";
  field("scale-value").textContent = shown(Number(state.scale));
  field("step-value").textContent = step();
  field("gate-bias-value").textContent = state["keep-bias"] !== "" ? "keeps with " + state["keep-bias"] : state["gate-bias"];
  field("chrono").setAttribute("aria-pressed", String(state.chrono !== ""));
  field("orthogonal").setAttribute("aria-pressed", String(state.orthogonal !== ""));
  field("chrono").disabled = !hasGates();
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
    link.href = `/figure/${part}.${link.dataset.type}?${query()}`;
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
      state.scale = String(Number((2 ** (high - share * (high - low))).toPrecision(4)));
      changed();
    });
    const mark = document.createElement("div");
    mark.className = "mark";
    picture.append(place, mark);
  }
  placeMarks();
}

function placeMarks() {
  for (const link of figureOf("phase").querySelectorAll("a")) link.href = `/figure/phase.${link.dataset.type}?${query()}`;
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
    largest_singular_value: "largest singular value at T", smallest_singular_value: "smallest",
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
function tell() { field("problem").textContent = [...new Set(Object.values(problems))].join(" "); }
function forget(part) {
  delete numbers[part];
  figureOf(part)?.replaceChildren();
  if (part === "phase") [areas, phaseKey] = [[], ""];
  list();
}

// Asks for some parts; a newer question of the same kind ends this one.
async function ask(kind, parts) {
  running[kind]?.abort();
  const abort = (running[kind] = new AbortController());
  try {
    const response = await fetch(`/api/lab?${query(parts)}`, { signal: abort.signal });
    if (response.status === 429) {
      await new Promise((resume) => setTimeout(resume, 300 + 700 * Math.random()));
      return running[kind] === abort && !abort.signal.aborted ? ask(kind, parts) : false;
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
    if (parts !== "phase") list();
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
async function changed() {
  const mine = ++question;
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
  const done = await Promise.all(first.map((part) => ask(part, part)));
  if (done.every(Boolean)) {
    const time = performance.now() - start;
    window.unrollRedraws.push(time);
    field("timing").textContent = `redrawn in ${Math.round(time)} ms`;
  }
  if (mine !== question) return;
  restTimer = setTimeout(async () => {
    const rest = parts().filter((part) => !first.includes(part));
    await Promise.all(rest.map((part) => ask(part, part)));
    if (mine !== question) return;
    window.unrollSettled = mine;
    const key = query().replace(/scale=[^&]*/, "");
    if (key === phaseKey) return;
    phaseKey = key;
    if (!(await ask("phase", "phase")) && phaseKey === key) phaseKey = "";
  }, 150);
}

// MARK: Controls

for (const name of ["cell", "hidden", "time", "batch", "seed", "dtype", "step", "gate-bias"]) {
  field(name).addEventListener("input", (event) => {
    if (event.target.value === "") return;
    // The beginning of a number that is still being typed.
    if (name === "time" && Number(event.target.value) < 2) return;
    state[name] = event.target.value;
    if (name === "cell" && !hasGates()) Object.assign(state, { "keep-bias": "", chrono: "", "gate-bias": "0" });
    changed();
  });
}
field("scale").addEventListener("input", (event) => {
  state.scale = String(Number((2 ** Number(event.target.value)).toPrecision(4)));
  changed();
});
field("controls").addEventListener("submit", (event) => event.preventDefault());

async function lesson(name) {
  const response = await fetch(`/api/lesson/${name}?${query()}`);
  if (!response.ok) return void (field("lesson").textContent = await response.text());
  const answer = await response.json();
  field("lesson").textContent = answer.sentence;
  field("lesson").dataset.numbers = JSON.stringify(answer.numbers);
  return answer;
}

field("as-rnn").addEventListener("click", () => lesson("gru-as-rnn"));
field("check").addEventListener("click", () => lesson("gradient-check"));
field("remember").addEventListener("click", async () => {
  const answer = await lesson("remember");
  if (!answer) return;
  if (!state.cell.startsWith("gru")) state.cell = "gru";
  Object.assign(state, { "keep-bias": String(answer.numbers.bias), chrono: "", "gate-bias": "0" });
  changed();
});
field("chrono").addEventListener("click", () => {
  state.chrono = state.chrono === "" ? String(Math.max(3, Number(state.time))) : "";
  state["keep-bias"] = "";
  changed();
});
field("orthogonal").addEventListener("click", () => {
  state.orthogonal = state.orthogonal === "" ? "1" : "";
  changed();
});
field("reset").addEventListener("click", () => {
  Object.assign(state, defaults);
  field("lesson").textContent = "";
  changed();
});

changed();
