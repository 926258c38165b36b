"""Sweeps on a real Slurm of one node, which this test starts in a temporary folder and stops again.

    slurm_test.py --binary BUILD/moe-bench

An array of shards gives the summary of the serial sweep byte for byte; a task that is told of its time limit goes on where
it stopped; one that is cancelled leaves the others, and the report says what is missing. Without Slurm's and munge's
programs, or the right to give the loopback interface a second address, it says so and ends with 77, which CTest calls
skipped.
"""

import argparse
import contextlib
import ctypes
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import faults_test
import mpi_test

SKIPPED = 77
PROGRAMS = ["munged", "slurmctld", "slurmd", "sbatch", "srun", "scancel", "scontrol", "sinfo", "squeue", "ip"]
ADDRESS = "10.99.0.1/32"  # Slurm's daemons find no network where the loopback interface has one address
MEASURED = {"target_tokens_per_second", "decoded_sentences_per_second", "peak_memory_bytes", "seconds"}
# Two runs that last some seconds and learn.
LONG = ["--set", "training.updates=400", "--set", "training.seed=[1]", "--set", "training.learning_rate=4e-3",
        "--set", "evaluation.every=10"]
CONFIGURATION = """
ClusterName=moe-bench-test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
JobAcctGatherType=jobacct_gather/none
KillWait=10
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus}
PartitionName=main Nodes={host} Default=YES
"""
binary = None
slurm = None


def find_program(name):
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def why_not():
    """The reason not to start a Slurm here, or None."""
    absent = [name for name in PROGRAMS if find_program(name) is None]
    if absent:
        return f"there is no {', '.join(absent)}."
    return None if os.geteuid() == 0 else "a Slurm of one's own needs root."


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for taken in sockets:
            taken.bind(("127.0.0.1", 0))
        return [taken.getsockname()[1] for taken in sockets]


def die_with_the_test():
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def wait_for(what, condition, seconds=120):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {seconds} seconds.")
        time.sleep(0.1)


