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
h3 { font-size: 1rem; font-weight: 650; margin: 1.4rem 0 .6rem; }
.skip { position: absolute; left: -99rem; }
.skip:focus { left: 1rem; top: .6rem; background: var(--card); padding: .4rem .8rem; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
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
th:first-child, td:first-child { position: sticky; left: 0; background: var(--card); padding-left: 1.25rem;
  white-space: normal; min-width: 9rem; max-width: 22rem; }
.swatch { display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .6em; }
.words p { margin: .35rem 0; max-width: 62rem; }
.words b { font-size: .8rem; font-weight: 600; border: 1.5px solid var(--mark); border-radius: 99px; padding: .05rem .55rem;
  margin-right: .3rem; white-space: nowrap; }
.tip { position: fixed; z-index: 2; max-width: min(24rem, calc(100vw - 16px)); background: var(--ink); color: var(--page);
  border-radius: 6px; padding: .3rem .6rem; font-size: .84rem; pointer-events: none; }
.tip[hidden] { display: none; } .lit { filter: drop-shadow(0 0 2px var(--accent)) brightness(1.1); }
pre { overflow-x: auto; font: .85rem ui-monospace, Menlo, Consolas, "DejaVu Sans Mono", monospace; margin: .6rem 0 0; }
.notes { color: var(--muted); font-size: .88rem; margin: .7rem 0 0; padding: 0 .2rem; }
.notes p { margin: .2rem 0; }
.warning { background: var(--warn-card); border: 1px solid var(--line); border-left: 4px solid var(--warn);
  border-radius: 8px; padding: .7rem 1rem; margin: 0 0 1rem; }
figure { margin: 0 0 1.4rem; } figure .card { overflow-x: auto; }
figure svg { max-width: 100%; height: auto; overflow: visible; display: block; }
figcaption { color: var(--muted); font-size: .9rem; margin: .5rem .2rem 0; max-width: 56rem; }
.failures li { margin: .35rem 0; } .failures { margin: 0; padding-left: 1.1rem; }
code { font: .92em ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
@media (prefers-color-scheme: dark) {
  figure svg > rect[fill="white"] { fill: none; }
  figure svg [fill="white"] { fill: #171b21; } figure svg [stroke="white"] { stroke: #171b21; }
  figure svg text[fill="white"] { fill: #ffffff; }
  figure svg text[fill="#0072b2"] { fill: #5bb0e8; } figure svg text[fill="#7a57b3"] { fill: #b39ae0; }
  figure svg [fill="#1f2328"] { fill: #e4e8ec; } figure svg [stroke="#1f2328"] { stroke: #e4e8ec; }
  figure svg [fill="#59636e"] { fill: #9aa5b1; } figure svg [stroke="#59636e"] { stroke: #6b7682; }
  figure svg [stroke="#e3e8ed"] { stroke: #2d343d; } figure svg [fill="#e3e8ed"] { fill: #2d343d; }
  figure svg [stroke="#4f5661"] { stroke: #aab3be; } figure svg [fill="#4f5661"] { fill: #aab3be; }
}
/* On a narrow screen a chart shrinks to where its words can still be read; then its card scrolls, not the page. */
@media screen and (max-width: 640px) {
  main { padding: 1.2rem .7rem 3rem; } .card { padding: .8rem; } .scroll { padding: 0; }
  .facts { grid-template-columns: 1fr; gap: 0; } .facts dd { margin-bottom: .5rem; }
  figure svg { min-width: 34rem; } th:first-child, td:first-child { padding-left: .7rem; max-width: 45vw; }
}
@page { size: A4; margin: 14mm; }
@media print {
  :root { color-scheme: light; --page: #fff; --card: #fff; --ink: #1f2328; --muted: #59636e; --line: #ccc;
    --accent: #0b5cad; }
  body { font-size: 10.5pt; } main { max-width: none; padding: 0; } nav, .skip, .tip { display: none; }
  h2, h3 { break-after: avoid; } figure, tr, .words { break-inside: avoid; } figure svg { max-height: 240mm; }
  .scroll, figure .card { overflow: visible; }
  table { font-size: 6.8pt; } th, td { white-space: normal; padding: .15rem .25rem; }
  th:first-child, td:first-child { position: static; min-width: 0; padding-left: .4rem; }
  details::details-content { content-visibility: visible; display: block; }
  a { color: inherit; }
}
)";

}  // namespace moe
