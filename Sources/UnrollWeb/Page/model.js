// The page of the language model: streams text and shows details of each prediction.

import { askCurves, askModel, fileAddress, loadPicture, streamText } from "./api.js";
import { narrow, writeAddress, writingTable } from "./settings.js";

const field = (id) => document.getElementById(id);
const defaults = Object.fromEntries(writingTable.map((row) => [row.name, row.standard]));
const names = Object.keys(defaults);
// The settings that affect the text; the others affect only its display.
const textNames = names.filter((name) => !["color", "layer", "unit"].includes(name));
let layers = [];
let source;
let symbols = [];

// MARK: Settings

// Returns a setting, or its default if the field is empty.
const value = (name) => field(name).value || defaults[name];

function fill(model) {
  field("model-words").textContent =
    `${model.cell}, ${model.layers.map((l) => l.units).join(" + ")} units, ${model.parameters} parameters, ` +
    `vocabulary of ${model.vocabulary} (${model.unit})`;
  field("model-body").hidden = false;
  layers = model.layers;
  field("layer").max = layers.length - 1;
  // The controls are stored in the URL, too.
  const address = new URLSearchParams(location.search);
  const dropped = [];
  for (const name of names) {
    const control = field(name);
    control.value = address.get(name) ?? defaults[name];
    if (name === "layer") fitLayer();
    const isTaken = control.tagName === "SELECT" ? control.selectedIndex >= 0 : control.checkValidity();
    if (isTaken) continue;
    dropped.push(`${name} in the address: '${address.get(name)}' is invalid; using ${defaults[name] || "no value"}.`);
    control.value = defaults[name];
  }
  fitLayer();
  if (dropped.length) field("candidates").textContent = dropped.join(" ");
  showCommand();
}

// The units and gates of the selected layer.
function fitLayer() {
  const layer = layers[Number(field("layer").value)] ?? layers[0];
  field("unit").max = layer.units - 1;
  if (Number(field("unit").value) > layer.units - 1) field("unit").value = layer.units - 1;
  const chosen = field("color").value;
  for (const option of [...field("color").options].slice(2)) option.remove();
  for (const gate of layer.gates) field("color").append(new Option(`the ${gate} gate of a unit`, gate));
  field("color").value = chosen;
  if (field("color").selectedIndex < 0) field("color").value = defaults.color;
}

// Returns the command that generates the same text; RUN is the folder that the server was started with.
function showCommand() {
  const options = writingTable.filter((row) => textNames.includes(row.name) && row.name !== "prompt" && value(row.name) !== "");
  field("command").textContent =
    `unroll generate RUN --prompt '${field("prompt").value.replaceAll("'", "'\\''")}'` +
    options.map((row) => ` --${row.query} ${value(row.name)}`).join("");
}

function saveSettings() {
  writeAddress(Object.fromEntries(names.map((name) => [name, field(name).value])), defaults);
  showCommand();
}

field("layer").addEventListener("input", () => { if (field("layer").checkValidity()) fitLayer(); });
for (const name of names) {
  for (const event of ["input", "change"]) field(name).addEventListener(event, saveSettings);
}

// MARK: Text

// Blue for high, orange for negative values; text stays readable on both.
function paint(span, symbol) {
  const shown = field("color").value === "probability" ? symbol.probability : symbol.value;
  if (shown === undefined || shown === null) return;
  const size = Math.min(1, Math.abs(shown)) * 0.45;
  span.style.backgroundColor = shown < 0 ? `rgba(213, 94, 0, ${size})` : `rgba(0, 114, 178, ${size})`;
}

function showCandidates(symbol) {
  const unit = symbol.value === undefined || symbol.value === null ? "" : `; unit ${symbol.value.toFixed(3)}`;
  const own = symbol.probability === undefined || symbol.probability === null ? "first symbol" : `probability ${symbol.probability.toPrecision(3)}`;
  const others = symbol.candidates.map((c) => `${JSON.stringify(c.text)} ${(100 * c.probability).toFixed(1)} %`).join(", ");
  field("candidates").textContent = `${JSON.stringify(symbol.text)}: ${own}${unit}. Candidates: ${others || "none"}`;
}

function append(symbol) {
  const span = document.createElement("span");
  span.textContent = symbol.text;
  if (symbol.isPrompt) span.className = "prompt";
  span.tabIndex = symbols.length === 0 ? 0 : -1;
  paint(span, symbol);
  span.addEventListener("mouseenter", () => showCandidates(symbol));
  span.addEventListener("focus", () => showCandidates(symbol));
  symbols.push(symbol);
  field("text").append(span);
}

field("text").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const next = step === 1 ? document.activeElement.nextSibling : step === -1 ? document.activeElement.previousSibling : null;
  if (!next?.focus) return;
  document.activeElement.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
  event.preventDefault();
});

function stop() {
  source?.close();
  source = undefined;
  field("text").dataset.done = "true";
}

function write() {
  stop();
  symbols = [];
  field("text").replaceChildren();
  field("text").dataset.done = "false";
  const query = { prompt: field("prompt").value };
  for (const row of writingTable) {
    if (textNames.includes(row.name) && value(row.name) !== "") query[row.query] = value(row.name);
  }
  const color = field("color").value;
  if (color !== "probability") Object.assign(query, { layer: value("layer"), unit: value("unit") });
  if (!["probability", "state"].includes(color)) query.gate = color;
  const say = (sentence) => { field("candidates").textContent = sentence; };
  const mine = streamText(query, {
    symbol: append,
    note: say,
    end: (sentence) => {
      if (sentence) say(sentence);
      if (source === mine) stop();
    },
  });
  source = mine;
}

field("stop").addEventListener("click", stop);
field("color").addEventListener("change", () => field("writing").requestSubmit());
field("writing").addEventListener("submit", (event) => {
  event.preventDefault();
  write();
});

// MARK: Learning curves

let epochs = 0;

async function showCurves() {
  // A run without a completed epoch has no curves.
  const answer = await askCurves(narrow.matches).catch(() => undefined);
  if (!answer || answer.epochs === epochs) return;
  epochs = answer.epochs;
  const image = field("curves").querySelector("img") ?? document.createElement("img");
  image.alt = `Learning curves of the run, ${epochs} epochs: loss and learning rate against the step.`;
  if (!image.parentNode) {
    const caption = document.createElement("figcaption");
    for (const type of ["svg", "png", "pdf", "csv", "npz"]) {
      const link = document.createElement("a");
      link.textContent = type;
      link.href = fileAddress("curves", type);
      link.setAttribute("aria-label", `learning curves as ${type}`);
      caption.append(link, " ");
    }
    field("curves").append(image, caption);
  }
  await loadPicture(image, answer.source).catch(() => {});
}

try {
  fill(await askModel());
  showCurves();
  setInterval(showCurves, 2000);
} catch (error) {
  // A server without a model is not an error; the page explains how to start one.
  if (error.status !== 404) field("model-words").textContent = error.message;
}
