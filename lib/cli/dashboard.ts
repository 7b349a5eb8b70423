/**
 * `etl-stream dashboard <output>`: serves the dashboard until it is stopped. Its address is the one line on stdout, with the token, if there
 * is one: that is what a person opens. The token is told nowhere else.
 */
import { startDashboard, type DashboardOptions } from '../index.ts';
import { messageOf } from '../core/errors.ts';
import { EXIT_DONE, untilSignalled } from './exit.ts';
import { tell, warn } from './messages.ts';

export interface DashboardFlags extends Omit<DashboardOptions, 'output'> {
  readonly open?: boolean;
}

export async function dashboardCommand([output = '']: readonly string[], { open, ...options }: DashboardFlags): Promise<number> {
  await untilSignalled(async (signal) => {
    const dashboard = await startDashboard({ output, ...options });
    try {
      process.stdout.write(`${dashboard.url}\n`);
      tell('the dashboard is at the address above until it is stopped: Ctrl+C ends it');
      if (['0.0.0.0', '::', '[::]'].includes(options.host ?? '')) tell('other machines open it with the name or an address of this one in place of localhost');
      if (open) await openInBrowser(dashboard.url);
      await new Promise((resolve) => (signal.aborted ? resolve(undefined) : signal.addEventListener('abort', resolve, { once: true })));
    } finally {
      await dashboard.close();
    }
  });
  return EXIT_DONE;
}

/** Where there is no browser it is opened by whoever reads the address. */
async function openInBrowser(url: string): Promise<void> {
  try {
    const child = await (await import('open')).default(url);
    child.on('error', (error: Error) => warn(`no browser could be opened: ${messageOf(error)}`));
    // As xdg-open says that there is none, or that it failed.
    child.on('exit', (code) => {
      if (code === 3 || code === 4) warn('no browser could be opened: open the address above');
    });
    child.unref();
  } catch (error) {
    warn(`no browser could be opened: ${messageOf(error)}`);
  }
}
