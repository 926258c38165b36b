"""tools/gpu-check with programs that only say what the real ones would: what it runs, its table, its file and its status.

    gpu_check_test.py ROOT
"""

import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

KERNELS = """#!/bin/sh
[ "$1" = "[cuda]" ] || exit 4
echo "All tests passed (12 assertions in 3 test cases)"
"""
TRAINING = """#!/bin/sh
printf 'warning:\n  host waits of a step, dense: 7\nwarning:\n  host waits of a step, switch: 19\n'
echo "All tests passed (9 assertions in 2 test cases)"
"""
STEPS = """#!/bin/sh
time=$([ "$MOE_BENCH_CUDA_KERNELS" = 0 ] && echo 6 || echo 3)
echo '{"benchmarks": [{"name": "step/small/fp32/cuda/real_time", "real_time": '$time'},
  {"name": "products/small/fp32/cuda/real_time", "real_time": 2}]}'
"""
LAYERS = """#!/bin/sh
time=$([ "$MOE_BENCH_CUDA_KERNELS" = 0 ] && echo 8 || echo 5)
echo '{"benchmarks": [{"name": "cuda/training/switch/fp32/experts:4/tokens:16384/real_time", "real_time": '$time'}]}'
"""
# Ends at once when it goes on from a checkpoint, else writes one and waits, unless the folder is that of the whole sweep.
SWEEP = """#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = --out ] && out=$2; shift; done
mkdir -p "$out/runs/a"
if [ "${out##*/}" = cut ] && [ ! -e "$out/runs/a/checkpoint.safetensors" ]; then
  touch "$out/runs/a/checkpoint.safetensors"
  exec sleep 30
fi
printf '{"scores": ["%s"], "measurements": {"started": %s}}' "SCORE" $$ > "$out/runs/a/result.json"
"""


class GpuCheckTest(unittest.TestCase):
    root = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.write("nvidia-smi", "#!/bin/sh\necho 'A GPU, 9.0, 580.1'\n")
        self.write("compute-sanitizer", "#!/bin/sh\nshift 3\nexec \"$@\"\n")
        self.write("test_kernels", KERNELS)
        self.write("test_routers", KERNELS)
        self.write("test_training", TRAINING)
        self.write("bench_training_step", STEPS)
        self.write("bench_moe_layer", LAYERS)
        self.write("moe-bench", SWEEP.replace("SCORE", "1"))

    def write(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")
        (self.folder / name).chmod(0o755)

    def check(self, *options):
        command = [sys.executable, self.root / "tools/gpu_check.py", "--build", self.folder,
                   "--out", self.folder / "out.json", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120,
                              env={**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"})
        file = self.folder / "out.json"
        rows = json.loads(file.read_text(encoding="utf-8"))["checks"] if file.exists() else []
        return done, {row["check"]: row for row in rows}

    def test_each_check_says_what_it_found(self):
        done, rows = self.check()
        for name in ("kernels", "routing", "memcheck", "racecheck", "LibTorch's operations"):
            self.assertEqual(rows[name]["verdict"], "passed", done.stdout)
            self.assertIn("12 assertions", rows[name]["says"])
        self.assertIn("dense 7, switch 19", rows["golden runs"]["says"])
        self.assertEqual(rows["kill and resume"]["says"], "1 runs end like uncut ones")
        self.assertIn("small fp32 3.00 ms (1.50 x its products)", rows["step time"]["says"])
        self.assertIn("small fp32 6.00 ms", rows["step time of LibTorch's operations"]["says"])
        self.assertEqual(rows["layer time"]["says"],
                         "switch/fp32/experts:4/tokens:16384 5.00 ms (LibTorch's operations 8.00)")
        self.assertIn("| kernels | passed |", done.stdout)
        self.assertIn("On A GPU, 9.0, 580.1:", done.stdout)

    def test_a_failure_is_said_and_the_others_go_on(self):
        self.write("test_kernels", "#!/bin/sh\necho 'test cases: 3 | 1 failed'\nexit 1\n")
        done, rows = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertEqual(rows["kernels"]["verdict"], "failed")
        self.assertIn("ended with 1: test cases: 3 | 1 failed", rows["kernels"]["says"])
        self.assertEqual(rows["golden runs"]["verdict"], "passed")

    def test_results_that_differ_after_a_cut_are_a_failure(self):
        self.write("moe-bench", SWEEP.replace("SCORE", "${out##*/}"))
        _, rows = self.check()
        self.assertEqual(rows["kill and resume"]["verdict"], "failed")
        self.assertIn("other results after the cut: a", rows["kill and resume"]["says"])

    def test_tests_that_found_no_gpu_did_not_pass(self):
        self.write("test_kernels", "#!/bin/sh\necho 'There is no GPU: nothing was checked.'\n")
        _, rows = self.check()
        self.assertEqual(rows["kernels"]["verdict"], "failed")

    def test_a_dry_run_runs_nothing_and_names_what_is_missing(self):
        (self.folder / "test_training").unlink()
        done, rows = self.check("--dry-run")
        self.assertEqual((done.returncode, rows), (3, {}))
        self.assertIn(f"missing: {self.folder}/test_training, for golden runs", done.stdout)
        self.assertIn(f"kernels: {self.folder}/test_kernels [cuda]", done.stdout)
        self.assertNotIn("compute-sanitizer, for", done.stdout)

    def test_without_a_gpu_the_machine_is_at_fault(self):
        self.write("nvidia-smi", "#!/bin/sh\nexit 9\n")
        done, rows = self.check()
        self.assertEqual((done.returncode, rows), (3, {}))
        self.assertIn("nvidia-smi names no GPU", done.stderr)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=pathlib.Path)
    GpuCheckTest.root = parser.parse_args().root.resolve()
    unittest.main(argv=sys.argv[:1])


if __name__ == "__main__":
    main()
