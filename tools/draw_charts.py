#!/usr/bin/env python3
"""Draws every NAME.vl.json of a folder to NAME.svg and NAME.png beside it: draw_charts.py FOLDER."""

import pathlib
import sys

import vl_convert

PIXELS_PER_UNIT = 2  # of the PNG, for screens and print


def draw(specification: pathlib.Path) -> None:
    name = specification.name.removesuffix(".vl.json")
    text = specification.read_text(encoding="utf-8")
    svg = vl_convert.vegalite_to_svg(text)
    specification.with_name(name + ".svg").write_text(svg, encoding="utf-8")
    specification.with_name(name + ".png").write_bytes(vl_convert.svg_to_png(svg, scale=PIXELS_PER_UNIT))


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for specification in sorted(pathlib.Path(sys.argv[1]).glob("*.vl.json")):
        draw(specification)


if __name__ == "__main__":
    main()
