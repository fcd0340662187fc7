// Requests to the server. A rejected request becomes an error with the server's sentence; a busy server is asked again.

const pause = () => new Promise((resume) => setTimeout(resume, 300 + 700 * Math.random()));

async function request(path, signal) {
  for (;;) {
    const response = await fetch(path, { signal });
    if (response.ok) return response;
    if (response.status !== 429) throw Object.assign(new Error(await response.text()), { status: response.status });
    await pause();
    signal?.throwIfAborted();
  }
}

const ask = async (path, signal) => (await request(path, signal)).json();
const fields = (values) => new URLSearchParams(values).toString();

// Requests a part of the experiments: numbers, figures with their URLs, commands.
export const askPart = (part, query, isNarrow, signal) => ask(`/api/lab?${query}&parts=${part}${isNarrow ? "&narrow=1" : ""}`, signal);
export const askLesson = (name, query) => ask(`/api/lesson/${name}?${query}`);
// Returns the name closest to a misspelt one; null if there is none.
export const askNearest = async (typed, names) => (await ask(`/api/nearest?${fields({ typed, among: names.join(",") })}`)).nearest;
export const askModel = () => ask("/api/model");
export const askCurves = (isNarrow) => ask(`/api/curves${isNarrow ? "?narrow=1" : ""}`);
export const fileAddress = (name, type, query) => `/figure/${name}.${type}${query ? "?" + query : ""}`;

// Loads an image; does nothing if it is already shown.
export async function loadPicture(image, source) {
  for (let tries = 1; ; tries += 1) {
    if (image.getAttribute("src") !== source) image.src = source;
    try {
      return await image.decode();
    } catch (error) {
      // A newer image has replaced it.
      if (image.getAttribute("src") !== source || !image.isConnected) return;
      image.removeAttribute("src");
      // The error event of an image does not include the reason.
      await request(source);
      if (tries === 3) throw error;
    }
  }
}

// Streams a text. Calls the functions of `on` for each symbol, for a note, and at the end with the sentence of an
// error, if there was one.
//
// Returns: the stream, which the caller must close.
export function streamText(query, on) {
  const address = `/api/generate?${fields(query)}`;
  const source = new EventSource(address);
  let hasBegun = false;
  const end = (sentence) => {
    source.close();
    on.end(sentence);
  };
  source.addEventListener("message", (message) => {
    hasBegun = true;
    on.symbol(JSON.parse(message.data));
  });
  source.addEventListener("note", (message) => on.note(message.data));
  source.addEventListener("end", () => end());
  source.addEventListener("busy", (message) => end(message.data));
  source.addEventListener("error", async () => {
    end();
    if (hasBegun) return;
    // The error event of a stream does not include the reason.
    const response = await fetch(address);
    if (!response.ok) on.end(await response.text());
    else response.body?.cancel();
  });
  return source;
}
