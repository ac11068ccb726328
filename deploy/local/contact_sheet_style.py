"""Style sheet of the people page: light and dark mode, from phones to wall displays, and print."""

# Camera colours that stay distinguishable with red-green colour blindness (after Okabe and Ito), on light and on dark.
COLOURS = ("#2f7fd1", "#e08a00", "#0a9d74", "#c4609a", "#7a68d8", "#cf5a1a", "#3aa6c4", "#8a8f1f")

STYLE = """
:root { --paper: #f6f6f4; --card: #fff; --ink: #1b1c1e; --soft: #6a6d73; --line: #e4e4e0; --tile: #ececea; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #121315; --card: #1b1d20; --ink: #ededee; --soft: #989ca4; --line: #2b2e33; --tile: #26292e; }
}
* { box-sizing: border-box; margin: 0; }
body { background: var(--paper); color: var(--ink); font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif;
  font-variant-numeric: tabular-nums; -webkit-font-smoothing: antialiased; }
main { max-width: 1240px; margin: 0 auto; padding: 48px 28px 32px; }
h1 { font-size: 32px; line-height: 1.15; letter-spacing: -.02em; font-weight: 650; }
header p { color: var(--soft); margin-top: 8px; font-size: 16px; }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; }
header .legend { margin-top: 16px; font-size: 14px; }
.legend span::before { content: ""; display: inline-block; width: 10px; height: 10px; border-radius: 3px;
  background: var(--c); margin-right: 7px; }
h2 { font-size: 18px; font-weight: 620; letter-spacing: -.01em; padding-top: 12px; }
section { margin-top: 32px; }
.axis, article { display: grid; grid-template-columns: 88px calc(118px * var(--wide)) minmax(0, 1fr); gap: 24px;
  align-items: center; }
.axis { padding: 0 21px; margin-bottom: 8px; font-size: 12px; color: var(--soft); }
.axis p { grid-column: 3; display: flex; justify-content: space-between; }
article { background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 16px 20px;
  margin-bottom: 10px; break-inside: avoid; }
article:target { outline: 2px solid var(--ink); }
.who h3 { font-size: 31px; line-height: 1; font-weight: 650; letter-spacing: -.03em; }
.who p { color: var(--soft); font-size: 13px; margin-top: 8px; }
.way { display: flex; flex-wrap: wrap; gap: 14px; align-items: flex-start; }
figure { width: 104px; }
.frame { height: 168px; border-radius: 9px; overflow: hidden; background: var(--tile); display: flex;
  border-bottom: 3px solid var(--c); align-items: center; justify-content: center; }
.frame img { width: 100%; height: 100%; object-fit: contain; display: block; }
.none, .more { color: var(--soft); font-size: 12px; }
.more { align-self: center; }
figcaption { font-size: 12px; color: var(--soft); margin-top: 6px; line-height: 1.35; }
figcaption b { display: block; font-weight: 600; color: var(--ink); overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
.lanes { display: grid; gap: 8px; }
.lane { position: relative; height: 12px; border-radius: 6px; background: var(--tile); }
.lane i { position: absolute; top: 0; bottom: 0; left: min(var(--from), 100% - 5px); min-width: 5px;
  border-radius: 6px; background: var(--c); }
footer { color: var(--soft); font-size: 13px; margin-top: 36px; }
@media (max-width: 860px) {
  main { padding: 28px 14px; }
  .axis { display: none; }
  article { grid-template-columns: 1fr; gap: 14px; padding: 16px; }
  .who { display: flex; align-items: baseline; gap: 14px; }
}
@media print { body { background: none; } article { border-color: #ccc; } }
"""
