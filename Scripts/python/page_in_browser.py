"""The real page in a headless browser: page_in_browser.py ADDRESS UNROLL [FOLDER FOR SCREENSHOTS [RUN]].

Drags, presses, follows links, reads data and holds it against the command line, and looks whether names,
roles and contrast are there. Prints a line for each thing that holds; exits with 1 at the first that does not.
"""

import json
import re
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from figure_texts import browser, resize

address, unroll = sys.argv[1:3]
folder = Path(sys.argv[3]) if len(sys.argv) > 3 else None
run = sys.argv[4] if len(sys.argv) > 4 else ""


def holds(what, condition, detail=""):
    print(("holds: " if condition else "FAILS: ") + what + (f" ({detail})" if detail else ""), flush=True)
    if not condition:
        sys.exit(1)


def wait(driver, what, condition, seconds=20):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return
        time.sleep(0.05)
    holds(what, False, driver.find_element(By.ID, "problem").text)


# Notes what the page says of each redraw; the page itself has nothing for tests.
WATCH = """
if (!window.redraws) {
  window.redraws = [];
  const place = document.getElementById("timing");
  new MutationObserver(() => window.redraws.push(Number(place.textContent.match(/\\d+/)[0])))
    .observe(place, { childList: true });
}
"""


def redraws(driver):
    return driver.execute_script(WATCH + "return window.redraws.length")


def settled(driver):
    return driver.execute_script(WATCH + "return document.getElementById('results').ariaBusy === 'false'")


def after(driver, action, what, settles=True):
    """Does something, and waits until what is in sight is redrawn, and then the rest."""
    before = redraws(driver)
    action()
    wait(driver, what, lambda: redraws(driver) > before)
    if settles:
        wait(driver, what + ", all of it", lambda: settled(driver))


def number(driver, name):
    # In one go: the list may be made anew between two calls.
    return driver.execute_script("return document.querySelector(arguments[0])?.textContent", f"[data-number='{name}']")


def drag(driver, values, field="scale"):
    """Moves a slider as a hand does: an input event for each place."""
    return driver.execute_script("""
      const [id, values] = arguments, slider = document.getElementById(id);
      for (const value of values) { slider.value = value; slider.dispatchEvent(new Event("input")); }
    """, field, values)


