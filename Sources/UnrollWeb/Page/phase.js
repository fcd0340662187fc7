// The phase diagram: a click chooses the scale of the weights, and a mark shows the present one.

import { figureOf, linkFiles } from "./figures.js";
import { state } from "./settings.js";

// The panels: left, right, top and bottom as shares of the picture, and log2 of the scales at bottom and top.
let areas = [];

// Lays the panels over the picture.
//
// choose: called with the scale where somebody clicks, as text.
export function overlay(panels, choose) {
  areas = panels;
  const picture = figureOf("phase").querySelector(".picture");
  for (const old of picture.querySelectorAll(".clickable, .mark")) old.remove();
  for (const [left, right, top, bottom, low, high] of panels) {
    const panel = document.createElement("div");
    panel.className = "clickable";
    Object.assign(panel.style, {
      left: 100 * left + "%", width: 100 * (right - left) + "%", top: 100 * top + "%",
      height: 100 * (bottom - top) + "%",
    });
    panel.addEventListener("click", (event) => {
      const box = panel.getBoundingClientRect();
      const share = (event.clientY - box.top) / box.height;
      choose(String(Number((2 ** (high - share * (high - low))).toPrecision(4))));
    });
    const mark = document.createElement("div");
    mark.className = "mark";
    picture.append(panel, mark);
  }
  placeMarks();
}

// Moves the marks to the present scale.
export function placeMarks() {
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

// Removes the panels with their picture.
export function forgetPanels() { areas = []; }
