// The whole way for real: a person signs in to the lab's dashboard, fails a vip over, sees it proved, and fails it back.
import { type ChildProcess, spawn } from 'node:child_process';
import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import type { World } from '../../infra/lab/world.ts';
import { describeWith } from '../support/needs.ts';
import { until } from '../support/until.ts';
import { type OpenPage, openPage, shoot, startBrowser } from './browser.ts';

/** A machine that runs other suites at the same time is slow; what is waited for is polled, never slept for. */
const SLOW_MS = 300_000;
const POLL_MS = 100;
jest.setTimeout(3 * SLOW_MS);

describeWith({ programs: ['chromium'] }, 'the dashboard of the lab', () => {
  let lab: ChildProcess;
  let output = '';
  let browser: Browser;
  let opened: OpenPage;
  let seat = '';
  let control = '';

  const world = async (): Promise<World> => (await fetch(`${control}/world`)).json() as Promise<World>;
  const answeredBy = async (): Promise<string | null> =>
    (await world()).vips.find(({ vip }) => vip === 'orders')?.answeredBy ?? null;

  beforeAll(async () => {
    const args = ['--disable-warning=ExperimentalWarning', 'infra/lab/main.ts', '--port', '0', '--control-port', '0'];
    lab = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [lab.stdout, lab.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    const where = await until(
      'the lab says where it is',
      () => {
        if (lab.exitCode !== null) throw new Error(output);
        return /lab (\S+)\/world\s+control plane (\S+?)\/api\/status/.exec(output);
      },
      SLOW_MS,
      POLL_MS,
    );
    control = where[1] ?? '';
    seat = where[2] ?? '';
    [browser] = await Promise.all([
      startBrowser(),
      until('the first proved steady state', async () => (await world()).steadyAfterMs !== null, SLOW_MS, POLL_MS),
    ]);
    opened = await openPage(browser, null);
  });

  afterAll(async () => {
    await browser?.close();
    const ended = new Promise((resolve) => lab.once('close', resolve));
    if (lab.exitCode === null) lab.kill('SIGINT');
    await ended;
  });

  test('a person signs in, and is known by name and role', async () => {
    const { page } = opened;
    await page.goto(`${seat}/api/dashboard#orders`);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByRole('link', { name: 'operator@lab.example' }).click();
    await page.getByText('served by westeurope').waitFor({ timeout: SLOW_MS });
    expect(page.url()).toBe(`${seat}/api/dashboard#orders`);
    expect(await page.locator('.identity').textContent()).toContain('operator@lab.example');
  });

  test('fails a vip over, sees it proved, and fails it back; nothing was done before the name was typed', async () => {
    const { page } = opened;
    expect(await answeredBy()).toBe('westeurope');
    await move('Fail over', 'a person tries the dashboard');
    await page.getByText('served by northeurope').waitFor({ timeout: SLOW_MS });
    expect(await answeredBy()).toBe('northeurope');
    await shoot(page, 'lab-failed-over');
    await page.locator('.operation').getByRole('button', { name: 'Close' }).click();
    await move('Fail back', 'and back again');
    await page.getByText('served by westeurope').waitFor({ timeout: SLOW_MS });
    expect(await answeredBy()).toBe('westeurope');
    await page.locator('.entries').getByText('operator@lab.example').first().waitFor({ timeout: SLOW_MS });
    expect(opened.errors).toEqual([]);
  });

  test('the fault buttons break the lab, the page shows it, and repairing ends it', async () => {
    const { page } = opened;
    await page.locator('.area.lab select').selectOption('northeurope');
    await page.getByRole('button', { name: 'app-crash' }).click();
    await page.getByText('broken now: app-crash northeurope').waitFor({ timeout: SLOW_MS });
    await page.locator('.evidence-table').getByText('unhealthy').first().waitFor({ timeout: SLOW_MS });
    await page.getByRole('button', { name: 'Repair everything' }).click();
    await page.getByText('broken now: nothing').waitFor({ timeout: SLOW_MS });
  });

  /**
   * Rungs that may still be on the wire are counted: the preview says when the move is possible. Where the policy changes
   * between preview and click, a new preview asks for the name again, as it would ask a person.
   */
  async function move(button: string, reason: string): Promise<void> {
    const { page } = opened;
    const step = async (): Promise<boolean> => {
      if ((await page.locator('.operation').count()) > 0) return true;
      const act = page.locator('dialog .danger');
      if ((await act.count()) === 1) await confirm();
      else if ((await page.locator('dialog .plan').count()) === 1) await page.keyboard.press('Escape');
      else await ask(button, reason);
      return false;
    };
    await until(`${button} is accepted`, step, SLOW_MS, POLL_MS);
    await until('no dialog is left', closeDialog, SLOW_MS, POLL_MS);
    await page.locator('.operation .outcome').getByText('✓ proved').waitFor({ timeout: SLOW_MS });
  }

  /** Pressed between the end of a dialog and the answer, the button asks for a second preview. */
  async function closeDialog(): Promise<boolean> {
    const { page } = opened;
    if ((await page.locator('dialog[open]').count()) === 0) return true;
    await page.keyboard.press('Escape');
    return false;
  }

  async function ask(button: string, reason: string): Promise<void> {
    const { page } = opened;
    const action = page.getByRole('button', { name: button, exact: true });
    if (!(await action.isEnabled())) return;
    await action.click();
    await page.getByLabel('reason').fill(reason);
    await page.keyboard.press('Enter');
    await page.locator('.plan').waitFor({ timeout: SLOW_MS });
  }

  /** Does nothing while a click is on its way: then the name stands there, or the dialog has just gone. */
  async function confirm(): Promise<void> {
    const { page } = opened;
    const name = page.getByLabel('type orders to unlock');
    if ((await name.inputValue({ timeout: 1000 }).catch(() => 'gone')) !== '') return;
    expect(await page.locator('dialog .danger').isDisabled()).toBe(true);
    await name.fill('orders');
    await page.locator('dialog .danger').click();
  }
});
