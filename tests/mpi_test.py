"""Several ranks under mpirun: the bytes of one process, and an end with a name for whatever happens to a rank.

    mpi_test.py --binary BUILD/moe-bench [--all-routers]

Says so and ends with 77, which CTest calls skipped, where there is no mpirun or the program was built without MPI.
"""

import argparse
import itertools
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

SKIPPED = 77
SWEEP = {
    "name": "ranks",
    "data": {"source": "synthetic", "directions": ["aa-ba", "aa-ca"], "vocabulary": 200,
             "synthetic": {"train_sentences": 200, "valid_sentences": 12, "test_sentences": 12, "nouns": 20, "verbs": 10,
                           "adjectives": 8}},
    "model": {"encoder_layers": 2, "decoder_layers": 2, "width": 16, "ffn": 24, "heads": 2, "moe_every": 2},
    "strategy": {"experts": 4},
    "training": {"tokens_per_batch": 128, "accumulate": 3, "updates": 12, "learning_rate": 4e-3, "warmup": 4},
    "evaluation": {"every": 6, "beam": 2, "average_share": 0.3, "routing_swaps": True,
                   "inference_modes": True},
}
RUNS_FAILED, MACHINE_FAILED, INTERRUPTED = 1, 3, 130
LONG = {"training.updates": 100000, "evaluation.every": 100000}
FEW_ROUTERS = ["dense", "switch", "smoe", "thor"]
binary = None
all_routers = False


def tensors(file):
    """Bytes of each tensor of a checkpoint, by name."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    body = data[8 + length:]
    return {name: (entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])])
            for name, entry in header.items() if name != "__metadata__"}


class Folder:
    """A sweep in a folder of its own, and commands on it."""

    def __init__(self, path, routers=("switch",), settings=None, name="out"):
        self.path, self.out = pathlib.Path(path), pathlib.Path(path) / name
        sweep = json.loads(json.dumps(SWEEP))
        sweep["grid"] = {"strategy.router": list(routers)}
        (self.path / "sweep.json").write_text(json.dumps(sweep))
        self.settings = [part for key, value in (settings or {}).items() for part in ("--set", f"{key}={value}")]

    def start(self, ranks, *more, deadline=None, launched=False, launcher=("mpirun", "--oversubscribe")):
        command = [binary, "run", self.path / "sweep.json", "--out", self.out, *self.settings, *more]
        if ranks > 1 or launched:
            command = [*launcher, "-n", str(ranks), *command]
        environment = {**os.environ, "MOE_BENCH_PYTHON": "/bin/false", "OMPI_ALLOW_RUN_AS_ROOT": "1",
                       "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1",
                       "ASAN_OPTIONS": "detect_leaks=0"}  # Open MPI's, in a build with sanitizers
        if deadline is not None:
            command += ["--set", f"parallel.deadline_s={deadline}"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
                                start_new_session=True)

    def run(self, ranks, *more, **how):
        """Status and what was said."""
        process = self.start(ranks, *more, **how)
        out, error = process.communicate(timeout=600)
        return process.returncode, out + error

    def runs(self):
        return sorted(path for path in (self.out / "runs").glob("*") if path.is_dir())

    def everything(self):
        """Of each run, all that must not depend on who computed it."""
        found = {}
        for run in self.runs():
            result = json.loads((run / "result.json").read_text())
            assert result["status"] == "finished", result["failure"]
            del result["measurements"]
            texts = {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*")
                     if path.is_file() and path.suffix in (".txt", ".csv", ".jsonl")}
            found[run.name] = (result, texts, tensors(run / "checkpoint.safetensors"))
        return found

    def wait_for(self, file):
        for _ in range(6000):
            if any((run / file).exists() and (run / file).stat().st_size > 0 for run in self.runs()):
                return
            time.sleep(0.01)
        raise AssertionError(f"{file} was never written")


def rank_processes(launcher):
    """Process numbers of the ranks, by rank, from their environment."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) != launcher.pid:
                continue
            variables = dict(part.split("=", 1) for part in (entry / "environ").read_text().split("\0") if "=" in part)
        except (OSError, ValueError, IndexError):
            continue
        if "OMPI_COMM_WORLD_RANK" in variables:
            found[int(variables["OMPI_COMM_WORLD_RANK"])] = int(entry.name)
    return found


