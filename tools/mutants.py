#!/usr/bin/env python3
"""Breaks routers and the work of several ranks on purpose, one line at a time, and sees whether their tests notice.

    tools/mutants.py                        all of them, a quarter of a minute each, several at a time
    tools/mutants.py --only NAME...         those whose description or file has one of the texts in it
    tools/mutants.py --sample N [--seed S]  N of them, drawn at random
    tools/mutants.py --check                only whether each can still be put into its file; builds nothing

Each mutant of tools/mutant_list.py is put into a copy of its file, which is compiled as the build compiles it and linked
with the rest of the build into programs of its own, under build/mutants; sources and build stay as they are. What became
of it:

    dead    a test noticed
    ALIVE   no test noticed: a test is missing
    STALE   its text does not stand exactly once in its file: the mutant has to follow the code
    BROKEN  it does not compile

The exit status is 1 if any is not dead. Needs a build made with ninja (tools/setup all) whose tests pass.
"""

import argparse
import concurrent.futures
import functools
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import subprocess
import sys

from mutant_list import MUTANTS

ROOT = pathlib.Path(__file__).resolve().parent.parent

# A mutant may loop for ever; the tests take some seconds.
TEST_SECONDS = 600


def run(command, cwd, timeout=None):
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout)


def tests_of(file):
    """Programs with their arguments that should notice a mutant of the file."""
    if file.startswith("routers/"):
        return [["test_routers"]]
    return [["test_parallel"], ["test_training", "[#ranks_test]", "--filenames-as-tags"]]


def why_stale(file, old, new):
    """Why the mutant cannot be put into its file, or None."""
    path = ROOT / file
    if not path.is_file():
        return f"{file} does not exist"
    count = path.read_text(encoding="utf-8").count(old)
    if count != 1:
        return f"{old!r} stands {count} times in {file}"
    return "it changes nothing" if old == new else None


class Broken(Exception):
    """The compiler or the linker refuses."""


class Build:
    """A folder in which CMake and ninja build the programs, asked how they are compiled and linked."""

    def __init__(self, folder, programs):
        self.folder = folder.resolve()
        if not (self.folder / "build.ninja").is_file():
            sys.exit(f"mutants: {folder} is no folder of a build with ninja; tools/setup all makes one.")
        made = run(["cmake", "--build", str(self.folder), "--target", *programs], ROOT)
        if made.returncode != 0:
            sys.exit(f"mutants: the unbroken sources do not build:\n{(made.stdout + made.stderr)[-2000:]}")
        self.compilations = json.loads((self.folder / "compile_commands.json").read_text(encoding="utf-8"))
        for entry in self.compilations:
            entry["output"] = re.search(r" -o (\S+)", entry["command"])[1]

    @functools.cache
    def link_command(self, program):
        """The shell's words that link the program, run in the folder."""
        commands = run(["ninja", "-t", "commands", "-s", program], self.folder).stdout.strip()
        return shlex.split(commands.removeprefix(": && ").removesuffix(" && :"))

    def links(self, program, entry):
        """Whether the program holds the entry's object, named or in an archive."""
        archive = re.sub(r"CMakeFiles/(\w+)\.dir/.*", r"lib\1.a", entry["output"])
        return bool({entry["output"], archive} & set(self.link_command(program)))

    @functools.cache
    def compilations_of(self, file):
        """How each source is compiled that is the file, or includes it: one that holds several sources, for example."""
        path = ROOT / file
        if path.suffix == ".cpp":
            return [entry for entry in self.compilations if entry["file"] == str(path)
                    or entry["file"].endswith(".cxx") and f'"{path}"' in pathlib.Path(entry["file"]).read_text(encoding="utf-8")]
        depending, object_file = set(), None
        for line in run(["ninja", "-t", "deps"], self.folder).stdout.splitlines():
            if line and not line.startswith(" "):
                object_file = line.split(":")[0]
            elif line.strip() == str(path):
                depending.add(object_file)
        return [entry for entry in self.compilations if entry["output"] in depending]


