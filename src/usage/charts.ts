import { markup, type Markup } from "./markup.js";

/** One colour of a stacked chart; `colour` is an index into the page's series colours, 0 to 7. */
export interface ChartSeries {
  readonly name: string;
  readonly colour: number;
  /** One per category, >= 0. */
  readonly values: readonly number[];
}

export interface ColumnChart {
  /** Unique within the page; letters, digits and hyphens. */
  readonly id: string;
  readonly title: string;
  /** Said to those who do not see the chart. */
  readonly description: string;
  readonly categories: readonly string[];
  /** Short form of a category below its column. */
  readonly categoryLabel: (category: string) => string;
  readonly series: readonly ChartSeries[];
  /** A value in full, for tooltips. */
  readonly format: (value: number) => string;
  /** A value on the axis. */
  readonly tick: (value: number) => string;
}

const WIDTH = 900;
const HEIGHT = 260;
const LEFT = 62;
const RIGHT = 6;
const TOP = 10;
const BOTTOM = 26;
const WIDEST_COLUMN = 56;
const LABEL_WIDTH = 52;

/** Stacked columns as SVG, the first series at the bottom. Scales with the page; needs no script. */
export function columnChart(chart: ColumnChart): Markup {
  const totals = chart.categories.map((_, index) =>
    chart.series.reduce((sum, series) => sum + (series.values[index] ?? 0), 0),
  );
  const ticks = axisTicks(Math.max(0, ...totals));
  const top = ticks.at(-1) ?? 1;
  const plotHeight = HEIGHT - TOP - BOTTOM;
  const y = (value: number): number => round(TOP + plotHeight * (1 - value / top));
  const band = (WIDTH - LEFT - RIGHT) / Math.max(1, chart.categories.length);
  return markup`<svg class="chart" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="${chart.id}-title ${chart.id}-text">
<title id="${chart.id}-title">${chart.title}</title><desc id="${chart.id}-text">${chart.description}</desc>
<g aria-hidden="true">${ticks.map(
    (tick) =>
      markup`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(tick)}" y2="${y(tick)}"/><text class="tick" x="${LEFT - 8}" y="${y(tick) + 4}" text-anchor="end">${chart.tick(tick)}</text>`,
  )}
${chart.categories.map((category, index) => column(chart, category, index, band, y))}
<line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(0)}" y2="${y(0)}"/>
${categoryLabels(chart, band)}</g></svg>`;
}

function column(
  chart: ColumnChart,
  category: string,
  index: number,
  band: number,
  y: (value: number) => number,
): Markup {
  const width = Math.min(WIDEST_COLUMN, band * 0.8);
  const x = round(LEFT + band * index + (band - width) / 2);
  let base = 0;
  const parts: Markup[] = [];
  for (const series of chart.series) {
    const value = series.values[index] ?? 0;
    if (value <= 0) continue;
    const height = round(y(base) - y(base + value));
    parts.push(
      markup`<rect class="series s${series.colour}" x="${x}" y="${y(base + value)}" width="${round(width)}" height="${height}"><title>${category}, ${series.name}: ${chart.format(value)}</title></rect>`,
    );
    base += value;
  }
  return markup`${parts}`;
}

function categoryLabels(chart: ColumnChart, band: number): Markup[] {
  const every = Math.max(1, Math.ceil(LABEL_WIDTH / band));
  return chart.categories.flatMap((category, index) => {
    if (index % every !== 0) return [];
    const x = round(LEFT + band * (index + 0.5));
    return [
      markup`<text class="tick" x="${x}" y="${HEIGHT - 8}" text-anchor="middle">${chart.categoryLabel(category)}</text>`,
    ];
  });
}

/** What each colour means, with the series' sum. */
export function legend(series: readonly ChartSeries[], format: (value: number) => string): Markup {
  return markup`<ul class="legend">${series.map(
    (one) =>
      markup`<li><svg class="swatch" viewBox="0 0 10 10" aria-hidden="true"><rect class="s${one.colour}" width="10" height="10" rx="2"/></svg>${one.name} <span class="quiet">${format(sumOf(one.values))}</span></li>`,
  )}</ul>`;
}

/** A bar for a table's cell, `share` of the cell's width (0 to 1). Decoration: the figure stands beside it. */
export function bar(share: number, colour: number): Markup {
  const width = Math.max(0.5, Math.min(100, share * 100));
  return markup`<svg class="bar" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true"><rect class="s${colour}" width="${round(width)}" height="10"/></svg>`;
}

/** Zero and up to five round steps above it, the last at or above `most`. */
export function axisTicks(most: number): number[] {
  if (!(most > 0) || !Number.isFinite(most)) return [0, 1];
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10);
  const count = Math.ceil(most / step - 1e-9);
  return Array.from({ length: count + 1 }, (_, index) => Number((index * step).toPrecision(12)));
}

export function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
