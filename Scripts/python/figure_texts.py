"""Measures every text of figures in a real browser: figure_texts.py FOLDER [WIDTH HEIGHT FOLDER FOR SCREENSHOTS].

Opens every SVG of a folder and checks that each text lies within the picture and that no two texts
overlap; looks whether any PNG has ink at its border, where clipped text would be. Prints one line per fault and
a summary; exits with 1 if there is a fault. Other scripts import `browser` and `faults`.
"""

import base64
import sys
from pathlib import Path

from selenium import webdriver


def browser(width=1280, height=900, dark=False):
    options = webdriver.ChromeOptions()
    for argument in ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars",
                     "--force-device-scale-factor=1", "--allow-file-access-from-files", f"--window-size={width},{height}"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    resize(driver, width, height, dark)
    return driver


def resize(driver, width, height, dark=False):
    # A phone's width is below what a window may have.
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride",
                           {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600})
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]})


# Boxes of texts in the picture's own units. A box is as high as the font says, which is more than its ink:
# boxes may touch, by a pixel.
MEASURE = """
const [source, slack] = arguments;
const holder = document.createElement("div");
holder.style.cssText = "position:absolute;left:0;top:0";
holder.innerHTML = source.slice(source.indexOf("<svg"));
document.body.append(holder);
const svg = holder.querySelector("svg");
const view = svg.viewBox.baseVal;
const back = svg.getScreenCTM().inverse();
const boxes = [];
for (const text of svg.querySelectorAll("text")) {
  if (!text.textContent.trim()) continue;
  const box = text.getBBox();
  const matrix = back.multiply(text.getScreenCTM());
  const corners = [[box.x, box.y], [box.x + box.width, box.y], [box.x, box.y + box.height],
    [box.x + box.width, box.y + box.height]].map(([x, y]) => new DOMPoint(x, y).matrixTransform(matrix));
  const [xs, ys] = [corners.map((p) => p.x), corners.map((p) => p.y)];
  boxes.push({ text: text.textContent.trim(), left: Math.min(...xs), right: Math.max(...xs),
    top: Math.min(...ys), bottom: Math.max(...ys) });
}
const faults = [];
const place = (b) => `${b.left.toFixed(0)}...${b.right.toFixed(0)} x ${b.top.toFixed(0)}...${b.bottom.toFixed(0)}`;
for (const [index, a] of boxes.entries()) {
  if (a.left < view.x - slack || a.top < view.y - slack || a.right > view.x + view.width + slack
      || a.bottom > view.y + view.height + slack)
    faults.push(`'${a.text}' at ${place(a)} is clipped by the picture of ${view.width} x ${view.height}`);
  for (const b of boxes.slice(index + 1)) {
    if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > slack
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > slack)
      faults.push(`'${a.text}' at ${place(a)} overlaps '${b.text}' at ${place(b)}`);
  }
}
holder.remove();
return [boxes.length, faults];
"""

# Whether a picture has ink within some pixels of its border.
BORDER = """
const [data, margin, done] = arguments;
const image = new Image();
image.onload = () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d");
  context.drawImage(image, 0, 0);
  const { width, height } = image;
  const ink = [[0, 0, width, margin], [0, height - margin, width, margin], [0, 0, margin, height],
    [width - margin, 0, margin, height]].map((box) =>
    context.getImageData(...box).data.some((value, index) => index % 4 < 3 && value < 128));
  done(["top", "bottom", "left", "right"].filter((_, index) => ink[index]));
};
image.onerror = () => done(["unreadable"]);
image.src = "data:image/png;base64," + data;
"""


def faults(driver, source, slack=1.0):
    """How many texts a figure has, and what is wrong with them."""
    return driver.execute_script(MEASURE, source, slack)


def border_faults(driver, png):
    return driver.execute_async_script(BORDER, base64.b64encode(png).decode(), 3)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    driver = browser()
    driver.get("data:text/html,<meta charset=utf-8><title>figures</title><body style='margin:0'>")
    bad = count = texts = 0
    for path in sorted(folder.glob("*.svg")):
        number, found = faults(driver, path.read_text())
        count, texts, bad = count + 1, texts + number, bad + len(found)
        for fault in found:
            print(f"FAILS: {path.name}: {fault}")
    for path in sorted(folder.glob("*.png")):
        for side in border_faults(driver, path.read_bytes()):
            bad += 1
            print(f"FAILS: {path.name}: ink at the {side} border")
    driver.quit()
    print(f"{texts} texts in {count} figures: {bad} faults")
    sys.exit(1 if bad or not texts else 0)
