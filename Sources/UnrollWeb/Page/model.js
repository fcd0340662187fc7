// The page of the language model: text streams in, each symbol with what the model thought of it.

import { modelControls, writeAddress } from "./address.js";
import { field, narrow } from "./dom.js";

const defaults = {};
let layers = [];
let source;
let symbols = [];

function fill(model) {
  field("model-words").textContent =
    `${model.cell}, ${model.layers.map((l) => l.units).join(" + ")} units, ${model.parameters} parameters, ` +
    `vocabulary of ${model.vocabulary} (${model.unit})`;
  field("model-body").hidden = false;
  layers = model.layers;
  field("layer").max = layers.length - 1;
  // The controls are in the address, too. Defaults are the page's own: a browser may restore what was typed last.
  const address = new URLSearchParams(location.search);
  const dropped = [];
  for (const name of modelControls) {
    const control = field(name);
    defaults[name] = control.tagName === "SELECT" ? control.options[0].value : control.defaultValue;
    control.value = address.get(name) ?? defaults[name];
    if (name === "layer") fitLayer();
    const isTaken = control.tagName === "SELECT" ? control.selectedIndex >= 0 : control.checkValidity();
    if (isTaken) continue;
    dropped.push(`${name} in the address: '${address.get(name)}' cannot be used; ${defaults[name] || "nothing"} is.`);
    control.value = defaults[name];
  }
  fitLayer();
  if (dropped.length) field("candidates").textContent = dropped.join(" ");
  tellCommand();
}

// The units and gates of the layer that is chosen.
function fitLayer() {
  const layer = layers[Number(field("layer").value)] ?? layers[0];
  field("unit").max = layer.units - 1;
  if (Number(field("unit").value) > layer.units - 1) field("unit").value = layer.units - 1;
  const chosen = field("color").value;
  for (const option of [...field("color").options].slice(2)) option.remove();
  for (const gate of layer.gates) {
    const option = document.createElement("option");
    option.value = gate;
    option.textContent = `the ${gate} gate of a unit`;
    field("color").append(option);
  }
  field("color").value = chosen;
  if (field("color").selectedIndex < 0) field("color").value = "probability";
}

function remember() {
  writeAddress(Object.fromEntries(modelControls.map((name) => [name, field(name).value])), defaults);
  tellCommand();
}

// The command that writes the same text; RUN is the folder that the server was started with.
function tellCommand() {
  const quoted = `'${field("prompt").value.replaceAll("'", "'\\''")}'`;
  const topK = field("top-k").value ? ` --top-k ${field("top-k").value}` : "";
  field("command").textContent =
    `unroll generate RUN --prompt ${quoted} --temperature ${field("temperature").value || 1}${topK}` +
    ` --top-p ${field("top-p").value || 1} --seed ${field("text-seed").value || 0} --length ${field("length").value || 200}`;
}
field("layer").addEventListener("input", () => { if (field("layer").checkValidity()) fitLayer(); });
for (const name of modelControls) {
  for (const event of ["input", "change"]) field(name).addEventListener(event, remember);
}

// Blue for much, orange for below zero; the letters stay readable on both.
function paint(span, symbol) {
  const value = field("color").value === "probability" ? symbol.probability : symbol.value;
  if (value === undefined || value === null) return;
  const size = Math.min(1, Math.abs(value)) * 0.45;
  span.style.backgroundColor = value < 0 ? `rgba(213, 94, 0, ${size})` : `rgba(0, 114, 178, ${size})`;
}

function tell(symbol) {
  const value = symbol.value === undefined || symbol.value === null ? "" : `; unit ${symbol.value.toFixed(3)}`;
  const own = symbol.probability === undefined || symbol.probability === null ? "first symbol" : `probability ${symbol.probability.toPrecision(3)}`;
  const others = symbol.candidates.map((c) => `${JSON.stringify(c.text)} ${(100 * c.probability).toFixed(1)} %`).join(", ");
  field("candidates").textContent = `${JSON.stringify(symbol.text)}: ${own}${value}. Candidates: ${others || "none"}`;
}

function append(symbol) {
  const span = document.createElement("span");
  span.textContent = symbol.text;
  if (symbol.isPrompt) span.className = "prompt";
  span.tabIndex = symbols.length === 0 ? 0 : -1;
  paint(span, symbol);
  span.addEventListener("mouseenter", () => tell(symbol));
  span.addEventListener("focus", () => tell(symbol));
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

function end() {
  source?.close();
  source = undefined;
  field("text").dataset.done = "true";
}

field("stop").addEventListener("click", end);
field("color").addEventListener("change", () => field("writing").requestSubmit());
field("writing").addEventListener("submit", (event) => {
  event.preventDefault();
  end();
  symbols = [];
  field("text").replaceChildren();
  field("text").dataset.done = "false";
  const fields = new URLSearchParams({
    prompt: field("prompt").value, temperature: field("temperature").value || "1",
    "top-p": field("top-p").value || "1", seed: field("text-seed").value || "0",
    length: field("length").value || "200",
  });
  if (field("top-k").value) fields.set("top-k", field("top-k").value);
  const color = field("color").value;
  if (color !== "probability") {
    fields.set("layer", field("layer").value || "0");
    fields.set("unit", field("unit").value || "0");
    if (color !== "state") fields.set("gate", color);
  }
  source = new EventSource(`/api/generate?${fields}`);
  source.addEventListener("message", (message) => append(JSON.parse(message.data)));
  source.addEventListener("note", (message) => { field("candidates").textContent = message.data; });
  source.addEventListener("end", end);
  source.addEventListener("busy", (message) => {
    field("candidates").textContent = message.data;
    end();
  });
  source.addEventListener("error", async () => {
    const first = symbols.length === 0;
    end();
    if (!first) return;
    const response = await fetch(`/api/generate?${fields}`);
    if (!response.ok) field("candidates").textContent = await response.text();
    else response.body?.cancel();
  });
});

let epochs = 0;
async function curves() {
  const response = await fetch(`/api/curves${narrow.matches ? "?narrow=1" : ""}`);
  if (!response.ok) return;
  const answer = await response.json();
  if (answer.epochs === epochs) return;
  epochs = answer.epochs;
  const image = field("curves").querySelector("img") ?? document.createElement("img");
  image.alt = `Learning curves of the run, ${epochs} epochs: loss and learning rate against the step.`;
  image.src = answer.source;
  if (image.parentNode) return;
  const caption = document.createElement("figcaption");
  for (const type of ["svg", "png", "pdf", "csv", "npz"]) {
    const link = document.createElement("a");
    link.textContent = type;
    link.href = `/figure/curves.${type}`;
    link.setAttribute("aria-label", `learning curves as ${type}`);
    caption.append(link, " ");
  }
  field("curves").append(image, caption);
}

const response = await fetch("/api/model");
if (response.ok) {
  fill(await response.json());
  curves();
  setInterval(curves, 2000);
} else if (response.status !== 404) {
  field("model-words").textContent = await response.text();
}
