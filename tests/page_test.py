"""The page of a report in a browser: whole without the network, no error, no scrolling sideways on a phone, tooltips by
pointer and by keyboard, A4 in print.

    page_test.py --binary BUILD/moe-bench ROOT
    page_test.py --page PAGE.html

Reports on a copy of results/quickstart-example. Without Chromium, or a Python that draws charts, it says so and ends with
77, which CTest calls skipped.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
PHONE = 390  # pixels; a headless window is at least 500 wide, so the page stands in a frame
BROWSERS = ["chromium", "chromium-browser", "google-chrome"]
A4 = (595, 842)  # points

# Stands at the end of a copy of the page and tells the frame around it what it found.
PROBE = """<script>addEventListener('load', () => {
  const tip = document.querySelector('.tip'), said = [];
  const all = query => [...document.querySelectorAll(query)];
  const mark = document.querySelector('.role-mark [aria-label]');
  const say = () => said.push(tip.hidden ? '' : tip.textContent);
  if (mark) {
    mark.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})); say();
    document.body.dispatchEvent(new MouseEvent('mouseover', {bubbles: true})); say();
    const chart = mark.closest('svg');
    chart.focus();
    chart.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true})); say();
    chart.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape', bubbles: true})); say();
  }
  parent.postMessage(JSON.stringify({
    width: document.documentElement.scrollWidth,
    figures: all('figure').length,
    drawn: all('figure svg').length,
    label: mark && mark.getAttribute('aria-label'),
    said: said,
    unreachable: all('table, figure svg').filter(part => !part.closest('[tabindex="0"]')).length,
    fetched: performance.getEntriesByType('resource').map(entry => entry.name),
  }), '*');
});</script>
"""
FRAME = """<!DOCTYPE html><title>nothing yet</title><script>
addEventListener('message', event => { document.title = event.data; });
</script><iframe src="probed.html" style="width: %dpx; height: 800px; border: 0"></iframe>""" % PHONE


def skip(reason):
    print(f"Skipped: {reason}")
    sys.exit(SKIPPED)


def find_browser():
    for name in BROWSERS:
        path = shutil.which(name)
        if path and subprocess.run([path, "--version"], capture_output=True).returncode == 0:
            return path
    return skip(f"there is none of {', '.join(BROWSERS)}.")


def browse(browser, folder, *arguments):
    """Runs a headless browser that finds no host, and returns what it writes."""
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    command = [browser, "--headless", "--disable-gpu", *sandbox, f"--user-data-dir={folder / 'profile'}",
               "--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", "--virtual-time-budget=5000", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    if done.returncode != 0:
        sys.exit(f"{browser} ended with {done.returncode}: {done.stderr[-2000:]}")
    return done


def check_source(text):
    """Nothing in the page makes a browser ask for another file."""
    for pattern in [r"\ssrc(?:set)?=", r"<link\b", r"@import", r"url\((?!#)", r"<(?:iframe|object|embed|form)\b", r"\bfetch\("]:
        found = re.search(pattern, text)
        if found:
            yield f"the page would fetch something: {text[found.start():found.start() + 60]!r}"
    for link in re.findall(r'href="(https?:[^"]*)"', re.sub(r"<a\b[^>]*>", "", text)):
        yield f"the page refers to {link}"


def check_on_a_phone(browser, page, folder):
    text = page.read_text(encoding="utf-8")
    (folder / "probed.html").write_text(text.replace("</body>", PROBE + "</body>"), encoding="utf-8")
    (folder / "frame.html").write_text(FRAME, encoding="utf-8")
    done = browse(browser, folder, "--dump-dom", (folder / "frame.html").as_uri())
    for line in done.stderr.splitlines():
        if "CONSOLE" in line:
            yield f"the console has: {line}"
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    try:
        found = json.loads(title.group(1).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">"))
    except (AttributeError, ValueError):
        yield f"the page did not answer: {done.stdout[:300]}"
        return
    print(f"{found['figures']} figures, {found['width']} pixels wide, tooltip: {found['label']}")
    if found["width"] > PHONE:
        yield f"at {PHONE} pixels the page is {found['width']} wide."
    if found["figures"] != found["drawn"] or found["figures"] == 0:
        yield f"of {found['figures']} figures {found['drawn']} have a drawing."
    if found["said"] != [found["label"], "", found["said"][2] if len(found["said"]) > 2 else None, ""]:
        yield f"the tooltip said {found['said']}, and the mark is {found['label']!r}."
    elif not found["said"][2]:
        yield "an arrow key shows no tooltip."
    if found["unreachable"]:
        yield f"{found['unreachable']} tables or charts are out of the keyboard's reach."
    if found["fetched"]:
        yield f"the page fetched {found['fetched']}."


def check_in_print(browser, page, folder):
    pdf = folder / "page.pdf"
    browse(browser, folder, f"--print-to-pdf={pdf}", "--no-pdf-header-footer", page.as_uri())
    content = pdf.read_bytes()
    boxes = re.findall(rb"/MediaBox\s*\[\s*0\s+0\s+([\d.]+)\s+([\d.]+)\s*\]", content)
    if not boxes or len(content) < 10000:
        yield f"the print is empty: {len(content)} bytes."
    for width, height in boxes:
        if abs(float(width) - A4[0]) > 1 or abs(float(height) - A4[1]) > 1:
            yield f"a printed page is {float(width)} by {float(height)} points, not A4."
            return


def make_page(binary, root, folder):
    results = folder / "results"
    shutil.copytree(root / "results/quickstart-example", results)
    shutil.rmtree(results / "report", ignore_errors=True)
    done = subprocess.run([binary.resolve(), "report", results], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"report ended with {done.returncode}: {done.stderr}")
    if "were not drawn" in done.stderr:
        skip(done.stderr.strip())
    return results / "report/index.html"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path, nargs="?", default=pathlib.Path("."))
    parser.add_argument("--binary", type=pathlib.Path)
    parser.add_argument("--page", type=pathlib.Path, help="look at this page instead of making one")
    arguments = parser.parse_args()
    browser = find_browser()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        page = arguments.page.resolve() if arguments.page else make_page(arguments.binary, arguments.root, folder)
        violations = [*check_source(page.read_text(encoding="utf-8")), *check_on_a_phone(browser, page, folder),
                      *check_in_print(browser, page, folder)]
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
