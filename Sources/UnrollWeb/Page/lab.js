// The page of memory and gradients: its controls change the settings, and every change requests new results.

import { askLesson, askNearest, askPart, fileAddress, loadPicture } from "./api.js";
import { defaults, dropGates, hasGates, hidden, labTable, narrow, problemOf, query, readAddress, set, state, step, unknownFields, writeAddress } from "./settings.js";

const field = (id) => document.getElementById(id);
const element = (name, properties = {}) => Object.assign(document.createElement(name), properties);

// MARK: Messages: one next to each field, and one line above the figures for all others

// Problems in the URL, and errors of the server by part.
const notes = [];
const problems = {};

// Sets the message below a field's control; an empty text removes it.
function note(name, text) {
  const box = document.querySelector(`[data-name="${name}"]`);
  if (!box || !field(name)) return;
  let place = field(`${name}-note`);
  if (!place) {
    if (!text) return;
    place = element("p", { id: `${name}-note`, className: "note", role: "status" });
    box.append(place);
    field(name).setAttribute("aria-describedby", place.id);
  }
  place.textContent = text;
}

function showProblems() { field("problem").textContent = [...new Set([...notes, ...Object.values(problems)])].join(" "); }

// Adds a message about an unknown name, with the closest known name from the server.
async function noteName(name, names, sentence, otherwise = "") {
  const place = notes.push(sentence + otherwise) - 1;
  const nearest = await askNearest(name, names).catch(() => null);
  if (!nearest || !notes.length) return;
  notes[place] = `${sentence} Did you mean '${nearest}'?`;
  showProblems();
}

// Reads the URL when the page is loaded. An invalid value gets a message instead of being ignored.
function takeAddress() {
  for (const [name, problem] of readAddress()) {
    if (field(name)) note(name, `in the address: ${problem}; the figures show ${defaults[name]}`);
    else notes.push(`${name} in the address: ${problem}.`);
  }
  if (!hasGates()) {
    for (const row of labTable) {
      if (row.needsGates && state[row.name] !== row.standard) notes.push(`${row.name} in the address: expected a cell with gates; the RNN has none.`);
    }
    dropGates();
  }
  const { known, unknown } = unknownFields();
  for (const name of unknown) noteName(name, known, `The address has an unknown field '${name}'.`);
  const places = [...document.querySelectorAll("[data-name]")];
  const names = places.map((place) => place.dataset.name);
  for (const name of hidden()) {
    for (const place of places) if (place.dataset.name === name) place.hidden = true;
    if (!names.includes(name)) noteName(name, names, `hide: '${name}' is not a control of this page.`, ` Its controls are ${names.join(", ")}.`);
  }
}

// MARK: Controls

let hasStepNote = false;

// Shows a message if the selected step is beyond the last.
function noteStep() {
  const last = Number(state.time) - 1;
  const isBeyond = Number(state.step) > last;
  if (isBeyond || hasStepNote) {
    note("step", isBeyond ? `step ${state.step} is beyond the last step of T = ${state.time}; the figures show step ${last}` : "");
  }
  hasStepNote = isBeyond;
}

// Sets the controls to the settings; a field with a message keeps its text.
function showSettings() {
  field("step").max = Math.max(1, Number(state.time) - 1);
  for (const row of labTable) {
    if (!row.hasControl) continue;
    const control = field(row.name);
    const value = row.name === "step" ? step() : state[row.name];
    const output = field(`${row.name}-value`);
    if (output) output.textContent = row.kind === "number" ? String(Number(value)) : value;
    if (row.isLogarithmic) {
      control.value = Math.log2(Number(value) || 0.125);
      control.setAttribute("aria-valuetext", String(Number(value)));
    } else if (control.getAttribute("aria-invalid") !== "true") control.value = value;
  }
  noteStep();
  field("gate-bias").disabled = !hasGates() || state["keep-bias"] !== "";
  if (state["keep-bias"] !== "") field("gate-bias-value").textContent = "keeps with " + state["keep-bias"];
  for (const name of ["chrono", "orthogonal"]) field(name).setAttribute("aria-pressed", String(state[name] !== ""));
  field("chrono").disabled = !hasGates();
  for (const name of ["chrono", "gate-bias"]) field(name).title = hasGates() ? "" : "The RNN has no gates.";
}

// Accepts other sizes that were too large only in combination with the old value of this one.
function acceptOtherSizes(name) {
  for (const other of ["hidden", "time", "batch"]) {
    const typed = field(other).value;
    if (other === name || field(other).getAttribute("aria-invalid") !== "true" || problemOf(other, typed)) continue;
    field(other).removeAttribute("aria-invalid");
    note(other, "");
    set(other, typed);
  }
}

