/** When the dashboard's page shows all that it was asked for. */
import type { Page } from 'playwright-core';

/** Nothing is on its way, and what can be drawn is. */
export async function settled(page: Page): Promise<void> {
  await page.waitForFunction(() => {
    const { document } = globalThis as unknown as { document: { querySelector(selector: string): unknown } };
    return document.querySelector('.regions li') && document.querySelector('.live.live') && document.querySelector('.map[hidden], .map svg') && !document.querySelector('[aria-busy=true]');
  });
}
