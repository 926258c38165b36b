"""What a sweep does when the machine or somebody else gets in its way.

    faults_test.py --binary BUILD/moe-bench

Each fault ends in the status and the sentence of the design, finished results stay as they are byte for byte, and the same
command, run again in peace, gives what an undisturbed sweep gives. Kills at any moment, of all processes or of a worker
alone, are in tests/harness/commands/resume_test.cpp, a held folder in run_command_test.cpp.
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SWEEP = {
    "name": "faults",
    "data": {"source": "synthetic", "directions": ["aa-ba"], "vocabulary": 200,
             "synthetic": {"train_sentences": 200, "valid_sentences": 8, "test_sentences": 8, "nouns": 20, "verbs": 10,
                           "adjectives": 8}},
    "model": {"encoder_layers": 2, "decoder_layers": 2, "width": 16, "ffn": 24, "heads": 2, "moe_every": 2},
    "strategy": {"experts": 2},
    "training": {"tokens_per_batch": 256, "updates": 60, "learning_rate": 4e-3, "warmup": 20},
    "evaluation": {"every": 10, "beam": 2, "average_share": 0.2},
    "grid": {"strategy.router": ["switch", "hash"]},
}
DONE, RUNS_FAILED, REQUEST_WRONG, MACHINE_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
binary = None


class Folder:
    """A sweep in a folder of its own, and commands on it."""

    def __init__(self, path, sweep=None):
        self.path, self.out = pathlib.Path(path), pathlib.Path(path) / "out"
        (self.path / "sweep.json").write_text(json.dumps(sweep or SWEEP))

    def start(self, *more, limits=(), out=None, ignore=(), program=None):
        def prepare():
            for kind, size in limits:
                resource.setrlimit(kind, (size, size))
            for number in (signal.SIGXFSZ,):
                signal.signal(number, signal.SIG_IGN if number in ignore else signal.SIG_DFL)

        command = [program or binary, "run", self.path / "sweep.json", "--out", out or self.out, "--jobs", "1", "--threads", "1", *more]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=prepare,
                                start_new_session=True, env={**os.environ, "MOE_BENCH_PYTHON": "/bin/false"})

    def run(self, *more, **how):
        """Status and what was said on stderr."""
        process = self.start(*more, **how)
        try:
            said = process.communicate(timeout=120)[1]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        return process.returncode, said

    def runs(self, name=""):
        return sorted(path for path in (self.out / "runs").glob(f"{name}*") if path.is_dir())

    def results(self):
        """Of each finished run what must be the same whenever it is made."""
        found = {}
        for run in self.runs():
            result = json.loads((run / "result.json").read_text())
            assert result["status"] == "finished", result["failure"]
            found[run.name] = result["digest"]
        return found

    def wait_for(self, name, file="checkpoint.safetensors"):
        for _ in range(6000):
            if any((run / file).exists() for run in self.runs(name)):
                return self.runs(name)[0] / file
            time.sleep(0.01)
        raise AssertionError(f"{name} never wrote {file}")


def flip(file, position):
    """Flips one bit."""
    data = bytearray(file.read_bytes())
    data[position] ^= 1 << position % 8
    file.write_bytes(data)


class Faults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.reference_folder = tempfile.TemporaryDirectory()
        cls.reference = Folder(cls.reference_folder.name)
        status, said = cls.reference.run()
        assert status == DONE, said
        cls.expected = cls.reference.results()
        assert len(cls.expected) == 2

    def setUp(self):
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Folder(self.temporary.name)

    def tearDown(self):
        self.temporary.cleanup()

    def check_one_sentence(self, said, *parts):
        self.assertNotIn("terminate called", said)
        self.assertNotIn("Exception raised from", said)
        for part in parts:
            self.assertIn(part, said)

    def finish(self, folder=None):
        """In peace, the same command gives what an undisturbed sweep gives."""
        status, said = (folder or self.folder).run()
        self.assertEqual(status, DONE, said)
        self.assertEqual((folder or self.folder).results(), self.expected)

    def copy_with_one_run_unfinished(self):
        """The reference, its first run cut before the result was written."""
        shutil.copytree(self.reference.out, self.folder.out)
        run = self.folder.runs("hash")[0]
        (run / "result.json").unlink()
        return run

    def test_a_full_disk_is_the_machines_fault(self):
        for size, ignore in ((2000, ()), (20000, ()), (20000, (signal.SIGXFSZ,)), (100000, ())):
            with self.subTest(size=size, ignored=bool(ignore)), tempfile.TemporaryDirectory() as path:
                folder = Folder(path)
                status, said = folder.run(limits=[(resource.RLIMIT_FSIZE, size)], ignore=ignore)
                self.assertEqual(status, MACHINE_FAILED, said)
                self.check_one_sentence(said, "File too large")
                self.finish(folder)

    def test_a_full_file_system_keeps_what_is_finished(self):
        with contextlib.ExitStack() as stack:
            mount = self.temporary.name + "/small"
            os.mkdir(mount)
            made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=900k", "tmpfs", mount], capture_output=True)
            if made.returncode != 0:
                self.skipTest("no right to mount a small file system")
            stack.callback(subprocess.run, ["umount", mount])
            status, said = self.folder.run(out=mount + "/out")
            self.assertEqual(status, MACHINE_FAILED, said)
            self.check_one_sentence(said, "No space left on device")
            for result in pathlib.Path(mount).glob("out/runs/*/result.json"):
                json.loads(result.read_text())
            subprocess.run(["mount", "-o", "remount,size=20m", mount], check=True)
            self.folder.out = pathlib.Path(mount) / "out"
            self.finish()

    def test_a_folder_that_cannot_be_made(self):
        (self.folder.path / "file").write_text("")
        status, said = self.folder.run(out=self.folder.path / "file" / "out")
        self.assertEqual(status, MACHINE_FAILED, said)
        self.check_one_sentence(said, str(self.folder.path / "file"), "Not a directory")

    def test_one_flipped_bit_of_a_checkpoint_is_noticed(self):
        run = self.copy_with_one_run_unfinished()
        whole = (run / "checkpoint.safetensors").read_bytes()
        for i in range(8):
            position = (i * len(whole)) // 8 + i
            with self.subTest(position=position):
                (run / "checkpoint.safetensors").write_bytes(whole)
                flip(run / "checkpoint.safetensors", position)
                status, said = self.folder.run()
                self.assertEqual(status, RUNS_FAILED, said)
                self.check_one_sentence(said, "checkpoint.safetensors")
        (run / "checkpoint.safetensors").write_bytes(whole)
        self.finish()

    def test_a_cut_checkpoint_is_named_and_without_it_the_run_starts_again(self):
        run = self.copy_with_one_run_unfinished()
        whole = (run / "checkpoint.safetensors").read_bytes()
        for length in (0, 5, len(whole) // 2, len(whole) - 1):
            with self.subTest(length=length):
                (run / "checkpoint.safetensors").write_bytes(whole[:length])
                status, said = self.folder.run()
                self.assertEqual(status, RUNS_FAILED, said)
                self.check_one_sentence(said, "checkpoint.safetensors")
        (run / "checkpoint.safetensors").unlink()
        self.finish()

    def test_a_damaged_result_is_named_and_neither_reported_nor_run_over(self):
        shutil.copytree(self.reference.out, self.folder.out)
        file = self.folder.runs("switch")[0] / "result.json"
        whole = file.read_text()
        digit = whole.index('"loss": ') + 9
        for damaged in (whole[:100], "", whole[:digit] + ("1" if whole[digit] != "1" else "2") + whole[digit + 1:]):
            with self.subTest(length=len(damaged)):
                file.write_text(damaged)
                for (status, said), expected in ((self.folder.run(), REQUEST_WRONG), (self.report(), DONE)):
                    self.assertEqual(status, expected, said)
                    self.check_one_sentence(said, str(file))
                self.assertEqual(file.read_text(), damaged)
                summary = json.loads((self.folder.out / "summary.json").read_text())
                self.assertEqual(len(summary["runs"]), 1)
        file.unlink()
        self.finish()

    def report(self):
        done = subprocess.run([binary, "report", self.folder.out], capture_output=True, text=True)
        return done.returncode, done.stderr

    def test_damage_to_what_the_sweep_writes_anew_changes_nothing(self):
        run = self.copy_with_one_run_unfinished()
        for file in (run / "config.json", run / "vocabulary.model", *(self.folder.out / "vocabulary").iterdir()):
            flip(file, 400)
        self.finish()

    def test_two_shards_at_once_make_one_sweep(self):
        processes = [self.folder.start("--shard", f"{i}/2") for i in (1, 2)]
        for process in processes:
            said = process.communicate(timeout=120)[1]
            self.assertEqual(process.returncode, DONE, said)
        self.assertEqual(self.folder.results(), self.expected)

    def test_the_same_sweep_twice_at_once_mixes_nothing(self):
        first = self.folder.start()
        self.folder.wait_for("")
        status, said = self.folder.run()
        self.assertEqual(status, REQUEST_WRONG, said)
        self.check_one_sentence(said, str(self.folder.out))
        self.assertEqual(first.wait(timeout=120), DONE)
        first.communicate()
        self.assertEqual(self.folder.results(), self.expected)

    def test_a_program_replaced_or_removed_while_its_sweep_goes_on_finishes_it(self):
        for successor in ("#!/bin/sh\nexit 9\n", None):
            with self.subTest(removed=successor is None), tempfile.TemporaryDirectory() as path:
                folder = Folder(path)
                program = folder.path / "moe-bench"
                shutil.copy(binary, program)
                process = folder.start(program=program)
                folder.wait_for("switch")
                program.unlink()  # as a linker does before it writes the new one
                if successor:
                    program.write_text(successor)
                    program.chmod(0o755)
                self.assertFalse(folder.runs("hash") and (folder.runs("hash")[0] / "checkpoint.safetensors").exists())
                said = process.communicate(timeout=120)[1]
                self.assertEqual(process.returncode, DONE, said)
                self.assertEqual(folder.results(), self.expected)

    @staticmethod
    def status_after(folder, disturb):
        """How a sweep ends that is disturbed once its first run has a checkpoint."""
        process = folder.start()
        folder.wait_for("switch")
        disturb(process)
        process.communicate(timeout=120)
        return process.returncode

    def test_signals_stop_the_sweep_with_a_checkpoint(self):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
            with self.subTest(signal=number.name), tempfile.TemporaryDirectory() as path:
                folder = Folder(path)
                self.assertEqual(self.status_after(folder, lambda process: process.send_signal(number)), INTERRUPTED)
                self.finish(folder)

    def test_a_run_that_leaves_the_numbers_fails_alone(self):
        sweep = json.loads(json.dumps(SWEEP))
        sweep["strategy"]["router"] = "switch"
        sweep["grid"] = {"training.learning_rate": [4e-3, 1e30]}
        folder = Folder(self.temporary.name, sweep)
        status, said = folder.run()
        self.assertEqual(status, RUNS_FAILED, said)
        results = [json.loads((run / "result.json").read_text()) for run in folder.runs()]
        self.assertEqual(sorted(result["status"] for result in results), ["failed", "finished"])
        failure = next(result["failure"] for result in results if result["status"] == "failed")
        self.assertRegex(failure, "(?i)nan|inf|number")

    def can_start(self, limits):
        process = self.folder.start("--help", limits=limits)
        process.communicate()
        return process.returncode == 0

    def test_a_run_out_of_memory_fails_alone_with_its_reason(self):
        sweep = json.loads(json.dumps(SWEEP))
        sweep["strategy"]["router"] = "switch"
        sweep["grid"] = {"strategy.experts": [2, 100000]}
        folder = Folder(self.temporary.name, sweep)
        limits = [(resource.RLIMIT_AS, 1500 << 20)]
        if not self.can_start(limits):
            self.skipTest("the program itself needs more address space, as under a sanitizer")
        status, said = folder.run(limits=limits)
        self.assertEqual(status, RUNS_FAILED, said)
        results = [json.loads((run / "result.json").read_text()) for run in folder.runs()]
        self.assertEqual([result["status"] for result in results], ["failed", "finished"])
        self.assertEqual(results[0]["failure"], "The run was out of memory.")

    def test_too_little_memory_anywhere_is_said_and_loses_nothing(self):
        self.copy_with_one_run_unfinished()
        shutil.rmtree(self.folder.out / "vocabulary")
        kept = (self.folder.runs("switch")[0] / "result.json").read_bytes()
        short = 0

        def address_space(megabytes):
            return [(resource.RLIMIT_AS, megabytes << 20)]

        enough = next((m for m in range(400, 1000, 4) if self.can_start(address_space(m))), None)
        if enough is None:
            self.skipTest("the program itself needs more address space, as under a sanitizer")
        # From one start to the next LibTorch itself, before the program begins, needs some megabytes more or less.
        for megabytes in range(enough + 8, enough + 68, 4):
            with self.subTest(megabytes=megabytes):
                limits = address_space(megabytes)
                status, said = self.folder.run(limits=limits)
                self.assertIn(status, (DONE, RUNS_FAILED, MACHINE_FAILED), said)
                self.check_one_sentence(said)
                self.assertNotIn("ended by signal", said)
                if status != DONE:
                    short += 1
                    self.assertRegex(said, "(?i)out of memory|cannot allocate|temporarily unavailable")
        self.assertGreater(short, 0, "no limit was too small: nothing was tested")
        self.assertEqual((self.folder.runs("switch")[0] / "result.json").read_bytes(), kept)
        self.finish()

    def test_a_signal_to_a_worker_alone_is_named_and_its_run_goes_on_later(self):
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL):
            with self.subTest(signal=number.name), tempfile.TemporaryDirectory() as path:
                folder = Folder(path)

                def signal_the_worker(process):
                    workers = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                    self.assertEqual(len(workers), 1)
                    os.kill(int(workers[0]), number)

                self.assertEqual(self.status_after(folder, signal_the_worker), RUNS_FAILED)
                failure = json.loads((folder.runs("switch")[0] / "result.json").read_text())["failure"]
                self.check_one_sentence(failure, "signal 9" if number == signal.SIGKILL else number.name)
                self.finish(folder)

    def test_translate_refuses_what_the_run_was_not_trained_with(self):
        shutil.copytree(self.reference.out, self.folder.out)
        run = self.folder.runs("switch")[0]

        def translate():
            done = subprocess.run([binary, "translate", "--run", run, "--direction", "aa-ba"], input="ba\n", text=True,
                                  capture_output=True)
            return done.returncode, done.stderr

        self.assertEqual(translate()[0], DONE)
        whole = json.loads((run / "config.json").read_text())
        for section, key, value in (("model", "heads", 4), ("evaluation", "beam", 1), ("strategy", "experts", 4)):
            with self.subTest(key=key):
                changed = json.loads(json.dumps(whole))
                changed[section][key] = value
                (run / "config.json").write_text(json.dumps(changed))
                status, said = translate()
                self.assertEqual(status, REQUEST_WRONG, said)
                self.check_one_sentence(said, "checkpoint.safetensors", "another configuration or vocabulary")
        (run / "config.json").write_text(json.dumps(whole))
        flip(run / "vocabulary.model", 400)
        status, said = translate()
        self.assertEqual(status, REQUEST_WRONG, said)

    def test_a_report_dated_in_the_future_is_not_taken_for_current(self):
        self.copy_with_one_run_unfinished()
        self.assertEqual(self.report()[0], DONE)
        page = self.folder.out / "report" / "index.html"
        os.utime(page, (time.time() + 3e8,) * 2)
        self.assertNotIn("2 finished", page.read_text())
        self.finish()
        self.assertIn("2 finished", page.read_text())

    def test_a_clock_that_jumps_changes_no_result(self):
        self.copy_with_one_run_unfinished()
        for years, file in enumerate(sorted(self.folder.out.rglob("*"))):
            moment = time.time() + (-1) ** years * 3e8
            os.utime(file, (moment, moment))
        self.finish()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True)
    arguments, rest = parser.parse_known_args()
    binary = arguments.binary
    unittest.main(argv=[sys.argv[0], *rest])
