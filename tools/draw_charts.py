#!/usr/bin/env python3
"""Draws every NAME.vl.json of a folder to NAME.svg and NAME.png beside it: draw_charts.py FOLDER [PACKAGES].

PACKAGES is a folder that holds vl_convert, where Python does not find it by itself. The program has this text compiled
in and runs it with `python3 -c`.
"""

import multiprocessing
import os
import pathlib
import re
import sys

PIXELS_PER_UNIT = 2  # of the PNG, for screens and print
MOST_PROCESSES = 4  # each holds some 200 MB


def with_own_numbers(svg: str) -> str:
    """Gradients and clips are numbered over all charts that a process has drawn; number them within each chart."""
    numbers: dict[str, str] = {}
    for name in re.findall(r'\bid="((?:gradient|clip)_?\d+)"', svg):
        numbers[name] = re.sub(r"\d+$", str(len(numbers)), name)
    return re.sub(r"\b(?:gradient|clip)_?\d+\b", lambda found: numbers.get(found[0], found[0]), svg)


def draw(specification: pathlib.Path) -> None:
    import vl_convert

    name = specification.name.removesuffix(".vl.json")
    svg = with_own_numbers(vl_convert.vegalite_to_svg(specification.read_text(encoding="utf-8")))
    specification.with_name(name + ".svg").write_text(svg, encoding="utf-8")
    specification.with_name(name + ".png").write_bytes(vl_convert.svg_to_png(svg, scale=PIXELS_PER_UNIT))


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.path[:0] = sys.argv[2:]
    import vl_convert  # where it is missing, that is said once and not by each process

    # The largest first, so that none of them is drawn last and alone.
    specifications = sorted(pathlib.Path(sys.argv[1]).glob("*.vl.json"), key=lambda path: -path.stat().st_size)
    processes = min(len(os.sched_getaffinity(0)), MOST_PROCESSES, len(specifications))
    if processes < 2:
        for specification in specifications:
            draw(specification)
        return
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        pool.map(draw, specifications, chunksize=1)


if __name__ == "__main__":
    main()
