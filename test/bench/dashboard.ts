// The dashboard at 100 vips in four regions: bytes, first paint, frames while scrolling, and the empty page beside it.
import type { CDPSession, Page } from 'playwright-core';
import { openPage, startBrowser } from '../browser/browser.ts';
import { buildPage, startFixture } from '../browser/fixture.ts';
import { fleet, NOW_MS } from '../browser/states.ts';
import type { BenchResult } from './result.ts';

const VIPS = 100;
const RUNS = 3;
/** A page that is followed every 1.5 s sees four new answers in this time. */
const SCROLL_MS = 6000;
const SETTLE_MS = 3000;

interface Scrolled {
  readonly framesPerSecond: number;
  readonly longestMs: number;
}

/** Figures of the page while somebody scrolls through its list, with an answer of the control plane every 1.5 s. */
export async function benchDashboard(): Promise<readonly BenchResult[]> {
  const [browser, assets] = await Promise.all([startBrowser(), buildPage()]);
  const fixture = await startFixture(assets);
  const startedAtMs = Date.now();
  fixture.status = () => ({ ...fleet(VIPS), nowMs: NOW_MS + Date.now() - startedAtMs });
  try {
    const floors: Scrolled[] = [];
    const scrolls: Scrolled[] = [];
    const busy: number[] = [];
    const paints: number[] = [];
    for (let run = 0; run < RUNS; run += 1) {
      const opened = await openPage(browser);
      const { page } = opened;
      await page.setContent(
        `<div class="vips" style="height:600px;overflow-y:auto">${'<p>row</p>'.repeat(VIPS)}</div>`,
      );
      floors.push(await scroll(page));
      await page.goto(`${fixture.url}/api/dashboard`);
      await page
        .locator('.vips li')
        .nth(VIPS - 1)
        .waitFor({ state: 'attached' });
      paints.push(
        await page.evaluate<number>(`performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN`),
      );
      await page.waitForTimeout(SETTLE_MS);
      const client = await page.context().newCDPSession(page);
      await client.send('Performance.enable');
      const before = await taskSeconds(client);
      scrolls.push(await scroll(page));
      busy.push(((await taskSeconds(client)) - before) * 1000);
      await opened.close();
    }
    const fps = median(scrolls.map((one) => one.framesPerSecond));
    const floor = median(floors.map((one) => one.framesPerSecond));
    const name = `dashboard, ${VIPS} vips in 4 regions, scrolling`;
    return [
      { name: 'dashboard, HTML, script and styles as sent', value: fixture.pageBytes / RUNS, unit: 'bytes' },
      { name: `dashboard, ${VIPS} vips in 4 regions, first paint`, value: rounded(median(paints)), unit: 'ms' },
      { name: `${name}, frames`, value: rounded(fps), unit: '1/s' },
      { name: 'an empty page, scrolling, frames', value: rounded(floor), unit: '1/s' },
      { name: `${name}, frames of those an empty page gets`, value: rounded((fps / floor) * 100), unit: '%' },
      { name: `${name}, longest frame`, value: rounded(median(scrolls.map((one) => one.longestMs))), unit: 'ms' },
      {
        name: `${name}, main thread busy`,
        value: rounded((median(busy) / SCROLL_MS) * 100),
        unit: '%',
      },
    ];
  } finally {
    await browser.close();
    await fixture.stop();
  }
}

/** Frames are counted between the first and the last: their number over the time between them. */
const scroll = (page: Page): Promise<Scrolled> =>
  page.evaluate<Scrolled>(`new Promise((done) => {
    const list = document.querySelector('.vips');
    const end = list.scrollHeight - list.clientHeight;
    let frames = -1;
    let firstMs = 0;
    let lastMs = 0;
    let longestMs = 0;
    const step = (nowMs) => {
      frames += 1;
      if (frames === 0) firstMs = nowMs;
      else longestMs = Math.max(longestMs, nowMs - lastMs);
      lastMs = nowMs;
      // To the end and back again, as a hand does.
      const way = ((nowMs - firstMs) * 1.5) % (2 * end);
      list.scrollTop = way > end ? 2 * end - way : way;
      if (nowMs - firstMs < ${SCROLL_MS}) requestAnimationFrame(step);
      else done({ framesPerSecond: frames * 1000 / (nowMs - firstMs), longestMs });
    };
    requestAnimationFrame(step);
  })`);

async function taskSeconds(client: CDPSession): Promise<number> {
  const { metrics } = await client.send('Performance.getMetrics');
  return metrics.find(({ name }) => name === 'TaskDuration')?.value ?? Number.NaN;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const rounded = (value: number): number => Math.round(value * 10) / 10;