class Ranks(unittest.TestCase):
    maxDiff = 2000

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def test_ranks_without_a_gpu_end_at_once(self):
        if json.loads(subprocess.run([binary, "doctor", "--json"], capture_output=True, text=True).stdout)["gpu"]["devices"]:
            self.skipTest("there is a GPU.")
        start = time.monotonic()
        status, said = Folder(self.folder.name).run(2, "--device", "cuda")
        self.assertEqual(status, MACHINE_FAILED, said)
        self.assertIn("Rank 0: --device cuda: this build or this machine has no GPU.", said)
        self.assertLess(time.monotonic() - start, 60)

    def same_as_alone(self, routers, kinds):
        alone = Folder(self.folder.name, routers, name="alone")
        self.assertEqual(alone.run(1)[0], 0)
        expected = alone.everything()
        for ranks, experts in kinds:
            shared = Folder(self.folder.name, routers, {"parallel.experts": experts}, name=f"{experts}{ranks}")
            status, said = shared.run(ranks, launched=True)
            self.assertEqual(status, 0, said)
            found = shared.everything()
            self.assertEqual(found.keys(), expected.keys())
            for run, (result, texts, checkpoint) in expected.items():
                self.assertEqual(found[run][0], result, run)
                self.assertEqual(found[run][1], texts, run)
                self.assertEqual(found[run][2].keys(), checkpoint.keys())
                for name, tensor in checkpoint.items():
                    self.assertTrue(found[run][2][name] == tensor, f"{run}: {name} on {ranks} ranks, {experts}")
            measured = json.loads((shared.runs()[0] / "result.json").read_text())["measurements"]
            self.assertEqual(measured["host"].get("ranks", 1), ranks)

    def test_the_bytes_of_one_process(self):
        if not all_routers:
            self.same_as_alone(FEW_ROUTERS, [(1, "tokens"), (2, "replicated"), (2, "tokens")])
            return
        listed = json.loads(subprocess.run([binary, "list", "routers", "--json"], capture_output=True, text=True).stdout)
        routers = [router["name"] for router in listed if router["name"] != "oracle"]  # it needs a known answer
        self.same_as_alone(routers, [(ranks, experts) for ranks in (1, 2, 4) for experts in ("replicated", "tokens")])

    def test_a_stopped_run_goes_on_with_any_number_of_ranks(self):
        longer = {"training.updates": 200, "evaluation.every": 50}
        alone = Folder(self.folder.name, settings=longer, name="alone")
        self.assertEqual(alone.run(1)[0], 0)
        changes = [(1, 2), (2, 4)] if not all_routers else list(itertools.permutations((1, 2, 4), 2))
        for first, second in changes:
            shared = Folder(self.folder.name, settings=longer, name=f"from{first}to{second}")
            process = shared.start(first)
            shared.wait_for("checkpoint.safetensors")
            process.send_signal(signal.SIGUSR1)
            said = "".join(process.communicate(timeout=600))
            self.assertEqual(process.returncode, INTERRUPTED, said)
            status, said = shared.run(second)
            self.assertEqual(status, 0, said)
            self.assertEqual([run[0] for run in shared.everything().values()],
                             [run[0] for run in alone.everything().values()])

    def test_a_rank_that_is_stopped_is_named_when_the_deadline_is_over(self):
        folder = Folder(self.folder.name, settings={**LONG, "parallel.experts": "tokens"})
        process = folder.start(2, deadline=2)
        self.addCleanup(process.kill)
        folder.wait_for("train.jsonl")
        ranks = rank_processes(process)
        self.assertEqual(sorted(ranks), [0, 1])
        os.kill(ranks[1], signal.SIGSTOP)
        stopped = time.monotonic()
        said = "".join(process.communicate(timeout=60))
        self.assertLess(time.monotonic() - stopped, 2 + 5)
        self.assertEqual(process.returncode, MACHINE_FAILED, said)
        self.assertEqual(said.count("Rank 0"), 1, said)
        self.assertRegex(said, r"Rank 0 waited 2 s in [a-z ]+(, layer [a-z]+\.\d\.ffn)?, update \d+ \(collective \d+\); rank 1 does not answer and was last seen in")

    def test_a_rank_that_is_stopped_before_the_first_run_is_named_too(self):
        folder = Folder(self.folder.name)
        process = folder.start(2, deadline=2)
        self.addCleanup(process.kill)
        while not folder.out.exists():
            time.sleep(0.001)
        os.kill(rank_processes(process)[1], signal.SIGSTOP)
        said = "".join(process.communicate(timeout=60))
        self.assertEqual(process.returncode, MACHINE_FAILED, said)
        self.assertRegex(said, r"Rank 0 waited 2 s in next run, .*; rank 1 does not answer")

    def test_ranks_that_do_not_see_the_same_folder_are_refused(self):
        folder = Folder(self.folder.name, settings={"training.updates": 200, "evaluation.every": 20}, name="shared")
        process = folder.start(1)
        folder.wait_for("checkpoint.safetensors")
        process.send_signal(signal.SIGUSR1)
        process.communicate(timeout=60)
        places = [folder.path / "one", folder.path / "two"]
        for place in places:
            shutil.copytree(folder.out, place / "out")
        for checkpoint in places[1].rglob("checkpoint.safetensors"):
            checkpoint.unlink()
        command = [binary, "run", folder.path / "sweep.json", "--out", "out", *folder.settings]
        environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
        ended = subprocess.run(["mpirun", "--oversubscribe", "-n", "1", "--wdir", places[0], *command, ":",
                                "-n", "1", "--wdir", places[1], *command],
                               capture_output=True, text=True, env=environment, timeout=120)
        self.assertEqual(ended.returncode, MACHINE_FAILED, ended.stderr)
        self.assertRegex(ended.stderr, r"Rank 1 begins at update 0 of run \w+, rank 0 at update \d+ ")

    def test_a_launcher_that_mpi_does_not_know_is_refused(self):
        ended = subprocess.run([binary, "run", Folder(self.folder.name).path / "sweep.json", "--out", self.folder.name],
                               capture_output=True, text=True, env={**os.environ, "PMI_SIZE": "2"}, timeout=60)
        self.assertEqual(ended.returncode, MACHINE_FAILED, ended.stderr)
        self.assertIn("A launcher started 2 ranks", ended.stderr)

    def test_a_rank_that_came_later_and_waits_too_is_not_accused(self):
        folder = Folder(self.folder.name, settings=LONG)
        process = folder.start(3, deadline=3)
        self.addCleanup(process.kill)
        folder.wait_for("train.jsonl")
        ranks = rank_processes(process)
        self.assertEqual(sorted(ranks), [0, 1, 2])
        for rank in (1, 2):
            os.kill(ranks[rank], signal.SIGSTOP)
        time.sleep(1.8)  # so that its own deadline is over after rank 0 has heard all that there is to hear
        os.kill(ranks[2], signal.SIGCONT)
        said = "".join(process.communicate(timeout=60))
        self.assertEqual(process.returncode, MACHINE_FAILED, said)
        self.assertRegex(said, r"Rank 0 waited 3 s in .*; rank 1 does not answer and was last seen in")
        self.assertNotIn("rank 2 does not answer", said)

    def test_a_first_rank_that_fails_before_any_run_ends_the_job(self):
        folder = Folder(self.folder.name)
        folder.out = pathlib.Path("/proc/moe-bench-test")
        process = folder.start(2)
        self.addCleanup(process.kill)
        said = "".join(process.communicate(timeout=60))
        self.assertEqual(process.returncode, MACHINE_FAILED, said)
        self.assertIn("/proc/moe-bench-test", said)

    def test_a_rank_that_is_killed_ends_the_job_and_the_run_goes_on(self):
        folder = Folder(self.folder.name, settings={"training.updates": 200, "evaluation.every": 20})
        process = folder.start(2, deadline=30)
        self.addCleanup(process.kill)
        folder.wait_for("checkpoint.safetensors")
        os.kill(rank_processes(process)[1], signal.SIGKILL)
        killed = time.monotonic()
        said = "".join(process.communicate(timeout=60))
        self.assertLess(time.monotonic() - killed, 30 + 5)
        self.assertNotEqual(process.returncode, 0)
        self.assertIn("rank 1", said)
        self.assertEqual(folder.run(2)[0], 0)
        alone = Folder(self.folder.name, settings={"training.updates": 200, "evaluation.every": 20}, name="alone")
        self.assertEqual(alone.run(1)[0], 0)
        self.assertEqual([run[0] for run in folder.everything().values()], [run[0] for run in alone.everything().values()])

    def test_a_rank_that_is_killed_during_a_save_leaves_the_former_checkpoint(self):
        settings = {"training.updates": 300, "evaluation.every": 5}
        folder = Folder(self.folder.name, settings=settings, name="shared")
        for victim in (0, 1):
            of_former = set(folder.out.glob("runs/*/checkpoint.safetensors.part*"))
            process = folder.start(2)
            self.addCleanup(process.kill)
            folder.wait_for("checkpoint.safetensors")
            while len(ranks := rank_processes(process)) < 2:
                self.assertIsNone(process.poll())
            run = folder.runs()[0]
            while not set(run.glob("checkpoint.safetensors.part*")) - of_former:
                self.assertIsNone(process.poll())
            os.kill(ranks[victim], signal.SIGKILL)
            process.communicate(timeout=60)
            self.assertNotEqual(process.returncode, 0)
            self.assertTrue(tensors(run / "checkpoint.safetensors"))
        self.assertEqual(folder.run(2)[0], 0)
        alone = Folder(self.folder.name, settings=settings, name="alone")
        self.assertEqual(alone.run(1)[0], 0)
        self.assertEqual([run[0] for run in folder.everything().values()], [run[0] for run in alone.everything().values()])

    def test_a_run_that_fails_on_all_ranks_leaves_the_others(self):
        folder = Folder(self.folder.name, ["dense", "switch"],
                        {"training.learning_rate": 1e30, "training.warmup": 1})
        status, said = folder.run(2)
        self.assertEqual(status, RUNS_FAILED, said)
        results = [json.loads((run / "result.json").read_text()) for run in folder.runs()]
        self.assertEqual([result["status"] for result in results], ["failed", "failed"])
        self.assertIn("not a finite number", results[0]["failure"])

    def test_a_wrong_request_is_said_once(self):
        folder = Folder(self.folder.name, settings={"training.updates": -1})
        status, said = folder.run(2)
        self.assertEqual(status, 2, said)
        self.assertEqual(said.count("training.updates"), 1, said)
        status, said = Folder(self.folder.name).run(2, "--jobs", "2")
        self.assertEqual(status, 2, said)
        self.assertIn("--jobs 2", said)


def main():
    global binary, all_routers
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=pathlib.Path, required=True)
    parser.add_argument("--all-routers", action="store_true", help="every router and every number of ranks: many minutes")
    arguments, rest = parser.parse_known_args()
    binary, all_routers = arguments.binary.resolve(), arguments.all_routers
    doctor = json.loads(subprocess.run([binary, "doctor", "--json"], capture_output=True, text=True).stdout)
    if not doctor["mpi"] or shutil.which("mpirun") is None:
        print("Skipped: no mpirun, or the program was built without MPI.")
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], *rest])


if __name__ == "__main__":
    main()
