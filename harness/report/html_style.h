#pragma once
// The style sheet of the HTML report.

namespace moe {

/// Light and dark by the reader's system. In dark mode the inks and the white of the charts (charts/style.h) are
/// exchanged by their values, so that one SVG serves both.
inline constexpr const char* html_style = R"(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #ffffff; --ink: #1f2328; --muted: #59636e; --line: #d9dfe5;
  --accent: #0b5cad; --warn: #8a4600; --warn-card: #fff6e8; --stripe: #f8f9fb; }
@media (prefers-color-scheme: dark) { :root { --page: #0f1216; --card: #171b21; --ink: #e4e8ec; --muted: #9aa5b1;
  --line: #2d343d; --accent: #74b1f2; --warn: #f0b673; --warn-card: #2a2118; --stripe: #1b2027; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 2.2rem 1.4rem 4rem; }
header h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 .3rem; font-weight: 650; letter-spacing: -.01em; }
header p { margin: 0; color: var(--muted); }
nav { margin: .9rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; font-size: .92rem; }
a { color: var(--accent); text-decoration: none; }
a:hover { text-decoration: underline; }
section { margin-top: 2.2rem; }
h2 { font-size: 1.15rem; font-weight: 650; margin: 0 0 .7rem; }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.25rem; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: .35rem 1.4rem; margin: 0; }
.facts dt { color: var(--muted); } .facts dd { margin: 0; overflow-wrap: anywhere; }
details { margin-top: .9rem; } summary { cursor: pointer; color: var(--accent); }
details .facts { margin-top: .7rem; font-size: .88rem; gap: .15rem 1.4rem; }
.scroll { overflow-x: auto; padding: 0; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; font-variant-numeric: tabular-nums; }
th, td { padding: .42rem .55rem; text-align: left; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { font-weight: 600; color: var(--muted); vertical-align: bottom; white-space: normal; line-height: 1.3; }
th.number, td.number { text-align: right; }
tbody tr:last-child td { border-bottom: 0; } tbody tr:nth-child(even) td { background: var(--stripe); }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--card); padding-left: 1.25rem; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .6em; }
.notes { color: var(--muted); font-size: .88rem; margin: .7rem 0 0; padding: 0 .2rem; }
.notes p { margin: .2rem 0; }
.warning { background: var(--warn-card); border: 1px solid var(--line); border-left: 4px solid var(--warn);
  border-radius: 8px; padding: .7rem 1rem; margin: 0 0 1rem; }
figure { margin: 0 0 1.4rem; } figure .card { overflow-x: auto; }
figure svg { max-width: 100%; height: auto; overflow: visible; }
figcaption { color: var(--muted); font-size: .9rem; margin: .5rem .2rem 0; max-width: 56rem; }
.failures li { margin: .35rem 0; } .failures { margin: 0; padding-left: 1.1rem; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: dark) {
  figure svg > rect[fill="white"] { fill: none; }
  figure svg [fill="white"] { fill: #171b21; } figure svg [stroke="white"] { stroke: #171b21; }
  figure svg text[fill="white"] { fill: #ffffff; }
  figure svg [fill="#1f2328"] { fill: #e4e8ec; } figure svg [stroke="#1f2328"] { stroke: #e4e8ec; }
  figure svg [fill="#59636e"] { fill: #9aa5b1; } figure svg [stroke="#59636e"] { stroke: #6b7682; }
  figure svg [stroke="#e3e8ed"] { stroke: #2d343d; }
  figure svg [stroke="#4f5661"] { stroke: #aab3be; } figure svg [fill="#4f5661"] { fill: #aab3be; }
}
@media print { body { background: #fff; } .card { border-color: #ccc; } nav { display: none; } }
)";

}  // namespace moe
