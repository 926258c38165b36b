"""What every command owes its caller: output that arrives or a status that says it did not, and arguments in any order.

    command_line_test.py --binary BUILD/moe-bench
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

import faults_test
from faults_test import DONE, MACHINE_FAILED, REQUEST_WRONG, RUNS_FAILED

MACHINE = pathlib.Path(__file__).resolve().parent.parent / "experiments" / "machines" / "h100-ndr.json"

binary = None


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        sweep = json.loads(json.dumps(faults_test.SWEEP))
        sweep["training"]["updates"] = 2
        folder = faults_test.Folder(cls.temporary.name, sweep)
        status, said = folder.run()
        assert status == DONE, said
        cls.path, cls.out, cls.run_folder = folder.path, folder.out, folder.runs("switch")[0]
        cls.sweep, cls.text = folder.path / "sweep.json", folder.path / "text"
        cls.text.write_text("a b c d\ne f g h\n")
        cls.translate = ["translate", "--run", cls.run_folder, "--direction", "aa-ba"]
        cls.writing = [
            ["--help"], ["--help-all"], ["run", "--help"],
            ["run", cls.sweep, "--out", cls.out],
            ["run", cls.sweep, "--out", cls.out, "--dry-run"],
            ["slurm", cls.sweep, "--out", cls.path / "report" / "slurm"],
            ["report", cls.out, "--out", cls.path / "report"],
            ["report", "--compare", cls.out, cls.out], ["report", "--bibtex"],
            ["report", "--tensorboard", cls.path / "report" / "events", cls.out],
            ["verify", cls.out], ["verify", cls.out, "--json"],
            ["scale", cls.run_folder / "result.json", "--machine", MACHINE],
            ["validate", cls.sweep],
            ["validate", "--schema"], ["validate", "--result-schema"],
            ["list", "routers"], ["list", "routers", "--json"], ["list", "metrics"],
            ["score", cls.text, "--reference", cls.text],
            ["score", cls.text, "--reference", cls.text, "--json"],
            cls.translate,
            ["doctor", "--json"],
            ["--version"], ["completion", "bash"],
        ]

    def call(self, arguments, stdin=None, stdout=subprocess.PIPE, **how):
        with open(self.text) as text:
            return subprocess.run([binary, *arguments], stdin=text if stdin is None else stdin, stdout=stdout,
                                  stderr=subprocess.PIPE, text=True, timeout=120, cwd=self.path,
                                  env={**os.environ, "MOE_BENCH_PYTHON": "/bin/false"}, **how)

    def test_the_version_names_program_and_library(self):
        done = self.call(["--version"])
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"^moe-bench \d+\.\d+\.\d+ \(.+\), LibTorch \d")

    def test_bash_completes_subcommands_options_and_files(self):
        script = self.call(["completion", "bash"]).stdout

        def complete(*words):
            ask = f'{script}\nCOMP_WORDS=({" ".join(words)})\nCOMP_CWORD={len(words) - 1}\n_moe_bench\necho "${{COMPREPLY[@]}}"'
            return subprocess.run(["bash", "-c", ask], capture_output=True, text=True, check=True).stdout.split()

        self.assertIn("run", complete("moe-bench", "r"))
        self.assertNotIn("worker", complete("moe-bench", "w"))
        self.assertEqual(complete("moe-bench", "run", "--dry"), ["--dry-run"])
        self.assertIn("/dev/null", complete("moe-bench", "run", "/dev/nul"))

    def test_output_onto_a_full_disk_is_the_machines_fault(self):
        for arguments in self.writing:
            with self.subTest(arguments=arguments), open("/dev/full", "w") as full:
                ended = self.call(arguments, stdout=full)
                self.assertEqual(ended.returncode, MACHINE_FAILED, ended.stderr)
                self.assertEqual(ended.stderr.splitlines()[-1], "standard output: No space left on device.")
                self.assertEqual(ended.stderr.count("standard output"), 1)

    def test_output_into_a_closed_descriptor_is_said_and_lands_in_no_file(self):
        def files():
            return {path: path.read_bytes() for path in self.path.rglob("*")
                    if path.is_file() and "report" not in path.parts}

        before = files()
        for arguments in self.writing:
            with self.subTest(arguments=arguments):
                ended = self.call(arguments, stdout=None, preexec_fn=lambda: os.close(1))
                self.assertEqual(ended.returncode, MACHINE_FAILED, ended.stderr)
                self.assertEqual(ended.stderr.splitlines()[-1], "standard output: Bad file descriptor.")
        self.assertEqual(files(), before)

    def test_a_reader_that_has_seen_enough_is_no_error(self):
        for arguments in self.writing:
            with self.subTest(arguments=arguments):
                reader, writer = os.pipe()
                os.close(reader)
                ended = self.call(arguments, stdout=writer)
                os.close(writer)
                # A sweep ignores SIGPIPE: its workers' pipes may close at any time.
                sweep = arguments[0] == "run" and "--out" in arguments and "--dry-run" not in arguments
                self.assertEqual(ended.returncode, DONE if sweep else -signal.SIGPIPE)
                self.assertNotIn("standard output", ended.stderr)

    def test_without_output_there_is_nothing_to_lose(self):
        with open("/dev/full", "w") as full:
            self.assertEqual(self.call(["run", self.sweep, "--out", self.out, "--quiet"], stdout=full).returncode, DONE)
            wrong = self.call(["list", "things"], stdout=full)
            self.assertEqual(wrong.returncode, REQUEST_WRONG)
            self.assertNotIn("standard output", wrong.stderr)

    def test_remarks_that_do_not_arrive_change_no_status(self):
        with open("/dev/full", "w") as full:
            for command in (["report", self.out, "--out", self.path / "report"],
                            ["run", self.sweep, "--out", self.path / "unheard"]):
                ended = subprocess.run([binary, *command], stdout=subprocess.PIPE, stderr=full, timeout=120,
                                       env={**os.environ, "MOE_BENCH_PYTHON": "/bin/false"})
                self.assertEqual(ended.returncode, DONE)

    def test_standard_input_that_cannot_be_read_is_the_machines_fault(self):
        folder = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, folder)
        ended = self.call(self.translate, stdin=folder)
        self.assertEqual((ended.returncode, ended.stdout), (MACHINE_FAILED, ""))
        self.assertEqual(ended.stderr, "standard input: Is a directory.\n")
        ended = self.call(self.translate, preexec_fn=lambda: os.close(0))
        self.assertEqual((ended.returncode, ended.stdout), (MACHINE_FAILED, ""))
        self.assertEqual(ended.stderr, "standard input: Bad file descriptor.\n")

    def test_a_sweep_runs_without_standard_streams(self):
        out = self.path / "silent"

        def close_all():
            for descriptor in range(3):
                os.close(descriptor)

        ended = subprocess.run([binary, "run", self.sweep, "--out", out, "--quiet"], preexec_fn=close_all, timeout=120,
                               env={**os.environ, "MOE_BENCH_PYTHON": "/bin/false"})
        self.assertEqual(ended.returncode, DONE)
        for run in (out / "runs").iterdir():
            self.assertEqual(json.loads((run / "result.json").read_text())["status"], "finished")

    def test_options_may_stand_before_behind_and_among_the_files(self):
        other = self.path / "other"
        other.write_text("a b c d\ne f g i\n")
        copy = self.path / "copy"
        shutil.copytree(self.out, copy, dirs_exist_ok=True)
        settings = ["--set", "training.updates=3", "--set", "grid.training.seed=[1, 2]"]
        for command, options, files in (
                ("run", [*settings, "--dry-run", "--jobs", "1"], [self.sweep]),
                ("validate", settings, [self.sweep]),
                ("validate", ["--set=training.updates=3"], [self.sweep]),
                ("report", ["--out", self.path / "merged"], [self.out, copy]),
                ("list", ["--json"], ["metrics"]),
                ("score", ["--reference", self.text, "--reference", other, "--metric", "bleu", "--metric", "chrf",
                           "--smooth-value", "0.5", "--smooth", "floor"], [other, self.text])):
            orders = ([*files, *options], [*options, *files], [*files[:1], *options, *files[1:]],
                      [*options[-2:], *files, *options[:-2]])
            answers = []
            for order in orders:
                ended = self.call([command, *order])
                self.assertEqual(ended.returncode, DONE, f"{command} {order}: {ended.stderr}")
                answers.append(ended.stdout)
            if command != "run":  # whose estimated times are measured
                self.assertEqual(len(set(answers)), 1, answers)

    def test_results_that_do_not_agree_are_status_1_and_a_folder_without_any_2(self):
        self.assertEqual(self.call(["verify", self.out]).returncode, DONE)
        copy = self.path / "changed"
        shutil.copytree(self.out, copy)
        translations = copy / "runs" / self.run_folder.name / "hypotheses/aa-ba.test.txt"
        translations.write_text(translations.read_text().replace("\n", " one word more\n", 1))
        changed = self.call(["verify", self.out, copy])
        self.assertEqual(changed.returncode, RUNS_FAILED)
        self.assertIn("result.json: scores[0].", changed.stdout)
        self.assertEqual(self.call(["verify", self.path]).returncode, REQUEST_WRONG)

    def test_two_folders_are_compared_and_nothing_is_written(self):
        before = sorted(self.path.rglob("*"))
        done = self.call(["report", "--compare", self.out, self.out])
        self.assertEqual(done.returncode, DONE)
        self.assertIn("| configuration", done.stdout)
        self.assertEqual(sorted(self.path.rglob("*")), before)
        self.assertEqual(self.call(["report", "--compare", self.out]).returncode, REQUEST_WRONG)

    def test_translations_of_another_program_are_imported_once(self):
        out = self.path / "imported"
        command = ["import", "--out", out, "--name", "other", "--direction", "aa-ba", "--set", "test", "--reference",
                   self.text, "--hypothesis", self.text]
        self.assertEqual(self.call(command).returncode, DONE)
        again = self.call(command)
        self.assertEqual((again.returncode, again.stdout), (REQUEST_WRONG, ""))
        self.assertEqual(len(again.stderr.splitlines()), 1)
        self.assertEqual(self.call(["report", out]).returncode, DONE)
        self.assertIn("other (imported)", (out / "report/tables/results.md").read_text())

    def test_a_report_needs_a_folder(self):
        ended = self.call(["report"])
        self.assertEqual((ended.returncode, ended.stderr), (REQUEST_WRONG, "report: name a folder of results.\n"))

    def test_a_second_value_of_set_is_no_setting(self):
        ended = self.call(["validate", self.sweep, "--set", "training.updates=3", "training.warmup=1"])
        self.assertEqual(ended.returncode, REQUEST_WRONG)
        self.assertIn("training.warmup=1", ended.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    arguments, rest = parser.parse_known_args()
    binary = faults_test.binary = arguments.binary.resolve()
    unittest.main(argv=[sys.argv[0], *rest])
