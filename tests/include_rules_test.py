"""What the layout of the sources promises: include direction, no circles, complete routers, files and folders of
readable size, no local paths.

    include_rules_test.py ROOT [--binary BUILD/moe-bench]

Prints one line per violation, FILE:LINE: what is wrong, and exits with 1 when there is any.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys

# Folder -> the folders it may include, besides itself. CMake links the libraries in the same order.
MAY_INCLUDE = {
    "core": [],
    "data": ["core"],
    "metrics": ["core"],
    "kernels": ["core"],
    "parallel": ["core"],
    "routers": ["kernels", "core"],
    "model": ["routers", "parallel", "kernels", "data", "core"],
    "training": ["model", "data", "metrics", "parallel", "kernels", "routers", "core"],
    "decoding": ["model", "data", "metrics", "parallel", "kernels", "routers", "core"],
    "harness": ["decoding", "training", "model", "routers", "parallel", "kernels", "metrics", "data", "core"],
    "fuzz": ["harness", "model", "metrics", "data", "core"],
    "bench": ["harness", "metrics", "decoding", "training", "model", "routers", "parallel", "kernels", "data", "core"],
    "tools": [],
}
# Folder -> its sub-folders in their order: each may include those before it. Files beside them, and sub-folders of the
# last kind, may include all.
SUB_FOLDERS = {
    "kernels": ["simd", "gemm cuda", "experts losses attention"],
    "harness": ["process", "cluster", "sweep", "results", "verdicts", "run", "report", "commands"],
}
MOST_FILES = 30  # directly in a folder
MAY_BE_LARGER = {"routers"}  # one file a router
# routers/NAME.cpp may use what all routers share, and no other router.
SHARED_BY_ROUTERS = {
    "balance_loss.h",
    "balanced_assignment.h",
    "capacity.h",
    "choices.h",
    "compat.h",
    "decoder_router.h",
    "entry.h",
    "expert_offsets.h",
    "extra_routers.inc",
    "gating.h",
    "inference.h",
    "option_files.h",
    "plan.h",
    "registry.h",
    "router.h",
    "routing_swap.h",
    "rules.h",
    "slots.h",
    "streams.h",
    "tasks.h",
    "token_choice.h",
    "tokens.h",
}
LONGEST_FILE = 400
EXCUSE = "Over 400 lines because"  # in the first five lines
INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"/]+)/([^"]+)"')
DEFINITION = re.compile(r"^RouterEntry (\w+)_router\(\)", re.MULTILINE)


def sources(root, folders, suffixes):
    for folder in folders:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in suffixes and path.is_file():
                yield path


def lines_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def check_includes(root):
    for path in sources(root, MAY_INCLUDE, {".h", ".cpp", ".cu", ".cuh"}):
        name = path.relative_to(root)
        folder = name.parts[0]
        for number, line in enumerate(lines_of(path), 1):
            found = INCLUDE.match(line)
            if not found:
                continue
            target, file = found.groups()
            if target == "tests":
                yield f"{name}:{number}: nothing but tests may include tests."
            elif target in MAY_INCLUDE and target not in [folder, *MAY_INCLUDE[folder]]:
                allowed = ", ".join(MAY_INCLUDE[folder]) or "nothing"
                yield f"{name}:{number}: {folder} may not include {target}/{file}; it may include {allowed}."
            elif target == "routers" and file not in SHARED_BY_ROUTERS:
                yield f"{name}:{number}: {file} is one router's own; routers are reached through the registry."


def rank_of(name):
    """Place of a source in the order of its folder's sub-folders, and the sub-folder; None where there is no order."""
    for rank, group in enumerate(SUB_FOLDERS.get(name.parts[0], [])):
        if len(name.parts) > 2 and name.parts[1] in group.split():
            return rank, name.parts[1]
    return None


def check_sub_folders(root):
    for path in sources(root, SUB_FOLDERS, {".h", ".cpp", ".cu", ".cuh"}):
        name = path.relative_to(root)
        own = rank_of(name)
        for number, line in enumerate(lines_of(path), 1):
            found = INCLUDE.match(line)
            if not found or found.group(1) != name.parts[0]:
                continue
            target = pathlib.PurePath(*found.groups())
            other = rank_of(target)
            if own and (other is None or other[1] != own[1] and other[0] >= own[0]):
                yield f"{name}:{number}: {'/'.join(name.parts[:2])} may not include {target}."