class Slurm:
    """One node, its daemons and commands."""

    def __init__(self, folder):
        self.folder, self.daemons, self.has_address = folder, [], False

    def start(self):
        added = subprocess.run([find_program("ip"), "address", "add", ADDRESS, "dev", "lo"], capture_output=True, text=True)
        self.has_address = added.returncode == 0
        if not self.has_address and "exists" not in added.stderr:
            raise unittest.SkipTest(f"the loopback interface takes no second address {ADDRESS}: {added.stderr.strip()}")
        for name in ("munge", "state", "spool"):
            (self.folder / name).mkdir()
        munge = self.folder / "munge"
        (munge / "key").touch(mode=0o600)
        (munge / "key").write_bytes(os.urandom(128))
        (self.folder / "slurm.conf").write_text(CONFIGURATION.format(
            host=socket.gethostname().split(".")[0], ports=free_ports(2), folder=self.folder, cpus=os.cpu_count()))
        os.environ["SLURM_CONF"] = str(self.folder / "slurm.conf")
        os.environ["MOE_BENCH_PYTHON"] = "/bin/false"  # no charts, so that a test waits for none
        self.daemon("munged", "--foreground", "--force", f"--key-file={munge}/key", f"--socket={munge}/socket",
                    f"--pid-file={munge}/pid", f"--log-file={munge}/log", f"--seed-file={munge}/seed")
        wait_for("munged", (munge / "socket").exists, 30)
        self.daemon("slurmctld", "-D")
        self.daemon("slurmd", "-D")
        wait_for("Slurm", lambda: self.says("sinfo", "--noheader", "--format=%T") == "idle", 60)

    def daemon(self, name, *options):
        with open(self.folder / f"{name}.out", "w") as out:
            self.daemons.append(subprocess.Popen([find_program(name), *options], stdin=subprocess.DEVNULL, stdout=out,
                                                 stderr=subprocess.STDOUT, preexec_fn=die_with_the_test))

    def stop(self):
        if len(self.daemons) == 3:
            self.says("scancel", "--user=root")
            with contextlib.suppress(AssertionError):
                wait_for("the end of all jobs", lambda: not self.says("squeue", "--noheader"), 30)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(timeout=20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        if self.has_address:
            subprocess.run([find_program("ip"), "address", "del", ADDRESS, "dev", "lo"])

    def says(self, *command):
        return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout.strip()

    def wait_for_end(self, *jobs):
        wait_for(f"the end of {jobs}", lambda: not self.says("squeue", "--noheader", "--jobs=" + ",".join(jobs)), 300)

    def restarts(self, task):
        return int(re.search(r"Restarts=(\d+)", self.says("scontrol", "show", "job", task)).group(1))


class Sweep:
    """Six runs of a second each, and a claim on which a report counts its looks. A net that learns nothing has learned all it
    will; of one that was still learning nothing is claimed."""

    def __init__(self, folder):
        self.folder = folder
        sweep = json.loads(json.dumps(faults_test.SWEEP))
        sweep["grid"]["training.seed"] = [1, 2, 3]
        sweep["training"].update({"updates": 10, "learning_rate": 1e-9})
        sweep["evaluation"]["every"] = 1
        sweep["claims"] = [{"id": "learned", "says": "A learned gate helps", "metric": "calibrated_loss",
                            "a": {"strategy.router": "switch"}, "b": {"strategy.router": "hash"}}]
        self.file = folder / "the sweep.json"
        self.file.write_text(json.dumps(sweep))

    def call(self, command, out, *more):
        done = subprocess.run([binary, command, self.file, "--out", self.folder / out, *more], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def run(self, out, *more):
        self.call("run", out, "--jobs", "1", *more)

    def submit(self, out, *more):
        """The numbers of the array and of its report."""
        said = self.call("slurm", out, "--time", "30", "--submit", *more)
        return re.search(r"as job (\d+), its report as job (\d+)\.$", said, re.MULTILINE).groups()

    def summary(self, out):
        """Text of summary.json without what was measured; numbers as they stand."""
        summary = json.loads((self.folder / out / "summary.json").read_text(), parse_float=str, parse_int=str)
        for entry in summary["runs"] + summary["groups"]:
            for key in MEASURED & entry.keys():
                del entry[key]
        return json.dumps(summary, indent=2)

    def digests(self, out):
        return {file.parent.name: json.loads(file.read_text())["digest"]
                for file in (self.folder / out).glob("runs/*/result.json")}

    def log(self, out, name):
        return (self.folder / out / "slurm" / f"{name}.log").read_text()


def doctor():
    return json.loads(subprocess.run([binary, "doctor", "--json"], capture_output=True, text=True).stdout)


class OnSlurm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory(prefix="it's 100% slurm ")
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.sweep = Sweep(pathlib.Path(cls.temporary.name))
        cls.sweep.run("serial")
        cls.sweep.run("long serial", *LONG)
        assert (len(cls.sweep.digests("serial")), len(cls.sweep.digests("long serial"))) == (6, 2)

    def test_an_array_by_hand_gives_the_summary_of_the_serial_sweep(self):
        said = self.sweep.call("slurm", "by hand", "--shards", "4", "--at-once", "2", "--time", "0:30:00", "--mem", "1M")
        folder = self.sweep.folder / "by hand" / "slurm"
        self.assertIn(str(folder / "README.md"), said)
        self.assertNotIn("1001", said)  # Slurm was asked
        for script in ("array.sh", "report.sh"):
            text = (folder / script).read_text()
            self.assertIn(str(pathlib.Path(binary).resolve()), text)
            for check in (["bash", "-n"], ["sbatch", "--test-only"]):
                done = subprocess.run([*check, folder / script], capture_output=True, text=True)
                self.assertEqual(done.returncode, 0, done.stderr)
        commands = re.search(r"```sh\n(.*?)```", (folder / "README.md").read_text(), re.DOTALL).group(1)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", commands], capture_output=True, text=True, cwd="/")
        self.assertEqual(done.returncode, 0, done.stderr)
        array = re.search(r"array-(\d+)_", " ".join(map(str, self.wait_for_logs(folder)))).group(1)
        report = re.search(r"\d+", done.stdout).group()
        slurm.wait_for_end(array, report)
        logs = [self.sweep.log("by hand", f"array-{array}_{task}") for task in (1, 2, 3, 4)]
        reports = ["\nReport: " in log for log in logs]
        self.assertIn(True, reports, "the last shard writes it; one that ends with it may find it")
        self.assertEqual(["No report yet" in log for log in logs], [not report for report in reports])
        self.assertIn("Report: ", self.sweep.log("by hand", f"report-{report}"))
        self.assertEqual(self.sweep.digests("by hand"), self.sweep.digests("serial"))
        self.assertEqual(self.sweep.summary("by hand"), self.sweep.summary("serial"))

    def wait_for_logs(self, folder):
        wait_for("a log of the array", lambda: list(folder.glob("array-*_*.log")))
        return folder.glob("array-*_*.log")

    def test_a_task_before_its_limit_goes_back_into_the_queue_and_on(self):
        array, report = self.sweep.submit("stopped", "--at-once", "1", *LONG)
        wait_for("a checkpoint", lambda: list((self.sweep.folder / "stopped").glob("runs/*/checkpoint.safetensors")))
        slurm.says("scancel", "--batch", "--signal=USR1", f"{array}_1")
        wait_for("a second start", lambda: slurm.restarts(f"{array}_1") == 1)
        self.assertEqual(self.sweep.digests("stopped"), {})
        slurm.says("scontrol", "update", f"JobId={array}_1", "StartTime=now")  # else it is held for two minutes
        slurm.wait_for_end(array, report)
        self.assertEqual(slurm.restarts(f"{array}_2"), 0)
        log = self.sweep.log("stopped", f"array-{array}_1")
        parts = ["started ", "stopped ", f"Task {array}_1 stops before its time limit", "started ", "done "]
        self.assertRegex(log, re.compile(".*".join(map(re.escape, parts)), re.DOTALL))
        self.assertEqual(self.sweep.digests("stopped"), self.sweep.digests("long serial"))
        self.assertEqual(self.sweep.summary("stopped"), self.sweep.summary("long serial"))

    def test_a_cancelled_task_leaves_the_rest_and_the_report_says_what_is_missing(self):
        array, report = self.sweep.submit("cancelled", "--at-once", "1", *LONG)
        slurm.says("scancel", f"{array}_2")
        slurm.wait_for_end(array, report)
        self.assertEqual(len(self.sweep.digests("cancelled")), 1)
        missing = "The sweep plans runs that were not begun: hash"
        self.assertIn(missing, self.sweep.log("cancelled", f"report-{report}"))
        page = self.sweep.folder / "cancelled" / "report" / "index.html"
        self.assertIn(missing, page.read_text())
        self.assertEqual(json.loads((self.sweep.folder / "cancelled" / "summary.json").read_text())["unfinished"], 1)
        slurm.wait_for_end(*self.sweep.submit("cancelled", *LONG))
        self.assertNotIn(missing, page.read_text())
        self.assertEqual(self.sweep.digests("cancelled"), self.sweep.digests("long serial"))

    def test_what_sbatch_refuses_is_said(self):
        done = subprocess.run([binary, "slurm", self.sweep.file, "--out", self.sweep.folder / "refused", "--submit",
                               "--partition", "no such"], capture_output=True, text=True)
        self.assertEqual(done.returncode, faults_test.MACHINE_FAILED)
        self.assertRegex(done.stderr, r"array\.sh: was not submitted: .*Invalid partition")

    def test_ranks_started_by_srun_give_what_mpirun_gives(self):
        if "pmix" not in slurm.says("srun", "--mpi=list"):
            self.skipTest("this Slurm has no pmix plug-in.")
        if shutil.which("mpirun") is None or not doctor()["mpi"]:
            self.skipTest("there is no mpirun, or this build has no MPI.")
        mpi_test.binary = binary
        found = []
        for name, launcher in (("mpirun", ("mpirun", "--oversubscribe")), ("srun", ("srun", "--overcommit", "--mpi=pmix"))):
            folder = mpi_test.Folder(self.sweep.folder, ["switch", "thor"], {"parallel.experts": "tokens"}, name)
            status, said = folder.run(2, launcher=launcher)
            self.assertEqual(status, 0, said)
            found.append(folder.everything())
            for run in folder.runs():
                self.assertEqual(json.loads((run / "result.json").read_text())["measurements"]["host"]["ranks"], 2)
        self.assertEqual(*found)

    def test_doctor_knows_it(self):
        found = doctor()
        self.assertRegex(found["slurm"]["version"], r"^slurm.* \d")
        self.assertEqual(found["slurm"]["pmix"], "pmix" in slurm.says("srun", "--mpi=list"))


def main():
    global binary, slurm
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True)
    arguments, rest = parser.parse_known_args()
    binary = os.path.abspath(arguments.binary)
    reason = why_not()
    if reason is None:
        with tempfile.TemporaryDirectory(prefix="slurm") as folder:
            slurm = Slurm(pathlib.Path(folder))
            try:
                slurm.start()
                return 0 if unittest.main(argv=[sys.argv[0], *rest], exit=False).result.wasSuccessful() else 1
            except unittest.SkipTest as skipped:
                reason = str(skipped)
            finally:
                slurm.stop()
    print(f"Skipped: {reason}")
    return SKIPPED


if __name__ == "__main__":
    sys.exit(main())
