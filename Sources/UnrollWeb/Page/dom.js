// Elements of the page.

export const field = (id) => document.getElementById(id);

// A narrow screen gets figures that are drawn for it.
export const narrow = matchMedia("(max-width: 700px)");
