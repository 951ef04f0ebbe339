"""The style of a report's page: quiet, dense, readable at 360 pixels, on paper and in the dark."""

from __future__ import annotations

from treadle.pictures.palette import stylesheet

_RULES = """
* { box-sizing: border-box }
body { margin: 0; background: var(--tr-paper); color: var(--tr-ink); overflow-wrap: break-word;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; font-variant-numeric: tabular-nums }
header, .page, footer { max-width: 1080px; margin: 0 auto; padding: 0 16px }
header { padding-top: 32px }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px }
header p { margin: 0 0 8px; font-size: 18px; color: var(--tr-soft) }
h2 { font-size: 21px; line-height: 1.3; margin: 32px 0 12px }
p, ul { max-width: 70ch; margin: 0 0 12px }
a { color: var(--tr-busy) }
:focus-visible { outline: 2px solid var(--tr-busy); outline-offset: 2px }
code { font: .9em ui-monospace, SFMono-Regular, Menlo, monospace; background: var(--tr-shade);
  padding: 1px 4px; border-radius: 3px }
.skip { position: absolute; left: -999px }
.skip:focus { left: 8px; top: 8px; background: var(--tr-paper); padding: 8px }
.page { display: grid; grid-template-columns: 200px minmax(0, 1fr); gap: 32px }
nav { position: sticky; top: 16px; align-self: start; padding-top: 36px; font-size: 14px;
  max-height: 100vh; overflow: auto }
nav h2 { font-size: 14px; margin: 0 0 6px; color: var(--tr-soft) }
nav ol { margin: 0; padding: 0; list-style: none }
nav a { display: block; padding: 4px 0; line-height: 18px; text-decoration: none }
nav a:hover { text-decoration: underline }
section + section { border-top: 1px solid var(--tr-grid); margin-top: 32px }
figure { margin: 20px 0 28px }
figcaption { margin-bottom: 10px; max-width: 80ch }
figcaption strong { display: block }
figcaption span { color: var(--tr-soft); font-size: 15px }
figure .tr-chart { display: block; max-width: 100%; height: auto }
.slim { display: none }
details { margin-top: 4px; font-size: 14px }
summary { cursor: pointer; color: var(--tr-busy); padding: 4px 0; width: max-content }
.scroll { overflow-x: auto; margin: 12px 0 24px }
table { border-collapse: collapse; font-size: 14px; line-height: 20px; min-width: min(100%, 420px) }
caption { text-align: left; color: var(--tr-soft); padding: 0 0 6px; font-size: 15px;
  max-width: calc(100vw - 32px) }
th, td { text-align: left; vertical-align: top; padding: 5px 20px 5px 0;
  border-bottom: 1px solid var(--tr-grid); min-width: 8ch; max-width: 72ch }
th { color: var(--tr-soft); font-weight: 600; vertical-align: bottom }
th:not([class]), td:not([class]) { min-width: 22ch }
th.n, td.n { text-align: right; min-width: 0 }
td.n, td.w, .state { white-space: nowrap }
.glyph { vertical-align: -2px; margin-right: 5px }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(180px, 1fr)); gap: 16px 28px;
  margin: 8px 0 24px }
dt { color: var(--tr-soft); font-size: 14px }
dd { margin: 0; font-size: 24px; line-height: 1.3; font-weight: 600 }
dd.note { font-size: 14px; font-weight: 400; color: var(--tr-soft) }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(250px, 1fr)); gap: 28px 26px;
  margin: 12px 0 28px }
.card { min-width: 0; border-top: 2px solid var(--tr-axis); padding-top: 8px }
.card h3 { font-size: 15px; line-height: 20px; margin: 0 0 6px; display: flex; gap: 8px; align-items: baseline;
  justify-content: space-between; overflow-wrap: anywhere }
.card h3 span { color: var(--tr-soft); font-weight: 400; font-size: 13px; white-space: nowrap }
.card p { font-size: 13px; line-height: 18px; margin: 0 0 6px }
.card .tr-chart { display: block; max-width: 100% }
.card dl { margin: 6px 0 0; font-size: 13px; line-height: 19px; columns: 2; column-gap: 18px }
.card dl div { display: flex; justify-content: space-between; gap: 8px; break-inside: avoid }
.card dt { font-size: 13px; white-space: nowrap }
.card dd { font-size: 13px; line-height: 19px; font-weight: 400; text-align: right; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap }
footer { border-top: 1px solid var(--tr-grid); margin-top: 40px; padding-top: 12px; padding-bottom: 32px;
  color: var(--tr-soft); font-size: 14px }
@media (max-width: 1040px) {
  .page { display: block }
  nav { position: static; padding-top: 12px }
  nav ol { columns: 2 }
}
@media (max-width: 640px) {
  .wide { display: none }
  .slim { display: block }
  nav ol { columns: 1 }
  h1 { font-size: 23px }
  header p { font-size: 16px }
  .figures { grid-template-columns: repeat(auto-fit, minmax(136px, 1fr)); gap: 14px 20px }
}
@media print {
  nav, details, .skip { display: none }
  .page { display: block }
  .wide { display: block }
  .slim { display: none }
  .scroll { overflow: visible }
  figure, tr, .figures div, .card { break-inside: avoid }
  h2, figcaption { break-after: avoid }
  body { font-size: 11pt }
}
"""


def page_style() -> str:
    """Return the CSS of a page: the colour tokens for the whole document, then its rules."""
    return stylesheet(":root") + _RULES
