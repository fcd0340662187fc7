// The controls of the experiments: they show the settings, and change them.

import { field } from "./dom.js";
import { note } from "./messages.js";
import { hasGates, problemOf, set, state, step } from "./settings.js";

const exact = (value) => String(Number(value));

let hasStepNote = false;

// Says so where the chosen step is beyond the last.
function noteStep() {
  const last = Number(state.time) - 1;
  const isBeyond = Number(state.step) > last;
  if (isBeyond || hasStepNote) {
    note("step", isBeyond ? `step ${state.step} is beyond the last step of T = ${state.time}; the figures show step ${last}` : "");
  }
  hasStepNote = isBeyond;
}

// Sets the controls to the settings; a field with a message keeps what was typed.
export function showSettings() {
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
  noteStep();
  field("gate-bias-value").textContent = state["keep-bias"] !== "" ? "keeps with " + state["keep-bias"] : state["gate-bias"];
  field("chrono").setAttribute("aria-pressed", String(state.chrono !== ""));
  field("orthogonal").setAttribute("aria-pressed", String(state.orthogonal !== ""));
  field("chrono").disabled = !hasGates();
  const why = hasGates() ? "" : "The RNN has no gates.";
  for (const name of ["chrono", "gate-bias"]) field(name).title = why;
}

// Sizes that were too large together may be accepted after another one changed.
function acceptOtherSizes(name) {
  for (const other of ["hidden", "time", "batch"]) {
    const typed = field(other).value;
    if (other === name || field(other).getAttribute("aria-invalid") !== "true" || problemOf(other, typed)) continue;
    field(other).removeAttribute("aria-invalid");
    note(other, "");
    set(other, typed);
  }
}

// Calls `changed` whenever a control changes a setting.
export function listenToControls(changed) {
  for (const name of ["cell", "hidden", "time", "batch", "seed", "dtype", "step", "gate-bias"]) {
    const take = (event) => {
      const value = event.target.value;
      // While somebody types, an empty field is not an error yet.
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
      acceptOtherSizes(name);
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
}
