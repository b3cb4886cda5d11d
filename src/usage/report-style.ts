import { Markup } from "./markup.js";

/** The page's style sheet: light and dark by the reader's setting, light on paper. Constant text. */
export const reportStyle = new Markup(`
:root{color-scheme:light dark;--page:#f6f7f9;--card:#fff;--ink:#1c2127;--quiet:#5a6470;--line:#dde1e7;--warn:#8a5200;--warn-back:#fff4df;
--s0:#2a74d0;--s1:#dd7a05;--s2:#16937a;--s3:#c03f7d;--s4:#7757cf;--s5:#818600;--s6:#b4472f;--s7:#77808c}
@media (prefers-color-scheme:dark){:root{--page:#121417;--card:#1b1e23;--ink:#e8eaed;--quiet:#a3acb8;--line:#343a43;--warn:#f3c06b;--warn-back:#33270f;
--s0:#5b9ff0;--s1:#f2a23c;--s2:#3ec5a2;--s3:#ec79ad;--s4:#a58af4;--s5:#c1c648;--s6:#e4806a;--s7:#98a1ad}}
@media print{:root{--page:#fff;--card:#fff;--ink:#000;--quiet:#444;--line:#bbb;--warn:#000;--warn-back:#fff;
--s0:#2a74d0;--s1:#dd7a05;--s2:#16937a;--s3:#c03f7d;--s4:#7757cf;--s5:#818600;--s6:#b4472f;--s7:#77808c}
main{padding:0!important;max-width:none!important}details{display:none}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"Noto Sans","PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:1080px;margin:0 auto;padding:28px 20px 48px}
h1{font-size:26px;line-height:1.2;margin:0 0 4px}
h2{font-size:17px;margin:0 0 10px}
p{margin:0 0 8px}
.quiet{color:var(--quiet)}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:18px 20px;margin-top:16px;break-inside:avoid}
section.long{break-inside:auto}
.cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:12px;margin-top:18px}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px;break-inside:avoid}
.card dt{color:var(--quiet);font-size:13px}
.card dd{margin:0}
.card .figure{font-size:23px;line-height:1.25;font-weight:600;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
.card .quiet{font-size:13px}
dl{margin:0}
.notes{background:var(--warn-back);border-color:var(--warn)}
.notes h2{color:var(--warn)}
.notes ul{margin:0;padding-left:20px}
.chart{display:block;width:100%;height:auto}
.grid{stroke:var(--line);stroke-width:1}
.axis{stroke:var(--quiet);stroke-width:1}
.tick{fill:var(--quiet);font-size:12px;font-variant-numeric:tabular-nums}
.series{stroke:var(--card);stroke-width:1}
.s0{fill:var(--s0)}.s1{fill:var(--s1)}.s2{fill:var(--s2)}.s3{fill:var(--s3)}.s4{fill:var(--s4)}.s5{fill:var(--s5)}.s6{fill:var(--s6)}.s7{fill:var(--s7)}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:4px 20px;margin:10px 0 0;padding:0;font-size:14px}
.legend li{overflow-wrap:anywhere}
.swatch{width:11px;height:11px;margin-right:6px}
.bar{display:block;width:100%;min-width:60px;height:14px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{text-align:left;color:var(--quiet);padding-bottom:6px}
th,td{padding:5px 10px;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}
thead th{color:var(--quiet);font-size:13px;vertical-align:bottom}
thead .number{white-space:normal}
.wide{font-size:13px}
.wide th,.wide td{padding-left:7px;padding-right:7px}
tbody th{font-weight:400;overflow-wrap:anywhere;min-width:9em}
.number{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
th:first-child,td:first-child{padding-left:0}
th:last-child,td:last-child{padding-right:0}
.bar-cell{width:40%;vertical-align:middle}
tfoot th,tfoot td{font-weight:600;border-bottom:0}
details{margin-top:12px}
summary{cursor:pointer;color:var(--quiet);font-size:14px}
footer{color:var(--quiet);font-size:13px;margin-top:18px}
@media (max-width:600px){main{padding:18px 12px 32px}section{padding:14px}.bar-cell{display:none}}
`);
