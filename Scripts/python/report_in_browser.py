"""A report in a real browser: report_in_browser.py REPORT-FOLDER [FOLDER FOR SCREENSHOTS].

At a phone's width and at a desk's, light and dark: nothing is wider than the page, every text of every figure lies
within its picture, overlaps no other and is large enough to read. Prints a line for each thing that holds; exits
with 1 at the first that does not.
"""

import base64
import sys
import time
from pathlib import Path

from figure_texts import browser, faults, resize

report = Path(sys.argv[1]).resolve()
shots = Path(sys.argv[2]) if len(sys.argv) > 2 else None


def holds(what, condition, detail=""):
    print(("holds: " if condition else "FAILS: ") + what + (f" ({detail})" if detail else ""), flush=True)
    if not condition:
        sys.exit(1)


# What is wider than the page, but for what scrolls in a box of its own.
WIDE = """
const width = document.documentElement.clientWidth;
const scrolls = (e) => { for (; e; e = e.parentElement) if (["auto", "scroll"].includes(getComputedStyle(e).overflowX)) return true; };
return [...document.querySelectorAll("body *")].filter((e) => e.getBoundingClientRect().right > width + 0.5 && !scrolls(e))
  .slice(0, 5).map((e) => `${e.tagName} '${e.textContent.trim().slice(0, 40)}'`);
"""
# Each figure's picture as it is shown, and the factor by which it is shown smaller or larger.
PICTURES = """
return Promise.all([...document.querySelectorAll("figure img")].map(async (image) => {
  await image.decode();
  return [image.closest("figure").textContent.trim().slice(0, 60), image.currentSrc,
    image.getBoundingClientRect().width / image.naturalWidth, image.alt, getComputedStyle(image).filter];
}));
"""

driver = browser()
scratch = browser()
scratch.get("data:text/html,<meta charset=utf-8><body style='margin:0'>")
for width, height, dark in [(390, 844, False), (390, 844, True), (700, 900, False), (900, 900, False), (1400, 900, False),
                            (1400, 900, True)]:
    name = f"{width} px, {'dark' if dark else 'light'}"
    resize(driver, width, height, dark)
    driver.get(f"file://{report}/index.html")
    inner, page = driver.execute_script("return [window.innerWidth, document.documentElement.scrollWidth]")
    holds(f"nothing overflows the page at {name}", page <= inner == width,
          f"{page} px wide; {'; '.join(driver.execute_script(WIDE))}")
    holds(f"nothing is cut off at {name}", not driver.execute_script(WIDE), "; ".join(driver.execute_script(WIDE)))
    pictures = driver.execute_script(PICTURES)
    holds(f"every figure has a picture at {name}", pictures and all(alt for _, _, _, alt, _ in pictures), f"{len(pictures)}")
    smallest = min(scale for _, _, scale, _, _ in pictures)
    holds(f"the figures' letters are at least 9 px high at {name}", 13 * smallest >= 9, f"{13 * smallest:.1f} px")
    for caption, source, _, _, picture_filter in pictures:
        number, found = faults(scratch, base64.b64decode(source.split(",", 1)[1]).decode())
        holds(f"the texts of '{caption}' at {name}", number > 0 and not found, "; ".join(found) or f"{number} texts")
        holds("a figure is dark in the dark", not dark or "invert" in picture_filter)
    if shots:
        full = driver.execute_script("return document.documentElement.scrollHeight")
        for part in range(0, min(full, 24000), 6000):
            driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
                "width": width, "height": min(6000, full - part), "deviceScaleFactor": 1, "mobile": width < 600})
            driver.execute_script(f"window.scrollTo(0, {part})")
            time.sleep(0.3)
            driver.save_screenshot(str(shots / f"report-{width}-{'dark' if dark else 'light'}-{part // 6000}.png"))
if shots:
    pdf = driver.execute_cdp_cmd("Page.printToPDF", {"paperWidth": 8.27, "paperHeight": 11.69})
    (shots / "report.pdf").write_bytes(base64.b64decode(pdf["data"]))
driver.quit()
scratch.quit()
