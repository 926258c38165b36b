"""What the documentation promises: links and images that lead somewhere, paths that exist, commands that can be given.

    docs_test.py ROOT [--binary BUILD/moe-bench]

Looks at README.md, CONTRIBUTING.md, CHANGELOG.md, docs/ and the READMEs of kernels/ and experiments/. A page that tells
how to make files names them in a comment, <!-- paths to make: routers/position.cpp ... -->. Sweeps of experiments/ have
to be valid. Prints one line per violation,
FILE:LINE: what is wrong, and exits with 1 when there is any. Without a program, options of moe-bench are not looked for.
"""

import argparse
import json
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

PAGES = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/**/*.md", "kernels/README.md", "experiments/README.md",
         "results/README.md"]
JSON_BLOCK = re.compile(r"^ *```json\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
LONGEST_README = 120
LINK = re.compile(r"!?\[[^\]]*\]\(([^()\s]+)\)")
CODE = re.compile(r"`([^`]+)`")
PATH = re.compile(r"[\w.*-]+(/[\w.*-]+)*/?")
PLACEHOLDER = re.compile(r"[A-Z]{3,}")  # NAME, FOLDER, SPLIT.LANG
TO_MAKE = re.compile(r"<!-- paths to make: (.*?) -->", re.DOTALL)
ELSEWHERE = re.compile(r"[a-z]+:")  # https:, mailto:


class Page:
    """A Markdown file, its text without blocks of code, and these blocks."""

    def __init__(self, path, root):
        self.path, self.name = path, path.relative_to(root).as_posix()
        self.lines = path.read_text(encoding="utf-8").splitlines()
        self.to_make = {name for found in TO_MAKE.findall("\n".join(self.lines)) for name in found.split()}
        self.code = []  # (line number, line) inside fences
        prose, fence = [], False
        for number, line in enumerate(self.lines, 1):
            is_mark = line.lstrip().startswith("```")
            if fence and not is_mark:
                self.code.append((number, line))
            fence ^= is_mark
            prose.append("" if fence or is_mark or line.startswith("    ") and not line.strip().startswith(("-", "*")) else line)
        self.prose = "\n".join(prose)

    def line_of(self, offset):
        return self.prose.count("\n", 0, offset) + 1

    def anchors(self):
        """Of its headings, as GitHub makes them."""
        seen, anchors = {}, set()
        for line in self.prose.splitlines():
            heading = re.match(r"#{1,6} (.*)", line)
            if not heading:
                continue
            text = LINK.sub(lambda link: link.group().split("](")[0].lstrip("!["), heading.group(1))
            slug = re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")
            anchors.add(slug if slug not in seen else f"{slug}-{seen[slug]}")
            seen[slug] = seen.get(slug, 0) + 1
        return anchors


def check_links(page, pages):
    for found in LINK.finditer(page.prose):
        target, _, anchor = found.group(1).partition("#")
        if ELSEWHERE.match(found.group(1)):
            continue
        place = f"{page.name}:{page.line_of(found.start())}"
        path = (page.path.parent / target).resolve() if target else page.path
        if not path.exists():
            yield f"{place}: the link to {target} leads nowhere."
        elif anchor and path in pages and anchor not in pages[path].anchors():
            yield f"{place}: {target or 'this page'} has no heading #{anchor}."
        elif anchor and path not in pages and path.suffix == ".md":
            yield f"{place}: headings of {target} are not looked at; link to the page."


def is_ignored(root, path):
    """What git ignores is made by running something."""
    return subprocess.run(["git", "-C", root, "check-ignore", "-q", path], stderr=subprocess.DEVNULL).returncode == 0


def check_paths(page, root):
    here = page.path.parent
    for found in CODE.finditer(page.prose):
        text = found.group(1)
        if not PATH.fullmatch(text) or "/" not in text or PLACEHOLDER.search(text) and not (root / text).exists():
            continue
        first = text.split("/")[0]
        base = here if (here / first).is_dir() and not (root / text).exists() else root
        if first == ".." or not (base / first).is_dir() or first.startswith("build") or text in page.to_make:
            continue
        there = any(base.glob(text.rstrip("/"))) if "*" in text else (base / text).exists()
        if not there and not is_ignored(root, text):
            yield f"{page.name}:{page.line_of(found.start())}: there is no {text}."


def commands_of(page):
    """(line number, words) of every command in blocks of code, and of those in a line of text."""
    pieces = page.code + [(page.line_of(found.start()), found.group(1)) for found in CODE.finditer(page.prose)]
    for number, text in pieces:
        try:
            words = shlex.split(text, comments=True)
        except ValueError:  # no command: an apostrophe in a program's text
            continue
        command = []
        for word in [*words, ";"]:
            if word in ("&&", "||", "|", ";", "&", "<", ">"):
                if command:
                    yield number, command
                command = []
            elif command or not re.fullmatch(r"[A-Z_]+=\S*", word):  # CUDA_VISIBLE_DEVICES=0 before a command
                command.append(word)


class Program:
    """Subcommands and options of moe-bench, as it tells them."""

    def __init__(self, binary):
        self.binary = binary.resolve()
        self.options = {}
        listing = self.help_of().partition("Subcommands:")[2]
        self.subcommands = set(re.findall(r"^  ([a-z]+) ", listing, re.MULTILINE))

    def help_of(self, *subcommand):
        answer = subprocess.run([self.binary, *subcommand, "--help"], capture_output=True, text=True)
        if answer.returncode != 0:
            sys.exit(f"{self.binary} {' '.join(subcommand)} --help ended with {answer.returncode}.")
        return answer.stdout

    def options_of(self, subcommand):
        if subcommand not in self.options:
            self.options[subcommand] = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", self.help_of(subcommand)))
        return self.options[subcommand]


def check_program_call(words, program):
    subcommand = words[1] if len(words) > 1 else ""
    if subcommand.startswith("--") or not re.fullmatch(r"[a-z]+", subcommand):
        return
    if subcommand not in program.subcommands:
        yield f"moe-bench has no command {subcommand}."
        return
    for word in words[2:]:
        option = word.split("=")[0]
        if option.startswith("--") and option not in program.options_of(subcommand):
            yield f"moe-bench {subcommand} has no option {option}."


def check_tool_call(words, root):
    """Options are looked for in the script, and in the one that it starts."""
    tool = next(word for word in words if word.startswith("tools/"))
    if PLACEHOLDER.search(tool) or "*" in tool or tool == "tools/":
        return
    if not (root / tool).is_file():
        yield f"there is no {tool}."
        return
    scripts = [root / tool, root / (tool.replace("-", "_") + ".py")]
    text = "".join(script.read_text(encoding="utf-8") for script in scripts if script.is_file())
    for word in words[words.index(tool) + 1:]:
        option = word.split("=")[0]
        if option.startswith("--") and not option.startswith("--benchmark_") and option not in text:
            yield f"{tool} has no option {option}."


def check_commands(page, root, program, presets):
    for number, words in commands_of(page):
        if program and re.fullmatch(r"(build[\w-]*/)?moe-bench", words[0]):
            found = check_program_call(words, program)
        elif words[0].startswith("tools/") or re.search(r"python[\d.]*$", words[0]) and any(w.startswith("tools/") for w in words):
            found = check_tool_call(words, root)
        elif words[:2] == ["cmake", "--preset"]:
            found = [f"there is no preset {words[2]}."] if words[2] not in presets else []
        else:
            continue
        for violation in found:
            yield f"{page.name}:{number}: {violation}"


def check_sweeps(page, root, program):
    """Sweeps that a page shows, and claims, which are put into a sweep of ours."""
    whole = "\n".join(page.lines)
    for block in JSON_BLOCK.finditer(whole):
        text = block.group(1)
        if '"name"' not in text and '"claims"' not in text:
            continue
        where = f"{page.name}:{whole.count(chr(10), 0, block.start()) + 1}"
        try:
            shown = json.loads(text if text.lstrip().startswith("{") else "{" + text + "}")
        except ValueError as error:
            yield f"{where}: {error}"
            continue
        if "name" not in shown:
            shown = {**json.loads((root / "experiments/quickstart.json").read_text()), **shown}
        with tempfile.NamedTemporaryFile("w", suffix=".json") as sweep:
            json.dump(shown, sweep)
            sweep.flush()
            answer = subprocess.run([program.binary, "validate", sweep.name], capture_output=True, text=True, cwd=root)
        for line in answer.stderr.splitlines():
            if "data.root: no folder" not in line:
                yield f"{where}: {line.removeprefix(sweep.name + ': ')}"


def check_experiments(root, program):
    for sweep in sorted((root / "experiments").glob("*.json")):
        answer = subprocess.run([program.binary, "validate", sweep], capture_output=True, text=True, cwd=root)
        if answer.returncode != 0:
            yield f"{sweep.relative_to(root)}:1: validate ended with {answer.returncode}: {answer.stderr.strip()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path)
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    pages = {path.resolve(): Page(path, root) for pattern in PAGES for path in sorted(root.glob(pattern))}
    program = None
    if arguments.binary is not None and arguments.binary.exists():
        program = Program(arguments.binary)
    else:
        print("Commands of moe-bench were not checked: no program was given or built.")
    presets = {preset["name"] for preset in json.loads((root / "CMakePresets.json").read_text())["configurePresets"]}
    violations = []
    for page in pages.values():
        violations += [*check_links(page, pages), *check_paths(page, root), *check_commands(page, root, program, presets)]
    if program is not None:
        violations += check_experiments(root, program)
        for page in pages.values():
            violations += check_sweeps(page, root, program)
    readme = pages.get(root / "README.md")
    if readme is None:
        violations.append("README.md:1: is missing.")
    elif len(readme.lines) > LONGEST_README:
        violations.append(f"README.md:{LONGEST_README + 1}: {len(readme.lines)} lines; it is a door, and docs/ has the room.")
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
