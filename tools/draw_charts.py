#!/usr/bin/env python3
"""Draws every NAME.vl.json of a folder to NAME.svg and NAME.png beside it: draw_charts.py FOLDER [PACKAGES].

PACKAGES is a folder that holds vl_convert, where Python does not find it by itself. The program has this text compiled
in and runs it with `python3 -c`.
"""

import pathlib
import sys

PIXELS_PER_UNIT = 2  # of the PNG, for screens and print


def main() -> None:
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    sys.path[:0] = sys.argv[2:]
    import vl_convert

    for specification in sorted(pathlib.Path(sys.argv[1]).glob("*.vl.json")):
        name = specification.name.removesuffix(".vl.json")
        svg = vl_convert.vegalite_to_svg(specification.read_text(encoding="utf-8"))
        specification.with_name(name + ".svg").write_text(svg, encoding="utf-8")
        specification.with_name(name + ".png").write_bytes(vl_convert.svg_to_png(svg, scale=PIXELS_PER_UNIT))


if __name__ == "__main__":
    main()