class Mutant:
    """One mutant's copy of its file, with the objects and programs made of it, in a folder of its own."""

    def __init__(self, build, place, file, old, new):
        self.build = build
        self.file = file
        self.folder = build.folder / "mutants" / str(place)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.copy = self.folder / file
        self.copy.parent.mkdir(parents=True)
        self.copy.write_text((ROOT / file).read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        held = [(test, [entry for entry in build.compilations_of(file) if build.links(test[0], entry)])
                for test in tests_of(file)]
        self.tests = [(test, entries) for test, entries in held if entries]  # with what of them holds the file

    def compile(self, entry, source):
        """The object of `source`, compiled as the entry's source is, where the copy is found before the file."""
        command = shlex.split(entry["command"])
        command[command.index(entry["file"])] = str(source)
        made = self.folder / pathlib.Path(entry["output"]).with_suffix(f".{source.stem}.o")
        made.parent.mkdir(parents=True, exist_ok=True)
        command[command.index("-o") + 1] = str(made)
        command.insert(1, f"-I{self.folder}")
        compiled = run(command, self.build.folder)
        if compiled.returncode != 0:
            errors = [line for line in compiled.stderr.splitlines() if "error" in line]
            raise Broken(errors[0] if errors else compiled.stderr[-300:])
        return str(made)

    def of_copy_alone(self, entry):
        """The object of the copy by itself. Other sources that are compiled in one with the file may hold its functions
        inlined: a test may miss the mutant there, and none fails that would not."""
        return self.compile(entry, self.copy)

    def of_all(self, entry):
        """The object of the entry's whole source, which is the file, or includes it."""
        source = pathlib.Path(entry["file"])
        text = source.read_text(encoding="utf-8")
        if source == ROOT / self.file:
            source = self.copy
        elif f'"{ROOT / self.file}"' in text:
            source = self.folder / source.name
            source.write_text(text.replace(str(ROOT / self.file), str(self.copy)), encoding="utf-8")
        return self.compile(entry, source)

    def link(self, program, objects):
        """The program with these objects: in place of those that it names, and before the archives that hold the others."""
        command = list(self.build.link_command(program))
        named = [made for stands_for, made in objects.items() if stands_for not in command]
        command = [objects.get(word, word) for word in command]
        command[command.index("-o") + 1] = str(self.folder / program)
        linked = run([command[0], "-Wl,--allow-multiple-definition", *named, *command[1:]], self.build.folder)
        if linked.returncode != 0:
            raise Broken(linked.stderr[-300:])

    def is_noticed(self, object_of):
        for (program, *arguments), entries in self.tests:
            self.link(program, {entry["output"]: object_of(entry) for entry in entries})
            if not passes([str(self.folder / program), *arguments]):
                return True
        return False


def passes(test):
    try:
        return run(["env", "OMP_NUM_THREADS=1", *test, "--abort"], ROOT, TEST_SECONDS).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def outcome(build, place, file, old, new):
    """What became of one mutant, and more about it."""
    reason = why_stale(file, old, new)
    if reason:
        return "STALE", reason
    mutant = Mutant(build, place, file, old, new)
    try:
        if not mutant.tests:
            return "BROKEN", "no program of its tests holds the file"
        if file.endswith(".cpp") and mutant.is_noticed(mutant.of_copy_alone):
            return "dead", ""
        return ("dead" if mutant.is_noticed(mutant.of_all) else "ALIVE"), ""
    except Broken as error:
        return "BROKEN", str(error)
    finally:
        shutil.rmtree(mutant.folder, ignore_errors=True)


def try_out(mutants, folder, jobs):
    """Prints what becomes of each mutant; whether all are dead."""
    tests = []
    for file in sorted({file for _, file, _, _ in mutants}):
        tests += [test for test in tests_of(file) if test not in tests]
    build = Build(folder, [program for program, *_ in tests])
    if not all(passes([str(build.folder / program), *arguments]) for program, *arguments in tests):
        sys.exit("mutants: the tests fail on the unbroken sources.")
    results = []
    with concurrent.futures.ThreadPoolExecutor(jobs) as workers:
        places = range(len(mutants))
        for (what, file, _, _), (result, more) in zip(
                mutants, workers.map(lambda place: outcome(build, place, *mutants[place][1:]), places)):
            results.append(result)
            print(f"{result:6} {file}: {what}{' (' + more + ')' if more else ''}", flush=True)
    print(", ".join(f"{results.count(result)} {result}" for result in sorted(set(results))))
    return set(results) == {"dead"}


def check(mutants):
    """Prints each mutant that cannot be put into its file; whether there is none."""
    reasons = [(what, file, why_stale(file, old, new)) for what, file, old, new in mutants]
    stale = [mutant for mutant in reasons if mutant[2]]
    for what, file, reason in stale:
        print(f"STALE  {file}: {what} ({reason})")
    print(f"{len(mutants) - len(stale)} of {len(mutants)} mutants apply")
    return not stale


def chosen(mutants, only, sample, seed):
    if only:
        mutants = [mutant for mutant in mutants if any(text in mutant[0] or text in mutant[1] for text in only)]
        if not mutants:
            sys.exit(f"mutants: no description and no file has {' or '.join(map(repr, only))} in it.")
    if sample is not None and sample < len(mutants):
        places = random.Random(seed).sample(range(len(mutants)), sample)
        mutants = [mutants[place] for place in sorted(places)]
    return mutants


def at_least_one(text):
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"found {number}, allowed is at least 1")
    return number


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", action="store_true", help="only see whether each can be put into its file")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="those with this in description or file")
    parser.add_argument("--sample", type=at_least_one, metavar="N", help="so many of them, drawn at random")
    parser.add_argument("--seed", type=int, metavar="S", help="of the sample; without it, another sample each time")
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="FOLDER", help="default: build")
    parser.add_argument("--jobs", type=at_least_one, metavar="N", default=len(os.sched_getaffinity(0)),
                        help="so many at a time; default: one per processor")
    arguments = parser.parse_args()
    mutants = chosen(MUTANTS, arguments.only, arguments.sample, arguments.seed)
    sys.exit(0 if (check(mutants) if arguments.check else try_out(mutants, arguments.build, arguments.jobs)) else 1)


if __name__ == "__main__":
    main()
