// The figures, with links to their files and the command that draws the same.

import { query } from "./settings.js";

export function figureOf(part) { return document.querySelector(`figure[data-part="${part}"]`); }

// Points a figure's links at the files of the settings as they are now.
export function linkFiles(part) {
  for (const link of figureOf(part).querySelectorAll("a")) link.href = `/figure/${part}.${link.dataset.type}?${query(part)}`;
}

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
  picture.append(document.createElement("img"));
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

// Loads a picture; one that is there stays. A server that is busy is asked again.
async function load(image, source) {
  for (let tries = 0; ; tries += 1) {
    if (image.getAttribute("src") !== source) image.src = source;
    try {
      return await image.decode();
    } catch (error) {
      // A newer picture has taken its place.
      if (image.getAttribute("src") !== source || !image.isConnected) return;
      image.removeAttribute("src");
      const response = await fetch(source);
      if (response.status === 429) await new Promise((resume) => setTimeout(resume, 300 + 700 * Math.random()));
      else if (!response.ok) throw new Error(await response.text());
      else if (tries === 2) throw error;
    }
  }
}

// Shows a picture of the server, when it is decoded.
export async function draw(part, picture, command) {
  const figure = figureOf(part);
  if (!figure.firstChild) build(figure, part);
  const image = figure.querySelector("img");
  image.alt = `${picture.title}. ${picture.alternative}`;
  figure.querySelector("code").textContent = command;
  linkFiles(part);
  await load(image, picture.source);
}
