// The buttons under the controls: lessons that the server computes, and settings that show something.

import { field } from "./dom.js";
import { note, notes } from "./messages.js";
import { changed, newest } from "./redraw.js";
import { defaults, query, set, state } from "./settings.js";

function show(answer) {
  field("lesson").textContent = answer.sentence;
  field("lesson").dataset.numbers = JSON.stringify(answer.numbers ?? {});
}

// Asks for a lesson; undefined if it was refused, or if a setting has changed since.
async function lesson(name) {
  const asked = newest();
  field("lesson").textContent = "";
  const response = await fetch(`/api/lesson/${name}?${query("lesson")}`);
  const answer = response.ok ? await response.json() : { sentence: await response.text() };
  if (asked !== newest()) return;
  show(answer);
  return response.ok ? answer : undefined;
}

export function listenToLessons() {
  field("as-rnn").addEventListener("click", () => lesson("gru-as-rnn"));
  field("check").addEventListener("click", () => lesson("gradient-check"));
  field("remember").addEventListener("click", async () => {
    const answer = await lesson("remember");
    if (!answer) return;
    if (!state.cell.startsWith("gru")) state.cell = "gru";
    Object.assign(state, { "keep-bias": String(answer.numbers.bias), chrono: "", "gate-bias": "0", draws: "" });
    changed(answer.sentence);
    show(answer);
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
}
