"""Every figure of the page in a real browser: page_figures.py ADDRESS [FOLDER FOR SCREENSHOTS].

Asks for every part with many settings, for a desk and for a phone, and measures every text of every figure; then
opens the page at several widths and looks whether anything overflows. Prints a line for each thing that holds; exits
with 1 if one does not.
"""

import itertools
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from figure_texts import browser, faults, resize

address = sys.argv[1].rstrip("/")
shots = Path(sys.argv[2]) if len(sys.argv) > 2 else None
bad = 0


def holds(what, condition, detail=""):
    global bad
    bad += not condition
    print(("holds: " if condition else "FAILS: ") + what + (f" ({detail})" if detail else ""), flush=True)


def figures(settings, parts, narrow):
    fields = dict(settings, parts=",".join(parts), **({"narrow": "1"} if narrow else {}))
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    for _ in range(50):
        try:
            pictures = json.load(urllib.request.urlopen(f"{address}/api/lab?{query}"))["figures"]
            return {name: urllib.request.urlopen(address + picture["source"]).read().decode()
                    for name, picture in pictures.items()}
        except urllib.error.HTTPError as error:
            if error.code == 413:
                return {}
            if error.code != 429:
                raise RuntimeError(f"{query}: {error.read().decode()}") from error
            time.sleep(0.2)


small = {"batch": 5, "time": 12, "step": 5}
changes = [
    {}, {"hidden": 1}, {"hidden": 2}, {"hidden": 64, "batch": 2}, {"time": 2, "step": 1, "batch": 1}, {"batch": 1},
    {"time": 1000, "step": 999, "batch": 1, "hidden": 4}, {"scale": 0}, {"scale": 0.001}, {"scale": 1000},
    {"scale": 1.2345678}, {"scale": 0, "hidden": 3, "batch": 2, "seed": 4294967295}, {"hidden": 1, "batch": 1, "time": 2, "step": 1},
    {"dtype": "float64"}, {"orthogonal": 1}, {"orthogonal": 100}, {"step": 0}, {"seed": 4294967295},
]
gated = [{"keep-bias": 18}, {"keep-bias": -1000}, {"gate-bias": -6}, {"gate-bias": 20}, {"chrono": 12}]
driver = browser()
driver.get("data:text/html,<meta charset=utf-8><body style='margin:0'>")
for cell in ["rnn", "gru", "gru-after", "lstm"]:
    texts = pictures = 0
    for index, (change, narrow) in enumerate(itertools.product(changes + (gated if cell != "rnn" else []), [False, True])):
        # Half of the settings for a phone, too.
        if narrow and index % 4 == 3:
            continue
        settings = {"cell": cell, **small, **change}
        # The phase diagram takes a second: a few of them.
        parts = ["memory", "flow", "spectrum", "gates"] + (["phase"] if change in ({}, {"batch": 1}) else [])
        for part in parts:
            for name, picture in figures(settings, [part], narrow).items():
                number, found = faults(driver, picture)
                pictures, texts = pictures + 1, texts + number
                if found or not number:
                    holds(f"{name} of {settings}, {'narrow' if narrow else 'wide'}", False, "; ".join(found[:4]) or "no text")
    holds(f"no text of a figure of the {cell} is clipped or overlapped", pictures > 50 and texts > 1000,
          f"{texts} texts in {pictures} figures")

WIDE = """
const width = document.documentElement.clientWidth;
const scrolls = (e) => { for (; e; e = e.parentElement) if (["auto", "scroll"].includes(getComputedStyle(e).overflowX)) return true; };
return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > width + 0.5 && !scrolls(e))
  .slice(0, 5).map((e) => `${e.tagName} '${e.textContent.trim().slice(0, 40)}'`);
"""
SCALES = """
return [...document.querySelectorAll("figure[data-part] img")].map((image) => image.getBoundingClientRect().width / image.naturalWidth);
"""
for width, height, dark, query in [(390, 844, False, "?cell=lstm"), (390, 844, True, "?cell=gru&keep-bias=18"), (320, 600, False, ""),
                                   (701, 900, False, ""), (900, 900, False, "?cell=gru"), (1100, 900, False, ""),
                                   (1400, 900, False, "?cell=lstm"), (1400, 900, True, "?hidden=64&cell=gru&time=20&batch=10")]:
    name = f"{width} px{', dark' if dark else ''} {query}"
    resize(driver, width, height, dark)
    driver.get(address + "/" + query)
    end = time.time() + 60
    while time.time() < end and not driver.execute_script("return document.getElementById('results').ariaBusy === 'false'"):
        time.sleep(0.1)
    time.sleep(0.5)
    page = driver.execute_script("return document.documentElement.scrollWidth")
    wide = driver.execute_script(WIDE)
    holds(f"nothing overflows the page at {name}", page <= width and not wide, f"{page} px wide; {'; '.join(wide)}")
    scales = driver.execute_script(SCALES)
    holds(f"the figures' letters are at least 9 px high at {name}", len(scales) >= 3 and 13 * min(scales) >= 9,
          f"{len(scales)} figures, {13 * min(scales or [0]):.1f} px")
    if shots:
        full = driver.execute_script("return document.documentElement.scrollHeight")
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": min(7000, full), "deviceScaleFactor": 1, "mobile": width < 600})
        time.sleep(0.5)
        driver.save_screenshot(str(shots / f"page-{width}-{'dark' if dark else 'light'}.png"))
driver.quit()
sys.exit(1 if bad else 0)
