"""An installed program needs neither the source tree nor the build folder: it answers, runs and draws charts elsewhere.

    install_test.py BUILD

Installs into a temporary folder (600 MB), and hides the source tree, of which BUILD is a folder, from the program.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

SWEEP = """{"name": "tiny", "data": {"source": "synthetic", "directions": ["aa-ba"], "test": ["test"], "vocabulary": 200,
  "synthetic": {"train_sentences": 60, "valid_sentences": 8, "test_sentences": 8}},
 "model": {"encoder_layers": 1, "decoder_layers": 1, "width": 16, "ffn": 16, "heads": 2},
 "training": {"tokens_per_batch": 128, "updates": 4}, "evaluation": {"every": 2, "beam": 1},
 "grid": {"strategy.router": ["dense", "switch"]}}"""


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run(["cmake", "--install", build, "--prefix", folder / "usr"], check=True, stdout=subprocess.DEVNULL)
        program = folder / "usr/bin/moe-bench"
        # Where this process may, it hides the source tree from the installed program.
        hide = ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', build.parent]
        if subprocess.run([*hide, "true"], capture_output=True).returncode != 0:
            print("The source tree could not be hidden: this needs the right to mount.")
            hide = []
        environment = {"PATH": os.environ["PATH"], "HOME": name}

        def run(*arguments):
            done = subprocess.run([*hide, program, *arguments], cwd=name, env=environment, capture_output=True, text=True)
            if done.returncode != 0:
                sys.exit(f"{' '.join(map(str, arguments))} ended with {done.returncode}: {done.stderr}")
            return done.stdout + done.stderr

        run("--version")
        (folder / "sweep.json").write_text(SWEEP, encoding="utf-8")
        said = run("run", "sweep.json", "--out", "out")
        charts = sorted((folder / "out/report/charts").glob("*.svg"))
        if not charts:
            sys.exit(f"No chart was drawn: {said}")
        linked = subprocess.run(["ldd", program], env=environment, capture_output=True, text=True, check=True).stdout
        if str(build.parent) in linked:
            sys.exit(f"The installed program is linked with the source tree's libraries:\n{linked}")
        if not (folder / "usr/share/bash-completion/completions/moe-bench").exists():
            sys.exit("The completion of bash was not installed.")
        if shutil.which("bash"):
            subprocess.run(["bash", "-n", folder / "usr/share/bash-completion/completions/moe-bench"], check=True)
        print(f"{len(charts)} charts drawn by the installed program.")


if __name__ == "__main__":
    main()
