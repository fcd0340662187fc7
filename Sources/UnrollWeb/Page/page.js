// The page of memory and gradients. The address holds the settings; every change asks the server.

import { readAddress } from "./address.js";
import { listenToControls } from "./controls.js";
import { field, narrow } from "./dom.js";
import { listenToLessons } from "./lessons.js";
import { changed } from "./redraw.js";

readAddress();
listenToControls(changed);
listenToLessons();
narrow.addEventListener("change", () => changed(field("lesson").textContent));
changed();