// Reads the value of a control.
function take(row, event) {
  const control = event.target;
  const value = row.isLogarithmic ? String(Number((2 ** Number(control.value)).toPrecision(4))) : control.value;
  // While the user types, an empty field is not yet an error.
  if (event.type === "input" && value === "" && !control.validity.badInput) return;
  const problem = problemOf(row.name, value);
  control.removeAttribute("aria-invalid");
  if (problem) {
    control.setAttribute("aria-invalid", "true");
    note(row.name, `${problem}; the figures show ${state[row.name]}`);
    return;
  }
  note(row.name, "");
  if (event.type === "change" && (row.isLogarithmic || state[row.name] === value)) return;
  set(row.name, value);
  if (!hasGates()) dropGates();
  acceptOtherSizes(row.name);
  changed();
}

function listenToControls() {
  for (const row of labTable) {
    if (!row.hasControl) continue;
    for (const event of ["input", "change"]) field(row.name).addEventListener(event, (happened) => take(row, happened));
  }
  field("controls").addEventListener("submit", (event) => event.preventDefault());
}

// MARK: Numbers

const titles = {
  memory: { fraction_above_tenth: "fraction of distances above 0.1", medians: "median distance, zero − random 1" },
  flow: { gradient_median: "median gradient norm at t", gradient_zeros: "gradients that are 0" },
  spectrum: {
    exponents: "largest Lyapunov exponents (nats/step)", recurrent_radius: "spectral radius of U",
    largest_singular_value: "largest singular value at T", smallest_singular_value: "smallest singular value at T",
    underflowed: "entries of the gradient that are 0 or subnormal", fixed_points: "fixed points found",
    stable_points: "of them stable",
  },
  gates: { means: "mean of the gates", half_lives: "half-lives: shortest, median, longest" },
};
// The numbers of the latest results, by part.
const numbers = {};

// Formats a number with three significant digits.
function rounded(value) {
  if (typeof value !== "number") return { inf: "∞", "-inf": "−∞", nan: "undefined", "-nan": "undefined" }[value] ?? String(value);
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(3))).replace("-", "−");
  const [digits, exponent] = value.toExponential(2).split("e");
  const power = exponent.replace("+", "").replace("-", "⁻").replace(/\d/g, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[digit]);
  return `${String(Number(digits)).replace("-", "−")}\u00a0×\u00a010${power}`;
}

function showNumbers() {
  field("numbers").replaceChildren();
  for (const [part, names] of Object.entries(titles)) {
    if (!numbers[part] || (part === "gates" && !hasGates())) continue;
    for (const [name, title] of Object.entries(names)) {
      const value = numbers[part][name];
      if (value === undefined) continue;
      const text = element("dd", { textContent: name === "medians" ? rounded(value[0]) : [].concat(value).map(rounded).join(", ") });
      text.dataset.number = `${part}.${name}`;
      const row = element("div");
      row.append(element("dt", { textContent: title }), text);
      field("numbers").append(row);
    }
  }
}

// MARK: Figures, with links to their files and the commands that draw them

function figureOf(part) { return document.querySelector(`figure[data-part="${part}"]`); }

// Sets a figure's links to the files of the current settings.
function linkFiles(part) {
  for (const link of figureOf(part).querySelectorAll("a")) link.href = fileAddress(part, link.dataset.type, query(part));
}

function buildFigure(figure, part) {
  // On a narrow screen, the image keeps a readable width and scrolls.
  const frame = element("div", { className: "frame", tabIndex: 0, role: "group", ariaLabel: `Figure: ${part}` });
  const picture = element("div", { className: "picture" });
  picture.append(element("img"));
  frame.append(picture);
  const files = element("span");
  for (const type of ["svg", "png", "pdf", "csv", "npz"]) {
    const link = element("a", { textContent: type, ariaLabel: `${part} as ${type}` });
    link.dataset.type = type;
    files.append(link, " ");
  }
  const code = element("code");
  const copy = element("button", { type: "button", textContent: "Copy the command", ariaLabel: `Copy the command of ${part}` });
  copy.addEventListener("click", () => navigator.clipboard?.writeText(code.textContent));
  const caption = element("figcaption");
  caption.append(files, code, copy);
  figure.append(frame, caption);
}

// Shows an image from the server once it is decoded.
async function showFigure(part, picture, command) {
  const figure = figureOf(part);
  if (!figure.firstChild) buildFigure(figure, part);
  const image = figure.querySelector("img");
  image.alt = `${picture.title}. ${picture.alternative}`;
  figure.querySelector("code").textContent = command;
  linkFiles(part);
  await loadPicture(image, picture.source);
  if (part === "phase") layPanels(picture.areas);
}

// MARK: The phase diagram: a click selects the scale of the weights, and a mark shows the current one

// The panels: left, right, top and bottom as fractions of the image, and log2 of the scales at bottom and top.
let areas = [];

