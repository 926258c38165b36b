#pragma once
// The script of the HTML report. The page is whole without it: it only shows beside a mark of a chart what the mark
// says of itself to a screen reader.

namespace moe {

/// The pointer shows the mark under it; with the focus on a chart, the arrow keys go from mark to mark and Escape ends.
/// Before printing, folded parts open.
inline constexpr const char* html_script = R"(
(() => {
  const marks = '.role-mark [aria-label]';
  const tip = document.body.appendChild(document.createElement('div'));
  tip.className = 'tip';
  tip.setAttribute('role', 'status');
  tip.hidden = true;
  const hide = () => {
    tip.hidden = true;
    document.querySelectorAll('.lit').forEach(mark => mark.classList.remove('lit'));
  };
  const show = mark => {
    hide();
    mark.classList.add('lit');
    tip.textContent = mark.getAttribute('aria-label');
    tip.hidden = false;
    const place = mark.getBoundingClientRect(), edge = document.documentElement.clientWidth - tip.offsetWidth - 8;
    tip.style.left = Math.max(8, Math.min(edge, place.x + place.width / 2 - tip.offsetWidth / 2)) + 'px';
    tip.style.top = (place.y > tip.offsetHeight + 12 ? place.y - tip.offsetHeight - 8 : place.bottom + 8) + 'px';
  };
  document.addEventListener('mouseover', event => {
    const mark = event.target.closest && event.target.closest(marks);
    mark ? show(mark) : hide();
  });
  document.addEventListener('scroll', hide, true);
  document.querySelectorAll('figure svg').forEach(chart => {
    chart.addEventListener('blur', hide);
    chart.addEventListener('keydown', event => {
      const all = [...chart.querySelectorAll(marks)], at = all.indexOf(chart.querySelector('.lit'));
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      if (event.key === 'Escape') hide();
      if (!step || !all.length) return;
      event.preventDefault();
      show(all[Math.max(0, Math.min(all.length - 1, at + step))]);
    });
  });
  addEventListener('beforeprint', () => document.querySelectorAll('details').forEach(part => { part.open = true; }));
})();
)";

}  // namespace moe