def check_circles(root):
    """NAME.h and NAME.cpp are one unit; units must not include each other, however far around."""
    includes = {}
    for path in sources(root, [folder for folder in MAY_INCLUDE if folder not in ("fuzz", "bench", "tools")], {".h", ".cpp"}):
        unit = str(path.relative_to(root).with_suffix(""))
        for line in lines_of(path):
            found = INCLUDE.match(line)
            target = found and "/".join(found.groups()).removesuffix(".h")
            if found and target != unit:
                includes.setdefault(unit, set()).add(target)
    done, trail = set(), []

    def visit(unit):
        if unit in trail:
            yield f"{unit}:1: includes itself by way of {' -> '.join([*trail[trail.index(unit):], unit])}."
        elif unit not in done:
            trail.append(unit)
            for target in sorted(includes.get(unit, ())):
                yield from visit(target)
            trail.pop()
            done.add(unit)

    for unit in sorted(includes):
        yield from visit(unit)


def check_folders(root):
    counts = {}
    for path in sources(root, MAY_INCLUDE, {".h", ".cpp", ".cu", ".cuh", ".py", ""}):
        folder = str(path.parent.relative_to(root))
        counts[folder] = counts.get(folder, 0) + (not folder.startswith("fuzz/corpus"))
    for folder, count in counts.items():
        if count > MOST_FILES and folder not in MAY_BE_LARGER:
            yield f"{folder}:1: {count} files directly in it; more than {MOST_FILES} ask for sub-folders."


def check_routers(root):
    registry = (root / "routers/registry.cpp").read_text(encoding="utf-8")
    listed = set(re.findall(r"\bROUTER\((\w+)\)", registry))
    for path in sources(root, ["routers"], {".cpp"}):
        text = path.read_text(encoding="utf-8")
        for found in DEFINITION.finditer(text):
            name, line = found.group(1), text.count("\n", 0, found.start()) + 1
            if name not in listed:
                yield f"routers/{path.name}:{line}: {name}_router() has no line ROUTER({name}) in registry.cpp."
        test = f"tests/routers/{path.stem}_test.cpp"
        if DEFINITION.search(text) and not (root / test).exists():
            yield f"routers/{path.name}:1: its test {test} is missing."


def check_readme(root, binary):
    if binary is None or not binary.exists():
        print(f"The README's table of routers was not checked: no program was given or built.")
        return
    answer = subprocess.run([binary.resolve(), "list", "routers", "--json"], capture_output=True, text=True)
    if answer.returncode != 0:
        yield f"{binary}:1: list routers --json ended with {answer.returncode}: {answer.stderr.strip()}"
        return
    names = [router["name"] for router in json.loads(answer.stdout)]
    registry = (root / "routers/registry.cpp").read_text()
    readme = root / "README.md"
    rows = [line for line in lines_of(readme) if line.startswith("|")] if readme.exists() else []
    for name in names:
        is_ours = f"ROUTER({name.replace('-', '_')})" in registry  # not of MOE_BENCH_EXTRA_ROUTERS
        if is_ours and not any(f"`{name}`" in row for row in rows):
            yield f"README.md:1: no row of a table names the router `{name}`."


def check_sizes(root):
    folders = [*MAY_INCLUDE, "tests"]
    for path in sources(root, folders, {".h", ".cpp", ".cu", ".cuh", ".py"}):
        lines = lines_of(path)
        if len(lines) > LONGEST_FILE and not any(EXCUSE in line for line in lines[:5]):
            yield f"{path.relative_to(root)}:{LONGEST_FILE + 1}: {len(lines)} lines; split it, or begin it with \"// {EXCUSE} ...\"."


def check_paths(root):
    # Spelled in two parts, so that this file does not hold what it looks for.
    homes = ["/" + folder + "/" for folder in ("root", "home", "work", "Users")]
    local = re.compile(r"(?<![\w.}*)-])(?:" + "|".join(map(re.escape, [*homes, f"{root}/"])) + r")")
    listing = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                             capture_output=True, text=True)
    if listing.returncode != 0:
        print("Local paths were not looked for: this is no git work tree.")
        return
    for name in filter(None, listing.stdout.split("\0")):
        path = root / name
        if not path.is_file():
            continue
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").split("\n"), 1):
            if local.search(line):
                yield f"{name}:{number}: a path of one machine: {local.search(line).group()}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path)
    parser.add_argument("--binary", type=pathlib.Path)
    arguments = parser.parse_args()
    root = arguments.root.resolve()
    violations = [*check_includes(root), *check_sub_folders(root), *check_circles(root), *check_folders(root),
                  *check_routers(root), *check_readme(root, arguments.binary),
                  *check_sizes(root), *check_paths(root)]
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
