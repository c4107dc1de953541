/** The one stylesheet of the console, which is in each page: a mount of one path has no other to serve it at. */
import { createHash } from "node:crypto"

export const stylesheet = `
:root {
  color-scheme: light dark;
  --ground: #f6f6f3; --surface: #ffffff; --text: #1c1f23; --muted: #575e66; --line: #dcddd8; --edge: #878d94;
  --accent: #2f55c8; --accent-strong: #23419c; --on-accent: #ffffff;
  --good: #0d4f2c; --good-ground: #d9f0e1;
  --warn: #644200; --warn-ground: #fcebbf;
  --bad: #861427; --bad-ground: #fbdfe3;
  --plain: #3d444c; --plain-ground: #e6e7e4;
  --bar: #4a72dd; --bar-bad: #c02a42;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #131518; --surface: #1c1f24; --text: #e9ebee; --muted: #a7aeb7; --line: #30353c; --edge: #77808b;
    --accent: #9db6ff; --accent-strong: #c0d0ff; --on-accent: #0e1424;
    --good: #a2e5ba; --good-ground: #14371f;
    --warn: #f5d78d; --warn-ground: #3b2d08;
    --bad: #ffb8c1; --bad-ground: #45161f;
    --plain: #c9cfd6; --plain-ground: #2d323a;
    --bar: #7f9df5; --bar-bad: #ff7f90;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; min-height: 100vh; background: var(--ground); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
.wide { width: 100%; max-width: 72rem; margin-inline: auto; padding-inline: 1.25rem; }
h1 { font-size: 1.75rem; line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 0.75rem; overflow-wrap: anywhere; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0 0 0.75rem; }
p { margin: 0 0 0.85rem; max-width: 46rem; overflow-wrap: anywhere; }
p.message, p.empty { max-width: none; }
.word { white-space: nowrap; }
p:last-child { margin-bottom: 0; }
a { color: var(--accent); text-underline-offset: 0.15em; }
a:hover { color: var(--accent-strong); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
main:focus { outline: none; }
.skip { position: absolute; left: -999rem; top: 0.5rem; padding: 0.5rem 1rem; background: var(--surface); z-index: 1; }
.skip:focus { left: 0.5rem; }
.muted { color: var(--muted); }
.small { font-size: 0.875rem; }
code, pre { font: 0.875rem/1.45 ui-monospace, "SF Mono", Menlo, Consolas, monospace; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; background: var(--ground); border: 1px solid var(--line); border-radius: 8px; padding: 0.75rem; margin: 0.5rem 0 0; }
.top { background: var(--surface); border-bottom: 1px solid var(--line); }
.top .wide { display: flex; flex-wrap: wrap; align-items: center; gap: 0.35rem 1.5rem; padding-block: 0.7rem; }
.brand { font-weight: 700; color: var(--text); text-decoration: none; }
nav ul { display: flex; flex-wrap: wrap; gap: 0.25rem 1.1rem; list-style: none; margin: 0; padding: 0; }
nav a { display: inline-block; padding: 0.3rem 0; color: var(--muted); text-decoration: none; }
nav a:hover { color: var(--text); text-decoration: underline; }
nav a[aria-current] { color: var(--text); font-weight: 600; box-shadow: inset 0 -2px var(--accent); }
.who { margin-left: auto; color: var(--muted); font-size: 0.875rem; overflow-wrap: anywhere; }
main { padding-block: 1.75rem 3rem; }
section { margin-top: 2rem; }
.card { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 1.1rem 1.25rem; }
.card + .card { margin-top: 0.75rem; }
.empty { border: 1px dashed var(--edge); border-radius: 12px; padding: 1rem 1.25rem; color: var(--muted); }
.split { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr)); }
.split > .card { margin: 0; }
.badge {
  display: inline-block; padding: 0.1rem 0.55rem; border-radius: 999px; font-size: 0.8125rem; font-weight: 600;
  white-space: nowrap; color: var(--plain); background: var(--plain-ground);
}
.badge.good, .message.good { color: var(--good); background: var(--good-ground); }
.badge.warn, .message.warn { color: var(--warn); background: var(--warn-ground); }
.badge.bad, .message.bad { color: var(--bad); background: var(--bad-ground); }
.message { border-radius: 10px; padding: 0.75rem 1rem; margin: 0 0 1.25rem; background: var(--plain-ground); color: var(--plain); overflow-wrap: anywhere; }
.message a { color: inherit; }
dl { display: grid; grid-template-columns: minmax(7rem, max-content) 1fr; gap: 0.35rem 1.25rem; margin: 0; }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
.row { display: flex; flex-wrap: wrap; gap: 0.6rem; align-items: end; }
.row > * { margin: 0; }
.row .field { flex: 1 1 12rem; }
.gap { margin-top: 1rem; }
button, .button {
  display: inline-block; font: inherit; font-weight: 550; line-height: 1.3; padding: 0.5rem 0.95rem; border-radius: 8px;
  border: 1px solid var(--edge); background: var(--surface); color: var(--text); cursor: pointer; text-decoration: none;
}
button:hover, .button:hover { border-color: var(--accent); color: var(--accent-strong); }
button.link { border: 0; padding: 0; background: none; color: var(--accent); font-weight: inherit; text-decoration: underline; text-underline-offset: 0.15em; }
#live { float: right; margin: 0.45rem 0 0 1rem; }
#live[hidden] { display: none; }
@media (prefers-reduced-motion: no-preference) {
  .fresh { animation: fresh 2s ease-out; }
  @keyframes fresh { from { background: var(--good-ground); } }
}
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.primary:hover { background: var(--accent-strong); border-color: var(--accent-strong); color: var(--on-accent); }
td .button { padding: 0.3rem 0.65rem; font-size: 0.875rem; }
td > .row { flex-wrap: nowrap; }
label { display: block; font-weight: 600; margin-bottom: 0.25rem; }
input[type="text"], select {
  width: 100%; font: inherit; color: var(--text); background: var(--surface); border: 1px solid var(--edge);
  border-radius: 8px; padding: 0.5rem 0.7rem; min-width: 0; height: 2.65rem;
}
.scroll { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
table { border-collapse: collapse; width: 100%; font-size: 0.9375rem; }
th, td { text-align: left; padding: 0.55rem 0.8rem; vertical-align: top; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
thead th { border-top: 0; color: var(--muted); font-weight: 600; font-size: 0.8125rem; white-space: nowrap; }
td time { white-space: nowrap; }
details { margin-top: 0.75rem; }
summary { cursor: pointer; font-weight: 600; }
figure { margin: 0; }
figcaption { font-weight: 600; margin-bottom: 0.5rem; }
svg { display: block; width: 100%; height: 6rem; }
svg .ok { fill: var(--bar); }
svg .bad { fill: var(--bar-bad); }
svg .base { stroke: var(--edge); stroke-width: 1; vector-effect: non-scaling-stroke; }
.pages { display: flex; gap: 1rem; margin-top: 1rem; }
footer { padding-block: 1rem 2rem; color: var(--muted); font-size: 0.875rem; border-top: 1px solid var(--line); }
@media (max-width: 46rem) {
  main { padding-block: 1.25rem 2rem; }
  h1 { font-size: 1.4rem; }
  .who { margin-left: 0; width: 100%; }
  #live { float: none; margin: 0 0 0.5rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: 0.6rem; }
  .scroll { background: none; border: 0; overflow: visible; }
  table, tbody, tr, th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody tr { background: var(--surface); border: 1px solid var(--line); border-radius: 12px; padding: 0.7rem 0.9rem; }
  tbody tr + tr { margin-top: 0.6rem; }
  th, td { border: 0; padding: 0.15rem 0; }
  td:empty { display: none; }
  td > .row { flex-wrap: wrap; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--muted); font-size: 0.8125rem; }
  td time { white-space: normal; }
}
`

/** For the policy that lets in this stylesheet, and no other style. */
export const stylesheetHash = `sha256-${createHash("sha256").update(stylesheet).digest("base64")}`
