// Messages: one next to each field, and one line above the figures for what has no field.

import { field } from "./dom.js";

// Sets the message of a field, under its control; an empty text clears it.
export function note(name, text) {
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

// What is wrong with the address.
export const notes = [];
// What the server could not answer, by part.
export const problems = {};

// Writes both kinds above the figures.
export function tell() { field("problem").textContent = [...new Set([...notes, ...Object.values(problems)])].join(" "); }

// Adds a sentence about a name that is not known; the server finds the nearest name that is.
export async function noteName(name, names, sentence, otherwise = "") {
  const place = notes.push(sentence + otherwise) - 1;
  const response = await fetch(`/api/nearest?${new URLSearchParams({ typed: name, among: names.join(",") })}`);
  const nearest = response.ok && (await response.json()).nearest;
  if (!nearest || !notes.length) return;
  notes[place] = `${sentence} Did you mean '${nearest}'?`;
  tell();
}
