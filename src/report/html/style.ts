import { HEAT_STEPS } from './matrix-section.ts';

/** Share of the heat's colour at the best value. Text on it keeps a contrast of more than 6 to 1, light and dark. */
const STRONGEST = 0.45;

const heat = Array.from(
  { length: HEAT_STEPS + 1 },
  (_, step) => `.h${step}{background:rgb(var(--heat) / ${((step / HEAT_STEPS) * STRONGEST).toFixed(3)})}`,
).join('\n');

/** The style of the page; it follows the reader's light or dark setting. Percentages and wrapping grids let it take any width. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#fff;--fg:#1a1c1f;--muted:#555c65;--line:#d7dbe0;--panel:#f5f6f8;--accent:#0a6a4c;--heat:10 120 85;--dot:#3566a8;--box:#3566a833;
--ok:#2f7d5b;--failed:#b62a24;--invalid:#7d45b3;--late:#a65a00;--infra:#48699b;--gone:#767c84}
@media (prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e6e8eb;--muted:#a5adb6;--line:#333a42;--panel:#1c2024;--accent:#53c79d;--heat:38 166 125;--dot:#7fb0f0;--box:#7fb0f033;
--ok:#3f9d74;--failed:#ff8a80;--invalid:#c39af0;--late:#f0a850;--infra:#8fb1e6;--gone:#8f969e}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
main{max-width:1480px;margin:0 auto;padding:24px clamp(12px,3vw,40px) 48px}
h1{font-size:1.7rem;line-height:1.25;margin:0 0 .6rem;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.4rem 0 .5rem}
p{margin:.4rem 0}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;overflow-wrap:anywhere}
.kind,.note,dt{color:var(--muted)}
.kind{margin:0;font-size:.85rem;letter-spacing:.06em;text-transform:uppercase}
.note{font-size:.88rem;max-width:75em}
.state{font-size:.85rem;font-weight:600;vertical-align:.25em;padding:.15em .6em;border:1px solid currentColor;border-radius:1em;white-space:nowrap;color:var(--muted)}
.state-complete{color:var(--accent)}.state-failed{color:var(--failed)}.state-cancelled,.state-interrupted{color:var(--late)}
.verdict{font-size:1.25rem;overflow-wrap:anywhere;color:var(--accent)}
.verdict.none{color:var(--late)}
.evidence{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.4rem;margin:.2rem 0 .8rem;padding:0}
.message{overflow-wrap:anywhere}
.facts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr));gap:.7rem 1.6rem;margin:1rem 0 0;padding:1rem;background:var(--panel);border:1px solid var(--line);border-radius:8px}
dt{font-size:.82rem}dd{margin:0;overflow-wrap:anywhere}dd ul{margin:0;padding:0;list-style:none}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:8px}
.scroll:focus-visible,pre:focus-visible,summary:focus-visible,button:focus-visible,input:focus-visible{outline:2px solid var(--dot);outline-offset:1px}
table{border-collapse:separate;border-spacing:0;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:.35rem .7rem;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}
tbody tr:last-child>*{border-bottom:0}
thead th{background:var(--panel);white-space:nowrap;font-size:.86rem;font-weight:600;vertical-align:bottom}
tbody th{font-weight:400;min-width:9rem;max-width:26rem;overflow-wrap:anywhere}
td.text{max-width:16rem;overflow-wrap:break-word}
.number{text-align:right;white-space:nowrap}
.top,tr.best th,tr.best td:first-child{font-weight:700}
td small{color:var(--muted);font-weight:400;font-size:.85em}
td[class*=" h"] small{color:inherit}
.goal{color:var(--muted)}
.gates{list-style:none;padding:0;margin:.4rem 0;overflow-wrap:anywhere}.passed{color:var(--accent)}
.verdicts{white-space:nowrap}.verdict-Better{color:var(--accent)}.verdict-Worse{color:var(--failed)}
.failed{color:var(--failed)}.cancelled{color:var(--late)}
thead button{all:unset;cursor:pointer;white-space:nowrap}
thead button::after{content:" ↕";color:var(--muted);font-weight:400}
[aria-sort=ascending] button::after{content:" ▲"}[aria-sort=descending] button::after{content:" ▼"}
.filter{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem .8rem;margin:.4rem 0 .6rem}
.filter label{display:flex;flex-wrap:wrap;align-items:center;gap:.3rem .6rem}
.filter input{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--gone);border-radius:6px;padding:.25rem .6rem;width:min(22rem,100%)}
.key{display:inline-flex;vertical-align:-.15em;border:1px solid var(--line)}.key i{width:.8em;height:1em}
${heat}
figure{margin:1rem 0;min-width:0}
figcaption{font-weight:600;margin-bottom:.3rem;overflow-wrap:anywhere}
svg{display:block;overflow:visible}
svg text{fill:var(--muted);font-size:11.5px}
.grid{stroke:var(--line)}
.strip{display:grid;grid-template-columns:minmax(7rem,max-content) minmax(0,1fr) max-content;column-gap:1rem;align-items:center}
.strip-row{display:grid;grid-column:1/-1;grid-template-columns:subgrid;align-items:center}
.strip-label{max-width:20rem;overflow-wrap:anywhere;line-height:1.3;padding:.15rem 0}
.strip-text{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums;font-size:.88rem}
.strip-axis{grid-column:2}
.strip-row.best .strip-label,.strip-row.best .strip-text{font-weight:700}
circle{fill:var(--dot);fill-opacity:.75}
.strip-row.best circle,circle.best{fill:var(--accent);fill-opacity:1}
.box{fill:var(--box);stroke:var(--dot)}
.median{stroke:var(--fg);stroke-width:2}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,26rem),1fr));gap:.6rem 2.4rem}
.charts .strip-label{max-width:11rem}
.scatter{display:grid;grid-template-columns:4rem minmax(0,1fr);column-gap:.5rem}
.scatter .axis-x{grid-column:2}
.plot{border-left:1px solid var(--gone);border-bottom:1px solid var(--gone)}
.timeline>svg:first-child{background:var(--panel)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;padding:0;margin:.4rem 0;font-size:.9rem}
.legend i{display:inline-block;width:.9em;height:.9em;margin-right:.4em;vertical-align:-.1em;border-radius:2px}
.o-Succeeded{fill:var(--ok);background:var(--ok)}.o-TestFailed{fill:var(--failed);background:var(--failed)}.o-ResultInvalid{fill:var(--invalid);background:var(--invalid)}
.o-TimedOut{fill:var(--late);background:var(--late)}.o-Infrastructure{fill:var(--infra);background:var(--infra)}.o-Cancelled{fill:var(--gone);background:var(--gone)}
.failure{border:1px solid var(--line);border-radius:8px;margin:.5rem 0;padding:.4rem .8rem}
summary{cursor:pointer;overflow-wrap:anywhere}
pre{background:var(--panel);padding:.7rem;border-radius:6px;white-space:pre-wrap;max-height:24rem;overflow:auto;margin:.6rem 0}
.logs{font-size:.88rem;color:var(--muted)}
footer{margin-top:3rem;padding-top:.8rem;border-top:1px solid var(--line);color:var(--muted);font-size:.88rem}
@media (min-width:641px){tbody th,thead th:nth-child(2){position:sticky;left:0}tbody th{background:var(--bg)}}
@media (max-width:640px){
.strip{grid-template-columns:minmax(0,1fr) max-content}.strip-row{margin-bottom:.35rem}
.strip-row svg{grid-column:1/-1;grid-row:2}.strip-label{max-width:none!important}.strip-axis{grid-column:1/-1}
th,td{padding:.3rem .5rem}tbody th{min-width:7rem;max-width:14rem}}
@media print{
:root{color-scheme:light;--bg:#fff;--fg:#000;--muted:#444;--line:#bbb;--panel:#fff;--accent:#0a6a4c;--heat:10 120 85;--dot:#3566a8;--box:#3566a833}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}
.filter{display:none}thead button::after{content:""}.scroll{overflow:visible;border:0}pre{max-height:none}figure,tr,.failure{break-inside:avoid}main{max-width:none;padding:0}table{font-size:.7rem}th,td{padding:.15rem .3rem}}
`;
