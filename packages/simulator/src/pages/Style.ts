/** The one stylesheet of the simulator's pages, and of the demo shop. */

export const stylesheet = `
:root {
  color-scheme: light dark;
  --ground: #f6f6f3;
  --surface: #ffffff;
  --text: #1c1f23;
  --muted: #575e66;
  --line: #dcddd8;
  --edge: #878d94;
  --accent: #2f55c8;
  --accent-strong: #23419c;
  --on-accent: #ffffff;
  --focus: #2f55c8;
  --good: #0d4f2c; --good-ground: #d9f0e1;
  --warn: #644200; --warn-ground: #fcebbf;
  --bad: #861427; --bad-ground: #fbdfe3;
  --plain: #3d444c; --plain-ground: #e6e7e4;
}
body.simulator { --accent: #0f6a66; --accent-strong: #0a4f4c; --focus: #0f6a66; }
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131518;
    --surface: #1c1f24;
    --text: #e9ebee;
    --muted: #a7aeb7;
    --line: #30353c;
    --edge: #77808b;
    --accent: #9db6ff;
    --accent-strong: #c0d0ff;
    --on-accent: #0e1424;
    --focus: #9db6ff;
    --good: #a2e5ba; --good-ground: #14371f;
    --warn: #f5d78d; --warn-ground: #3b2d08;
    --bad: #ffb8c1; --bad-ground: #45161f;
    --plain: #c9cfd6; --plain-ground: #2d323a;
  }
  body.simulator { --accent: #77d5cd; --accent-strong: #a4e7e1; --focus: #77d5cd; --on-accent: #06201e; }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0;
  min-height: 100vh;
  display: flex;
  flex-direction: column;
  background: var(--ground);
  color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
.wide { width: 100%; max-width: 68rem; margin-inline: auto; padding-inline: 1.25rem; }
h1 { font-size: 1.85rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 0.5rem; text-wrap: balance; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 0.75rem; }
h3 { font-size: 1.05rem; line-height: 1.3; margin: 0 0 0.25rem; }
p { margin: 0 0 0.85rem; max-width: 42rem; text-wrap: pretty; }
p:last-child { margin-bottom: 0; }
a { color: var(--accent); text-underline-offset: 0.15em; }
a:hover { color: var(--accent-strong); }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
main:focus { outline: none; }
.skip { position: absolute; left: -999rem; top: 0.5rem; padding: 0.5rem 1rem; background: var(--surface); z-index: 1; }
.skip:focus { left: 0.5rem; }
.lead { font-size: 1.1rem; color: var(--muted); }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }
code, .code { font: 0.9em/1.4 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }

.top { background: var(--surface); border-bottom: 1px solid var(--line); }
.top .wide { display: flex; flex-wrap: wrap; align-items: center; gap: 0.35rem 1.5rem; padding-block: 0.75rem; }
.brand { font-weight: 700; font-size: 1.1rem; color: var(--text); text-decoration: none; letter-spacing: -0.01em; }
.brand::before {
  content: ""; display: inline-block; width: 0.7rem; height: 0.7rem; margin-right: 0.5rem; border-radius: 3px;
  background: var(--accent);
}
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; list-style: none; margin: 0; padding: 0; }
nav a { display: inline-block; padding: 0.3rem 0; color: var(--muted); text-decoration: none; }
nav a:hover { color: var(--text); text-decoration: underline; }
nav a[aria-current] { color: var(--text); font-weight: 600; box-shadow: inset 0 -2px var(--accent); }
.aside { margin-left: auto; display: flex; align-items: center; gap: 0.75rem; }
.notice { background: var(--warn-ground); color: var(--warn); }
.notice .wide { padding-block: 0.6rem; }
.notice p { max-width: none; }
.notice a { color: inherit; }
main { flex: 1; padding-block: 2rem 3rem; }
main > section, main > div > section, main > form { margin-top: 2.5rem; }
main > section.card { margin-top: 1.25rem; }
section { scroll-margin-top: 1rem; }
section > .message { max-width: none; }
footer { padding-block: 1.25rem 2rem; color: var(--muted); font-size: 0.875rem; border-top: 1px solid var(--line); }
h1 + :is(.card, .empty, div) { margin-top: 1.25rem; }

.card { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 1.25rem 1.4rem; }
.card + .card { margin-top: 1rem; }
.narrow { max-width: 30rem; margin-inline: auto; }
.cards { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(15rem, 1fr)); padding: 0; list-style: none; margin: 0; }
.cards > * { display: flex; flex-direction: column; gap: 0.35rem; }
.cards > .card { margin: 0; }
.cards p { margin: 0; }
.cards form { margin-top: auto; padding-top: 0.75rem; }
.price { font-size: 1.5rem; font-weight: 650; letter-spacing: -0.01em; margin: 0; }
.price .per { font-size: 1rem; font-weight: 400; color: var(--muted); letter-spacing: 0; }
.head { display: flex; flex-wrap: wrap; gap: 0.4rem 0.75rem; align-items: center; margin-bottom: 0.75rem; }
.head h1, .head h2, .head h3 { margin: 0; }
.empty { border: 1px dashed var(--edge); border-radius: 12px; padding: 1.25rem 1.4rem; color: var(--muted); }
.badge {
  display: inline-block; padding: 0.1rem 0.55rem; border-radius: 999px; font-size: 0.8125rem; font-weight: 600;
  white-space: nowrap; color: var(--plain); background: var(--plain-ground);
}
.badge.good { color: var(--good); background: var(--good-ground); }
.badge.warn { color: var(--warn); background: var(--warn-ground); }
.badge.bad { color: var(--bad); background: var(--bad-ground); }
.message { border-radius: 10px; padding: 0.75rem 1rem; margin: 0 0 1.25rem; background: var(--plain-ground); color: var(--plain); }
.message.good { color: var(--good); background: var(--good-ground); }
.message.warn { color: var(--warn); background: var(--warn-ground); }
.message.bad { color: var(--bad); background: var(--bad-ground); }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.35rem 1.25rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }

.due { margin-bottom: 1.1rem; padding-bottom: 1rem; border-bottom: 1px solid var(--line); }

.row { display: flex; flex-wrap: wrap; gap: 0.6rem; align-items: center; }
.row form, .row p { margin: 0; }
.gap { margin-top: 1.1rem; }
button, .button {
  display: inline-block; font: inherit; font-weight: 550; line-height: 1.3; padding: 0.5rem 0.95rem; border-radius: 8px;
  border: 1px solid var(--edge); background: var(--surface); color: var(--text); cursor: pointer; text-decoration: none;
}
button:hover, .button:hover { border-color: var(--accent); color: var(--accent-strong); }
button:active { transform: translateY(1px); }
button.primary, .button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.primary:hover, .button.primary:hover { background: var(--accent-strong); border-color: var(--accent-strong); color: var(--on-accent); }
button.danger { color: var(--bad); border-color: currentcolor; }
button.danger:hover { background: var(--bad-ground); color: var(--bad); }
button.full { width: 100%; padding-block: 0.7rem; }
button.link { border: 0; background: none; padding: 0.3rem 0; color: var(--accent); text-decoration: underline; font-weight: 400; text-underline-offset: 0.15em; }
table button:not(.link), .tight button { padding: 0.3rem 0.65rem; font-size: 0.875rem; }
label, .label { display: block; font-weight: 600; margin-bottom: 0.25rem; }
input[type="text"], input[type="email"], input[type="number"], select {
  width: 100%; font: inherit; color: var(--text); background: var(--ground); border: 1px solid var(--edge);
  border-radius: 8px; padding: 0.5rem 0.7rem;
}
input.amount[type="text"] { width: 6.5rem; padding: 0.3rem 0.55rem; font-size: 0.875rem; }
.row > label { margin: 0; font-size: 0.875rem; }
input[readonly] { color: var(--muted); }
.field { margin-bottom: 1rem; }
.check { display: flex; gap: 0.6rem; align-items: baseline; margin-bottom: 0.55rem; font-weight: 400; }
.check strong { font-weight: 600; }
.check input { accent-color: var(--accent); width: 1.05rem; height: 1.05rem; flex: none; transform: translateY(0.15rem); }
.row > .check { margin-bottom: 0; }
fieldset { border: 0; margin: 0 0 1rem; padding: 0; min-width: 0; }
legend { padding: 0; font-weight: 600; margin-bottom: 0.5rem; }

.scroll { overflow-x: auto; background: var(--surface); border: 1px solid var(--line); border-radius: 12px; }
table { border-collapse: collapse; width: 100%; min-width: 36rem; font-size: 0.9375rem; }
body.simulator table { min-width: 52rem; }
table .small { font-weight: 400; }
table code, table time { white-space: nowrap; }
th, td { text-align: left; padding: 0.6rem 0.9rem; vertical-align: middle; border-top: 1px solid var(--line); }
thead th { border-top: 0; color: var(--muted); font-weight: 600; font-size: 0.8125rem; white-space: nowrap; }
tbody tr:hover { background: color-mix(in srgb, var(--accent) 5%, transparent); }
tbody tr.group:hover { background: none; }
tr.group th { padding-top: 1rem; font-weight: 600; }
.kinds { margin-bottom: 0.85rem; }
.kinds ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; list-style: none; margin: 0; padding: 0; }
.kinds a[aria-current] code { font-weight: 600; }
td.actions { min-width: 17rem; }
td.plan { white-space: nowrap; }
.log { list-style: none; margin: 0; padding: 0; }
.log li { padding: 0.7rem 0; border-top: 1px solid var(--line); display: flex; flex-wrap: wrap; gap: 0.25rem 0.9rem; align-items: baseline; }
.log li:first-child { border-top: 0; }
.log.card { padding-block: 0.35rem; padding-inline: 1.4rem; }
.split { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); }
.split > .card { margin: 0; }
@media (max-width: 36rem) {
  main { padding-block: 1.35rem 2rem; }
  h1 { font-size: 1.5rem; }
  nav ul { gap: 0.25rem 0.9rem; font-size: 0.9375rem; }
  .aside { margin-left: 0; width: 100%; justify-content: space-between; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.6rem; }
}
details { margin-top: 1rem; }
summary { cursor: pointer; font-weight: 600; }
details > .scroll { margin-top: 0.75rem; }
@media (max-width: 52rem) {
  .scroll { overflow-x: visible; background: none; border: 0; }
  table, body.simulator table { min-width: 0; }
  table, tbody, tr, th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 0.75rem 1rem; }
  tbody tr + tr { margin-top: 0.75rem; }
  tbody + tbody { margin-top: 1.5rem; }
  tbody tr.group { background: none; border: 0; padding: 0; }
  tr.group + tr { margin-top: 0.4rem; }
  th, td { border: 0; padding: 0.2rem 0; }
  td:empty { display: none; }
  td.plan { white-space: normal; }
  td.actions { min-width: 0; padding-top: 0.5rem; }
  table code { white-space: normal; overflow-wrap: anywhere; }
}
@media (prefers-reduced-motion: reduce) { button:active { transform: none; } }
`
