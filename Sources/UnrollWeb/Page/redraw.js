// Asks the server and draws what it answers. A newer question cancels an older one of the same part.

import { writeAddress } from "./address.js";
import { showSettings } from "./controls.js";
import { field, narrow } from "./dom.js";
import { draw, figureOf } from "./figures.js";
import { problems, tell } from "./messages.js";
import { list, numbers } from "./numbers.js";
import { forgetPanels, overlay, placeMarks } from "./phase.js";
import { defaults, hasGates, query, set, state } from "./settings.js";

// The tests read these: how long each redraw took, in milliseconds, and the question that is answered in full.
window.unrollRedraws = [];
window.unrollSettled = undefined;

const running = {};
let restTimer;
let question = 0;

// The number of the newest question.
export const newest = () => question;

// A part without an answer has neither numbers nor figure; those of other settings are removed.
function forget(part) {
  delete numbers[part];
  figureOf(part)?.replaceChildren();
  if (part === "phase") forgetPanels();
  list();
}

// Draws one part of an answer.
async function drawPart(part, page) {
  await draw(part, page.figures[part], page.commands[part]);
  if (part !== "phase") return;
  overlay(page.figures[part].areas, (scale) => {
    set("scale", scale);
    changed();
  });
}

// Asks for a part; false if it was cancelled or refused.
async function ask(part) {
  running[part]?.abort();
  const abort = (running[part] = new AbortController());
  try {
    const response = await fetch(`/api/lab?${query(part)}&parts=${part}${narrow.matches ? "&narrow=1" : ""}`, { signal: abort.signal });
    if (response.status === 429) {
      await new Promise((resume) => setTimeout(resume, 300 + 700 * Math.random()));
      return running[part] === abort && !abort.signal.aborted ? ask(part) : false;
    }
    if (!response.ok) {
      const sentence = await response.text();
      if (abort.signal.aborted) return false;
      throw new Error(sentence);
    }
    const page = await response.json();
    if (abort.signal.aborted) return false;
    delete problems[part];
    Object.assign(numbers, page.numbers);
    await Promise.all(Object.keys(page.figures).map((name) => drawPart(name, page)));
    tell();
    if (part !== "phase") list();
    return !abort.signal.aborted;
  } catch (error) {
    if (error.name !== "AbortError") {
      forget(part);
      problems[part] = error.message;
      tell();
    }
    return false;
  }
}

const parts = () => ["memory", "flow", "spectrum"].concat(hasGates() ? ["gates"] : []);

function isInSight(part) {
  const box = figureOf(part).getBoundingClientRect();
  return box.height > 0 && box.top < window.innerHeight && box.bottom > 0;
}

// Asks for the figures that are in sight at once, and for the others 150 ms after the last change.
//
// message: what the page says about these settings.
export async function changed(message = "") {
  const mine = ++question;
  // A message about other settings no longer holds.
  field("lesson").textContent = message;
  delete field("lesson").dataset.numbers;
  showSettings();
  writeAddress(state, defaults);
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
    // The server keeps diagrams: for settings that do not change one it names the picture that is there.
    await ask("phase");
  }, 150);
}
