#include "harness/report/page/html_parts.h"

#include <fmt/format.h>

namespace moe {
namespace {

/// Gradients and clips are numbered from zero in every SVG; on one page each chart needs names of its own.
std::string with_own_ids(std::string svg, const std::string& name) {
  svg = replace_all(svg, " id=\"", " id=\"" + name + "-");
  svg = replace_all(svg, "url(#", "url(#" + name + "-");
  return replace_all(svg, "href=\"#", "href=\"#" + name + "-");
}

/// The drawing as one thing to stop at by keyboard, whose marks the arrow keys go through (html_script.h).
std::string focusable(std::string svg, const std::string& title) {
  const std::size_t start = svg.find("<svg ");
  if (start == std::string::npos) return svg;
  return svg.insert(start + 5,
                    fmt::format("role=\"graphics-document\" tabindex=\"0\" aria-label=\"{}\" ", escape_html(title)));
}

}  // namespace

std::string html_table(const TextTable& table, const std::string& name, const std::vector<std::string>& before) {
  std::string html =
      fmt::format("<div class=\"card scroll\" role=\"region\" tabindex=\"0\" aria-label=\"{}\"><table><thead><tr>",
                  escape_html(name));
  const auto kind = [&](std::size_t column) { return table.numeric[column] ? " class=\"number\"" : ""; };
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    html += fmt::format("<th scope=\"col\"{}>{}</th>", kind(i), escape_html(table.header[i]));
  }
  html += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    html += "<tr>";
    for (std::size_t i = 0; i < table.header.size(); ++i) {
      const std::string start = i == 0 && !before.empty() ? before[r] : "";
      html += fmt::format("<td{}>{}{}</td>", kind(i), start, escape_html(table.rows[r][i]));
    }
    html += "</tr>\n";
  }
  return html + "</tbody></table></div>\n";
}

std::string html_notes(const std::vector<std::string>& notes) {
  std::string html;
  for (const std::string& note : notes) html += "<p>" + escape_html(note) + "</p>";
  return html.empty() ? "" : "<div class=\"notes\">" + html + "</div>\n";
}

std::string html_figure(const DrawnChart& chart) {
  return fmt::format(
      "<figure id=\"{0}\"><div class=\"card\">{1}</div><figcaption>{2} Files: <a href=\"charts/{0}.svg\">SVG</a>, "
      "<a href=\"charts/{0}.png\">PNG</a>, <a href=\"charts/{0}.vl.json\">Vega-Lite</a>.</figcaption></figure>\n",
      chart.name, focusable(with_own_ids(chart.svg, chart.name), chart.title), escape_html(chart.caption));
}

std::string html_fact(const std::string& name, const std::string& text) {
  return text.empty() ? "" : fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape_html(name), escape_html(text));
}

std::string html_details(const std::string& summary, const std::string& body) {
  return fmt::format("<details><summary>{}</summary>{}</details>\n", escape_html(summary), body);
}

}  // namespace moe
