"""Style sheet of the page: light and dark mode, from phones to wall displays, and print."""

STYLE = """
:root { --paper: #f6f6f4; --card: #fff; --ink: #1b1c1e; --soft: #62656b; --line: #e4e4e0; --tile: #dcdcd8;
  --l: .55; --c: .14; --on: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #121315; --card: #1b1d20; --ink: #ededee; --soft: #a0a4ac; --line: #2b2e33; --tile: #3a3d43;
    --l: .76; --c: .12; --on: #121315; }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--paper); color: var(--ink); font: 14px/20px system-ui, -apple-system, "Segoe UI", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-font-smoothing: antialiased; }
main { max-width: 1240px; margin: 0 auto; padding: 48px 28px 32px; }
h1 { font-size: 30px; line-height: 36px; letter-spacing: -.02em; font-weight: 650; }
h2 { font-size: 17px; line-height: 24px; font-weight: 620; letter-spacing: -.01em; margin-bottom: 8px; }
header p, .note, footer { color: var(--soft); }
header p { font-size: 16px; margin-top: 4px; }
section { margin-top: 32px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(136px, 1fr)); gap: 8px; margin-top: 24px; }
.tiles div { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px; }
.tiles h2 { font-size: 13px; line-height: 16px; font-weight: 500; color: var(--soft); margin: 0; }
.tiles b { display: block; font-size: 26px; line-height: 32px; font-weight: 620; letter-spacing: -.02em;
  margin: 4px 0; }
.tiles p { font-size: 12px; line-height: 16px; color: var(--soft); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; color: var(--soft); font-size: 13px; }
.legend i { display: inline-block; width: 24px; height: 10px; border-radius: 3px; margin-right: 8px; --h: 250; }
.axis, article { display: grid; grid-template-columns: 144px 112px minmax(0, 1fr); gap: 0 16px; }
.axis { padding: 0 17px; margin: 12px 0 6px; font-size: 12px; color: var(--soft); }
.axis p { grid-column: 3; display: flex; justify-content: space-between; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px;
  margin-bottom: 8px; break-inside: avoid; align-items: center; }
article:target { outline: 2px solid var(--ink); }
.who h3 { font-size: 16px; font-weight: 620; }
.who p { color: var(--soft); font-size: 12px; line-height: 18px; margin-top: 2px; }
.lanes { grid-column: 2 / 4; display: grid; grid-template-columns: 112px minmax(0, 1fr); gap: 6px 16px;
  align-items: center; }
.camera { font-size: 12px; color: var(--soft); overflow: hidden; text-overflow: ellipsis; white-space: nowrap;
  text-align: right; }
.lane { position: relative; height: 18px; border-bottom: 1px solid var(--line); }
.lane u, .lane i { position: absolute; left: min(var(--from), 100% - 3px); width: max(var(--wide), 3px); }
.lane u { top: 0; bottom: 2px; border-radius: 3px; }
.lane u, .there { background: var(--tile); }
.lane i { top: 0; bottom: 2px; border-radius: 3px; font: 600 11px/16px system-ui, sans-serif; padding-left: 5px;
  overflow: hidden; white-space: nowrap; }
.lane i:empty { padding: 0; }
.own, .other, .chip { background: oklch(var(--l) var(--c) var(--h)); color: var(--on); }
.other { background-image: repeating-linear-gradient(135deg, rgb(0 0 0 / .28) 0 3px, transparent 3px 7px);
  text-shadow: 0 0 3px oklch(var(--l) var(--c) var(--h)), 0 0 3px oklch(var(--l) var(--c) var(--h)); }
.chip { display: inline-block; min-width: 22px; border-radius: 4px; padding: 0 5px; font-size: 12px; line-height: 18px;
  font-weight: 600; text-align: center; }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: 6px;
  padding: 8px 16px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 5px 10px; text-align: right; white-space: nowrap; font-weight: 400; }
thead th { color: var(--soft); font-size: 12px; }
tr > th:first-child { text-align: left; padding-left: 0; }
tbody tr { border-top: 1px solid var(--line); }
.matrix { width: auto; margin: 4px 0; }
.matrix th, .matrix td { padding: 4px 6px; text-align: center; min-width: 44px; }
.matrix tbody tr { border: 0; }
.matrix td { border-radius: 4px; border: 2px solid var(--card); font-size: 13px;
  background: color-mix(in oklab, oklch(var(--l) var(--c) var(--h, 0)) calc(var(--share, 0) * 55% + var(--least, 0%)),
    var(--card)); }
.matrix td[style] { --least: 12%; }
.matrix { border-collapse: separate; border-spacing: 0; }
.matrix .mine { border-color: var(--ink); }
.note { margin-bottom: 8px; font-size: 13px; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 16px; }
.lists ul { background: var(--card); border: 1px solid var(--line); border-radius: 6px; padding: 12px 16px 12px 32px; }
.lists li { margin: 4px 0; }
footer { font-size: 13px; margin-top: 36px; max-width: 80ch; }
@media (max-width: 860px) {
  main { padding: 24px 14px; }
  .axis { display: none; }
  article { grid-template-columns: 1fr; gap: 8px; }
  .lanes { grid-column: 1; grid-template-columns: 72px minmax(0, 1fr); gap: 6px 8px; }
  .who { display: flex; align-items: baseline; gap: 12px; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print { body { background: none; } article, .scroll { border-color: #ccc; } }
"""
