// The address of the page holds the settings, so that a link shares them. The lab and the language model each have
// fields of their own in it.

import { field } from "./dom.js";
import { note, noteName, notes } from "./messages.js";
import { defaults, problemOf, state } from "./settings.js";

// The fields of the language model.
export const modelControls = ["prompt", "temperature", "top-k", "top-p", "text-seed", "length", "color", "layer", "unit"];

// Writes values into the address, except those that are the default; fields of other names stay as they are.
export function writeAddress(values, standard) {
  const fields = new URLSearchParams(location.search);
  for (const name of Object.keys(standard)) {
    if (values[name] !== standard[name]) fields.set(name, values[name]);
    else fields.delete(name);
  }
  history.replaceState(null, "", fields.size ? "?" + fields : location.pathname);
}

// Reads the settings of the experiments. A value that cannot be used gets a message; it is not dropped in silence.
function readSettings(address) {
  for (const name of Object.keys(defaults)) {
    if (!address.has(name)) continue;
    const problem = problemOf(name, address.get(name));
    if (!problem) state[name] = address.get(name);
    else if (field(name)) note(name, `in the address: ${problem}; the figures show ${defaults[name]}`);
    else notes.push(`${name} in the address: ${problem}.`);
  }
  if (state.cell !== "rnn") return;
  for (const name of ["keep-bias", "chrono", "gate-bias"]) {
    if (state[name] === defaults[name]) continue;
    notes.push(`${name} in the address: expected a cell with gates; the RNN has none.`);
    state[name] = defaults[name];
  }
}

// Hides the controls that the address lists under `hide`.
function hideControls(address) {
  const elements = [...document.querySelectorAll("[data-name]")];
  const names = elements.map((element) => element.dataset.name);
  for (const name of (address.get("hide") ?? "").split(",").map((part) => part.trim()).filter(Boolean)) {
    for (const element of elements) if (element.dataset.name === name) element.hidden = true;
    if (!names.includes(name)) {
      noteName(name, names, `hide: '${name}' is no control of this page.`, ` Its controls are ${names.join(", ")}.`);
    }
  }
}

// Reads the address when the page is loaded.
export function readAddress() {
  const address = new URLSearchParams(location.search);
  readSettings(address);
  for (const name of new Set(address.keys())) {
    const known = [...Object.keys(defaults), ...modelControls, "hide", "token"];
    if (!known.includes(name)) noteName(name, known, `The address has a field '${name}' that this page does not know.`);
  }
  hideControls(address);
}