def screenshot(driver, name):
    if folder:
        height = driver.execute_script("return document.documentElement.scrollHeight")
        width = driver.execute_script("return window.innerWidth")
        resize(driver, width, min(height, 6000), driver.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches"))
        time.sleep(0.3)
        driver.save_screenshot(str(folder / f"{name}.png"))


driver = browser()
driver.get(address)
wait(driver, "the page computes", lambda: settled(driver))
pictures = "return [...document.querySelectorAll('figure[data-part] img')].map(i => [i.closest('figure').dataset.part, i.naturalWidth, i.alt])"
wait(driver, "the phase diagram comes", lambda: [width > 100 for _, width, _ in driver.execute_script(pictures)] == 4 * [True])
shown = driver.execute_script(pictures)
holds("every figure is drawn and has a text", all(width > 100 and alt for _, width, alt in shown),
      ", ".join(part for part, _, _ in shown))

# A drag, and how long a redraw takes.
before = number(driver, "memory.medians")
after(driver, lambda: drag(driver, [1.1, 1.2, 1.3, 1.4, 1.5]), "a drag redraws")
wait(driver, "the drag's last place is shown", lambda: "scale=2.828" in driver.current_url)
holds("a drag changes the numbers", number(driver, "memory.medians") != before)
holds("older questions of a drag are ended", redraws(driver) < 6, f"{redraws(driver)} redraws")
driver.execute_script("window.redraws.length = 0")
for index in range(40):
    after(driver, lambda: drag(driver, [1 + index / 50]), "a step of the slider redraws", settles=False)
times = driver.execute_script("return window.redraws")
print(f"figure: a redraw at the notebook's size takes {statistics.median(times):.0f} ms (median of {len(times)}, "
      f"largest {max(times):.0f})")

# The keyboard.
slider = driver.find_element(By.ID, "scale")
after(driver, lambda: slider.send_keys(Keys.ARROW_RIGHT), "an arrow key moves the slider")
holds("the keyboard moves the slider", True)

# The figure's data against the command line.
command = driver.find_element(By.CSS_SELECTOR, "figure[data-part='memory'] code").text
answer = json.loads(subprocess.run([unroll] + command.split()[1:] + ["--json"], check=True,
                                   capture_output=True, text=True).stdout)
link = driver.find_element(By.CSS_SELECTOR, "figure[data-part='memory'] a[data-type='csv']").get_attribute("href")
table = urllib.request.urlopen(link).read().decode().splitlines()
names, rows = table[0].split(","), [line.split(",") for line in table[1:]]
for index, histogram in enumerate(answer["distances"][0]["histograms"]):
    counts = [int(float(row[names.index(f"count_{index + 1}")])) for row in rows]
    edges = [float(row[names.index(f"low_{index + 1}")]) for row in rows]
    holds(f"histogram {index + 1} is the command line's", counts == histogram["counts"] and edges == histogram["edges"][:-1])
for kind in ["svg", "png", "pdf", "npz"]:
    link = driver.find_element(By.CSS_SELECTOR, f"figure[data-part='flow'] a[data-type='{kind}']").get_attribute("href")
    holds(f"the figure comes as {kind}", len(urllib.request.urlopen(link).read()) > 500)

# The phase diagram stays when only the step or the scale changes.
diagrams = "return performance.getEntriesByType('resource').filter((e) => e.name.includes('/figure/phase.svg?')).length"
count = driver.execute_script(diagrams)
source = driver.execute_script("return document.querySelector(\"figure[data-part='phase'] img\").src")
after(driver, lambda: drag(driver, [25], "step"), "another step redraws")
after(driver, lambda: drag(driver, [1.7]), "another scale redraws")
time.sleep(0.5)
holds("a change of step or scale leaves the phase diagram", driver.execute_script(diagrams) == count > 0
      and driver.execute_script("return document.querySelector(\"figure[data-part='phase'] img\").src") == source, f"{count} pictures")
after(driver, lambda: drag(driver, [20], "step"), "the step is as it was")

# The phase diagram is clicked.
area = driver.find_element(By.CSS_SELECTOR, ".clickable")
driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", area)
old = driver.current_url
after(driver, area.click, "a click into the phase diagram redraws")
holds("a click into the phase diagram sets the scale", driver.current_url != old, number(driver, "memory.medians"))
screenshot(driver, "page-rnn")

# A part that is refused keeps nothing of other settings.
PUT = "const f = document.getElementById(arguments[0]); f.value = arguments[1]; f.dispatchEvent(new Event('input', {bubbles: true}));"
spectra = "return [document.querySelectorAll(\"[data-number^='spectrum.']\").length, document.querySelectorAll(\"figure[data-part='spectrum'] img\").length]"
driver.execute_script(PUT, "cell", "lstm")
driver.execute_script(PUT, "hidden", "64")
wait(driver, "a refused part says so", lambda: "spectrum" in driver.find_element(By.ID, "problem").text)
wait(driver, "its numbers and figure are gone", lambda: driver.execute_script(spectra) == [0, 0])
driver.execute_script(PUT, "hidden", "8")
wait(driver, "it comes back", lambda: min(driver.execute_script(spectra)) > 0)
wait(driver, "nothing is refused any more", lambda: driver.find_element(By.ID, "problem").text == "")
driver.execute_script(PUT, "cell", "rnn")
# A number is typed digit by digit; the step that was asked for stays.
wanted = driver.execute_script("return document.getElementById('step').value")
for text in ["1", "10", "100"]:
    driver.execute_script(PUT, "time", text)
holds("typing a number of steps leaves t as it is",
      driver.execute_script("return document.getElementById('step').value") == wanted and "time=100" in driver.current_url)
after(driver, lambda: driver.execute_script(PUT, "time", "50"), "the page settles")


# What cannot be used is told beside its field, and everything else stays.
def note(driver, name):
    return driver.execute_script("return document.getElementById(arguments[0] + '-note')?.textContent ?? ''", name)


def put(name, value):
    driver.execute_script(PUT, name, value)


shown_figures = "return [...document.querySelectorAll('figure[data-part] img')].length"
count, old = driver.execute_script(shown_figures), driver.current_url
for name, value, sentence in [
        ("hidden", "65", "expected a whole number in 1 ... 64, found '65'; the figures show 8"),
        ("seed", "-5", "expected a whole number in 0 ... 4,294,967,295, found '-5'"),
        ("time", "1", "expected a whole number in 2 ... 1,000, found '1'; the figures show 50"),
        ("batch", "2.5", "expected a whole number in 1 ... 1,000, found '2.5'")]:
    put(name, value)
    holds(f"{name} {value} is told beside its field", note(driver, name).startswith(sentence), note(driver, name))
time.sleep(0.5)
holds("a bad number changes nothing else", driver.execute_script(shown_figures) == count and driver.current_url == old
      and driver.find_element(By.ID, "problem").text == "")
for name, value in [("hidden", "8"), ("seed", "15009"), ("time", "50"), ("batch", "100")]:
    put(name, value)
    holds(f"a good {name} takes the message away", note(driver, name) == "")
put("time", "1000")
put("batch", "1000")
put("hidden", "64")
holds("too much together is told beside the last field", "T × B × H × (H + 5) of at most 100 million, found 441,600,000" in note(driver, "hidden"),
      note(driver, "hidden"))
holds("what has room is taken", "time=1000" in driver.current_url and "hidden" not in driver.current_url and "batch" not in driver.current_url, driver.current_url)
put("batch", "1")
holds("what has room now is taken, too", "hidden=64" in driver.current_url and note(driver, "hidden") == "", driver.current_url)
for name, value in [("hidden", "8"), ("batch", "100"), ("step", "40")]:
    put(name, value)
after(driver, lambda: put("time", "10"), "fewer steps")
holds("a step beyond the last is told", note(driver, "step") == "step 40 is beyond the last step of T = 10; the figures show step 9",
      note(driver, "step"))
after(driver, lambda: put("time", "50"), "more steps again")
holds("then the step is as it was", note(driver, "step") == "" and driver.find_element(By.ID, "step-value").text == "40")
after(driver, lambda: put("step", "20"), "the page settles")

# The buttons.
driver.set_window_size(1280, 900)
after(driver, lambda: driver.find_element(By.ID, "remember").click(), "remember redraws")
lesson = driver.find_element(By.ID, "lesson")
numbers = json.loads(lesson.get_attribute("data-numbers"))
holds("a GRU that remembers does not drift", numbers["drift"] == 0 and "keep-bias=18" in driver.current_url, lesson.text)
driver.find_element(By.ID, "as-rnn").click()
wait(driver, "the GRU becomes the RNN", lambda: "residual" in lesson.text)
holds("the GRU that is the RNN has no residual", json.loads(lesson.get_attribute("data-numbers"))["residual"] == 0)
driver.find_element(By.ID, "check").click()
wait(driver, "the gradients are checked", lambda: "worst error" in lesson.text)
holds("the worst gradient error is small", json.loads(lesson.get_attribute("data-numbers"))["worst_error"] < 1e-7, lesson.text)
after(driver, lambda: driver.find_element(By.ID, "remember").click(), "remember redraws again")
holds("a lesson's numbers have three digits", "steps" in lesson.text and not re.search(r"\d\.\d{4}", lesson.text), lesson.text)
after(driver, lambda: driver.find_element(By.ID, "chrono").click(), "chrono redraws")
holds("what was said of other settings is gone", lesson.text == "" and not lesson.get_attribute("data-numbers"), lesson.text)
holds("chrono initialisation is in the address", "chrono=50" in driver.current_url)
after(driver, lambda: driver.find_element(By.ID, "orthogonal").click(), "orthogonal redraws")
holds("a button says that it is pressed", driver.find_element(By.ID, "orthogonal").get_attribute("aria-pressed") == "true")
screenshot(driver, "page-gru")

# The notebook's settings, with its own random numbers where the server has them.
shared = driver.current_url
try:
    urllib.request.urlopen(address.rstrip("/") + "/api/lab?parts=memory&batch=2&draws=notebook")
    after(driver, lambda: driver.find_element(By.ID, "reset").click(), "the notebook's settings redraw")
    commands = driver.execute_script("return ['memory', 'flow'].map(p => document.querySelector(`figure[data-part='${p}'] code`).textContent)")
    holds("the notebook's settings draw as the notebook does", all("--draws notebook" in c for c in commands)
          and "--scale 2.0 --steps 20" in commands[0] and "--scale 1.0 --steps 30" in commands[1], "; ".join(commands))
    # TensorFlow's numbers: mean distances at step 20, and gradients at a state of zero.
    holds("the notebook's gradient is the notebook's", number(driver, "flow.gradient_median").startswith("7.91"), number(driver, "flow.gradient_median"))
    holds("what the button did is told", "scale 1 and step 30" in lesson.text, lesson.text)
    after(driver, lambda: drag(driver, [2.5]), "another scale")
    holds("other settings do not draw as the notebook does", "draws" not in driver.current_url and lesson.text == "", driver.current_url)
    driver.get(shared)
    wait(driver, "the page computes", lambda: settled(driver))
except urllib.error.HTTPError:
    print("skipped: this server does not know the notebook's draws")
link = driver.current_url
expected = number(driver, "spectrum.exponents")

# A shared link, with controls that a teacher hides.
other = browser(width=400, height=850, dark=True)
other.get(link + "&hide=seed,dtype,lessons")
wait(other, "the shared link computes", lambda: settled(other))
holds("a shared link shows the same numbers", number(other, "spectrum.exponents") == expected, expected)
holds("hidden controls are hidden", not other.find_element(By.ID, "seed").is_displayed()
      and not other.find_element(By.ID, "check").is_displayed() and other.find_element(By.ID, "scale").is_displayed())
odd = browser()
odd.get(address + "?hide=sed,scale&hidden=99&cell=grru&step=x&sclae=3&time=12&keep-bias=3")
wait(odd, "a page with an odd address computes", lambda: settled(odd))
problem = odd.find_element(By.ID, "problem").text
for sentence in ["hide: 'sed' is not a control of this page. Did you mean 'seed'?",
                 "The address has an unknown field 'sclae'. Did you mean 'scale'?",
                 "keep-bias in the address: expected a cell with gates; the RNN has none."]:
    holds("an odd address is told", sentence in problem, problem)
for name, sentence in [("hidden", "in the address: expected a whole number in 1 ... 64, found '99'; the figures show 8"),
                       ("cell", "in the address: expected rnn, gru, gru-after, lstm, mgu, janet, found 'grru'; the figures show rnn")]:
    holds("an odd value is told beside its field", note(odd, name) == sentence, note(odd, name))
holds("the rest of an odd address is used", odd.find_element(By.ID, "time").get_attribute("value") == "12"
      and not odd.find_element(By.ID, "scale").is_displayed())
odd.quit()
holds("a phone's width has no sideways scrolling",
      other.execute_script("return document.documentElement.scrollWidth <= window.innerWidth"))

AUDIT = """
const problems = [];
const visible = (e) => e.checkVisibility() && e.getClientRects().length;
const name = (e) => (e.getAttribute("aria-label") || (e.labels && [...e.labels].map(l => l.textContent).join(" "))
  || e.getAttribute("alt") || e.textContent || "").trim();
for (const e of document.querySelectorAll("input, select, textarea, button, a[href], img")) {
  if (visible(e) && !name(e)) problems.push("no name: " + e.outerHTML.slice(0, 80));
}
for (const e of document.querySelectorAll("[role]")) {
  if (!["status", "alert", "group"].includes(e.getAttribute("role"))) problems.push("role: " + e.getAttribute("role"));
}
if (document.querySelectorAll("h1").length !== 1 || !document.documentElement.lang || !document.title) problems.push("no heading, language or title");
if (!document.querySelector("main")) problems.push("no main");
const channel = (v) => { v /= 255; return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const color = (text) => text.match(/[\\d.]+/g).map(Number);
function ground(e) {
  let layers = [];
  for (; e; e = e.parentElement) {
    const c = color(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) layers.push(c);
    if (c.length < 4 || c[3] === 1) break;
  }
  let base = layers.length && layers[layers.length - 1].length === 3 ? layers.pop() : [255, 255, 255];
  for (const c of layers.reverse()) base = base.map((v, i) => v * (1 - c[3]) + c[i] * c[3]);
  return base;
}
let worst = 21;
for (const e of document.querySelectorAll("body *")) {
  const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || !visible(e) || e.disabled || e.tagName === "OPTION") continue;
  const [a, b] = [light(color(getComputedStyle(e).color)), light(ground(e))];
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  worst = Math.min(worst, ratio);
  if (ratio < 4.5) problems.push(`contrast ${ratio.toFixed(2)}: ${e.outerHTML.slice(0, 80)}`);
}
return [problems, worst];
"""
for title, page in [("light", driver), ("dark, phone", other)]:
    problems, worst = page.execute_script(AUDIT)
    holds(f"names, roles and contrast ({title})", not problems, "; ".join(problems) or f"worst contrast {worst:.1f}")
screenshot(other, "page-phone-dark")
other.quit()

# The language model, if the server has one.
driver.get(address)
wait(driver, "the page computes again", lambda: settled(driver))
time.sleep(0.5)
if driver.find_element(By.ID, "model-body").is_displayed():
    driver.find_element(By.ID, "length").clear()
    driver.find_element(By.ID, "length").send_keys("30")
    driver.find_element(By.ID, "write").click()
    text = driver.find_element(By.ID, "text")
    wait(driver, "text streams in", lambda: text.get_attribute("data-done") == "true")
    spans = text.find_elements(By.TAG_NAME, "span")
    holds("as many symbols come as were asked for", len(spans) == 31, text.text[:60].replace("\n", "/"))
    holds("symbols are coloured", spans[5].value_of_css_property("background-color") != "rgba(0, 0, 0, 0)")
    written = lambda: driver.execute_script("return arguments[0].textContent", text)
    first = written()
    driver.execute_script("arguments[0].focus()", spans[0])
    spans[0].send_keys(Keys.ARROW_RIGHT)
    candidates = driver.find_element(By.ID, "candidates")
    wait(driver, "candidates are told", lambda: "Candidates" in candidates.text)
    holds("the keyboard walks through the text", "probability" in candidates.text, candidates.text[:80])
    driver.find_element(By.CSS_SELECTOR, "#color option[value='state']").click()
    time.sleep(0.2)
    wait(driver, "the text comes again", lambda: text.get_attribute("data-done") == "true" and len(text.find_elements(By.TAG_NAME, "span")) == 31)
    holds("the same seed writes the same text", written() == first)
    wait(driver, "the learning curves are shown", lambda: driver.find_elements(By.CSS_SELECTOR, "#curves img"))
    holds("the text's settings are in the address", "length=30" in driver.current_url and "color=state" in driver.current_url, driver.current_url)
    command = driver.find_element(By.ID, "command").text.replace("RUN", run).split(" --prompt '' ")
    again = subprocess.run([unroll] + command[0].split()[1:] + ["--prompt", ""] + command[1].split(), check=True,
                           capture_output=True, text=True).stdout if run else ""
    holds("the command writes the same text", not run or again.strip() == first.strip(), again[:40].replace("\n", "/"))
    for kind in ["svg", "csv", "npz"]:
        link = driver.find_element(By.CSS_SELECTOR, f"#curves a[href$='{kind}']").get_attribute("href")
        holds(f"the learning curves come as {kind}", len(urllib.request.urlopen(link).read()) > 50)
    holds("the learning curves have a text", "epochs" in driver.find_element(By.CSS_SELECTOR, "#curves img").get_attribute("alt"))
    problems, worst = driver.execute_script(AUDIT)
    holds("names, roles and contrast (with text)", not problems, "; ".join(problems) or f"worst contrast {worst:.1f}")
    screenshot(driver, "page-model")
# But for the model of a server without one, the spectrum that was refused on purpose, and what is asked again.
expected = ["/api/model", "hidden=64", "status of 429"]
errors = [entry for entry in driver.get_log("browser")
          if entry["level"] == "SEVERE" and not any(word in entry["message"] for word in expected)]
holds("the browser has nothing to complain of", not errors, str(errors[:2]) if errors else "")
driver.quit()