function layPanels(panels) {
  areas = panels;
  const picture = figureOf("phase").querySelector(".picture");
  for (const old of picture.querySelectorAll(".clickable, .mark")) old.remove();
  for (const [left, right, top, bottom, low, high] of panels) {
    const panel = element("div", { className: "clickable" });
    Object.assign(panel.style, {
      left: 100 * left + "%", width: 100 * (right - left) + "%", top: 100 * top + "%",
      height: 100 * (bottom - top) + "%",
    });
    panel.addEventListener("click", (event) => {
      const box = panel.getBoundingClientRect();
      const share = (event.clientY - box.top) / box.height;
      set("scale", String(Number((2 ** (high - share * (high - low))).toPrecision(4))));
      changed();
    });
    picture.append(panel, element("div", { className: "mark" }));
  }
  placeMarks();
}

function placeMarks() {
  linkFiles("phase");
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

// MARK: Requests; a newer one cancels an older one of the same part

const running = {};
let restTimer;
// The number of the latest request.
let question = 0;

// Clears the numbers and the figure of a part without a result.
function clearPart(part) {
  delete numbers[part];
  figureOf(part)?.replaceChildren();
  if (part === "phase") areas = [];
  showNumbers();
}

// Requests a part and shows it; returns false if it was cancelled or rejected.
async function update(part) {
  running[part]?.abort();
  const { signal } = (running[part] = new AbortController());
  try {
    const answer = await askPart(part, query(part), narrow.matches, signal);
    if (signal.aborted) return false;
    delete problems[part];
    numbers[part] = answer.numbers[part];
    showProblems();
    showNumbers();
    await showFigure(part, answer.figures[part], answer.commands[part]);
  } catch (error) {
    if (!signal.aborted) {
      clearPart(part);
      problems[part] = error.message;
      showProblems();
    }
    return false;
  }
  return !signal.aborted;
}

const parts = () => ["memory", "flow", "spectrum"].concat(hasGates() ? ["gates"] : []);

function isInSight(part) {
  const box = figureOf(part).getBoundingClientRect();
  return box.height > 0 && box.top < window.innerHeight && box.bottom > 0;
}

// Requests visible figures immediately, and the others 150 ms after the last change.
//
// message: the page's message about these settings.
async function changed(message = "") {
  const mine = ++question;
  field("results").ariaBusy = "true";
  // Messages about earlier settings no longer apply.
  field("lesson").textContent = message;
  delete field("lesson").dataset.numbers;
  showSettings();
  writeAddress(state, defaults);
  placeMarks();
  clearTimeout(restTimer);
  if (!hasGates()) {
    running.gates?.abort();
    delete problems.gates;
    clearPart("gates");
    showProblems();
  }
  const start = performance.now();
  const seen = parts().filter(isInSight);
  const first = seen.length ? seen : ["memory"];
  const done = await Promise.all(first.map(update));
  if (done.every(Boolean)) field("timing").textContent = `redrawn in ${Math.round(performance.now() - start)} ms`;
  if (mine !== question) return;
  restTimer = setTimeout(async () => {
    // The server caches phase diagrams and returns the same URL for settings with the same diagram.
    await Promise.all(parts().filter((part) => !first.includes(part)).map(update));
    if (mine === question) await update("phase");
    if (mine === question) field("results").ariaBusy = "false";
  }, 150);
}

// MARK: Lessons: buttons that compute a result, and buttons that select settings

function showLesson(answer) {
  field("lesson").textContent = answer.sentence;
  field("lesson").dataset.numbers = JSON.stringify(answer.numbers ?? {});
}

// Requests a lesson; undefined if it was rejected, or if a setting has changed meanwhile.
async function lesson(name) {
  const asked = question;
  field("lesson").textContent = "";
  const answer = await askLesson(name, query("lesson")).catch((error) => ({ sentence: error.message, isRefused: true }));
  if (asked !== question) return undefined;
  showLesson(answer);
  return answer.isRefused ? undefined : answer;
}

function listenToLessons() {
  const onClick = (name, action) => field(name).addEventListener("click", action);
  onClick("as-rnn", () => lesson("gru-as-rnn"));
  onClick("check", () => lesson("gradient-check"));
  onClick("remember", async () => {
    const answer = await lesson("remember");
    if (!answer) return;
    if (!state.cell.startsWith("gru")) state.cell = "gru";
    dropGates();
    set("keep-bias", String(answer.numbers.bias));
    changed(answer.sentence);
    showLesson(answer);
  });
  onClick("chrono", () => {
    set("chrono", state.chrono === "" ? String(Math.max(3, Number(state.time))) : "");
    state["keep-bias"] = "";
    changed();
  });
  onClick("orthogonal", () => {
    set("orthogonal", state.orthogonal === "" ? "1" : "");
    changed();
  });
  onClick("reset", () => {
    Object.assign(state, defaults, { draws: "notebook" });
    notes.length = 0;
    for (const { name } of labTable) {
      note(name, "");
      field(name)?.removeAttribute("aria-invalid");
    }
    changed("The notebook’s settings and random numbers: memory at scale 2, gradients at scale 1 and step 30.");
  });
}

takeAddress();
listenToControls();
listenToLessons();
narrow.addEventListener("change", () => changed(field("lesson").textContent));
changed();
