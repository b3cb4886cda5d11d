import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BrowserContextOptions } from "playwright-core";
import { describe, expect, it } from "vitest";
import { formatReportHtml } from "../../src/usage/index.js";
import { openBrowser } from "../support/chromium.js";
import { tempFolder } from "../support/temp-folder.js";
import { runOf } from "../usage/runs.js";
import { usageOf, type ResultInput } from "../usage/results.js";

const runs = [
  runOf({ runId: "a", job: "translate", rows: rows("qwen-plus", "2026-11-18", 40) }),
  runOf({ runId: "b", job: "translate", rows: rows("qwen-max", "2026-11-19", 25) }),
  runOf({ runId: "c", job: "summarize <b>boldly</b>", rows: rows("qwen-plus", "2026-11-21", 60) }),
];

function rows(model: string, day: string, count: number): ResultInput[] {
  return Array.from({ length: count }, (_, index) => ({
    model,
    usage: usageOf(1_000 + index, 300, { cachedInputTokens: 200 }),
    finishedAt: `${day}T0${index % 10}:00:00.000Z`,
    ...(index % 9 === 8 ? { kind: "content_filter" as const } : {}),
  }));
}

async function openReport(options: BrowserContextOptions) {
  const file = join(await tempFolder(), "report.html");
  await writeFile(file, formatReportHtml(runs, { generatedAt: new Date("2026-11-22T00:00:00Z") }));
  const context = await openBrowser(options);
  const page = await context.newPage();
  const requested: string[] = [];
  const complaints: string[] = [];
  page.on("request", (request) => requested.push(request.url()));
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.message));
  const url = pathToFileURL(file).href;
  await page.goto(url);
  return { page, url, requested, complaints };
}

/**
 * Elements whose text is hardly to be told from what is behind it (WCAG contrast below 4.5). A text, since
 * it runs in the page, whose types are not those of this program.
 */
const FAINT_TEXTS = `(() => {
  const channel = (value) => {
    const share = value / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  };
  const light = (color) => {
    const [red, green, blue] = color.match(/[\\d.]+/g).map(Number);
    return 0.2126 * channel(red) + 0.7152 * channel(green) + 0.0722 * channel(blue);
  };
  const behind = (element) => {
    for (let at = element; at !== null; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (color !== "transparent" && !color.endsWith(", 0)")) return color;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? "rgb(0, 0, 0)" : "rgb(255, 255, 255)";
  };
  const faint = [];
  for (const element of document.querySelectorAll("h1, h2, p, td, th, li, figcaption, footer, svg text")) {
    if (element.textContent.trim() === "") continue;
    const style = getComputedStyle(element);
    const front = light(element instanceof SVGElement ? style.fill : style.color);
    const back = light(behind(element));
    const contrast = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (contrast < 4.5) faint.push(contrast.toFixed(1) + " " + element.tagName + " " + element.textContent.slice(0, 40));
  }
  return faint;
})()`;

describe("the report page in a browser", () => {
  it.each(["light", "dark"] as const)(
    "can be read in %s, asks for nothing and complains of nothing",
    async (colorScheme) => {
      const { page, url, requested, complaints } = await openReport({ colorScheme });
      expect(await page.title()).toBe("Usage report");
      expect(await page.locator("svg").count()).toBeGreaterThan(2);
      expect(await page.locator("table").count()).toBeGreaterThan(0);
      expect(await page.evaluate(FAINT_TEXTS)).toEqual([]);
      expect(requested).toEqual([url]);
      expect(complaints).toEqual([]);
    },
  );

  it("shows names as text, whatever is in them", async () => {
    const { page } = await openReport({});
    expect(await page.locator("b").count()).toBe(0);
    expect(await page.getByText("summarize <b>boldly</b>").count()).toBeGreaterThan(0);
  });

  it.each([360, 768, 1280])("fits a window %i pixels wide without scrolling sideways", async (width) => {
    const { page } = await openReport({ viewport: { width, height: 800 } });
    const overflow = await page.evaluate("document.documentElement.scrollWidth - window.innerWidth");
    expect(overflow).toBeLessThanOrEqual(0);
  });
});
