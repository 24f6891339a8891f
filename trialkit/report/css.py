"""The one style of every page: black on white in print, the reader's own colours on screen."""

from __future__ import annotations

__all__ = ["CSS"]

CSS = """\
:root { color-scheme: light dark; --ink: #1a1a1a; --paper: #fff; --quiet: #595959;
  --line: #c8c8c8; --bad: #a4260b; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6e6e6; --paper: #161616; --quiet: #a8a8a8; --line: #4a4a4a; --bad: #ff9d85; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem; max-width: 66rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 0 0 .75rem; }
section { margin-top: 2.5rem; padding-top: 1.25rem; border-top: 1px solid var(--line); }
p, ul, ol { margin: .5rem 0; max-width: 45rem; }
.lead, footer, .note { color: var(--quiet); font-size: .9rem; }
.bad, tr.bad td, tr.bad th { color: var(--bad); font-weight: 600; }
tr.aside td, tr.aside th { color: var(--quiet); }
a { color: inherit; }
dl { margin: .75rem 0; font-size: .9rem; }
dl div { display: grid; grid-template-columns: 11rem 1fr; gap: .75rem; padding: .12rem 0; }
dt { color: var(--quiet); }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; border-bottom: 1.5px solid var(--ink); }
caption { text-align: left; font-weight: 600; padding: 0 0 .4rem; }
th, td { padding: .3rem .7rem; text-align: left; vertical-align: top; font-weight: normal; }
th:first-child, td:first-child { padding-left: 0; }
tbody th { min-width: 5rem; }
tbody th:only-of-type { min-width: 9rem; }
tbody th + th { white-space: nowrap; }
thead th { border-top: 1.5px solid var(--ink); border-bottom: 1px solid var(--ink);
  font-weight: 600; vertical-align: bottom; }
th.group { font-weight: 600; padding-top: .7rem; }
.number { text-align: right; white-space: nowrap; }
figure { margin: 1.25rem 0; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; }
figcaption { color: var(--quiet); font-size: .85rem; margin-top: .35rem; }
footer { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
footer dl { font-size: inherit; }
@media print {
  :root { color-scheme: light; --ink: #000; --paper: #fff; --quiet: #444; --line: #999;
    --bad: #8a1f08; }
  @page { margin: 18mm; }
  body { padding: 0; max-width: none; font-size: 10pt; }
  section { break-inside: auto; }
  tr, figure { break-inside: avoid; }
  h2, caption { break-after: avoid; }
  .scroll { overflow: visible; }
}
"""
