// The dashboard in a real Chromium against made-up answers: every state, accessible, escaped, and light.
import { afterAll, afterEach, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { describeWith } from '../support/needs.ts';
import { until } from '../support/until.ts';
import {
  accessibilityProblems,
  artefacts,
  OPERATOR_ROLES,
  type OpenPage,
  openPage,
  PHONE,
  shoot,
  startBrowser,
} from './browser.ts';
import { buildPage, denied, type Fixture, startFixture } from './fixture.ts';
import {
  empty,
  fleet,
  HOSTILE,
  history,
  hostile,
  moving,
  NOW_MS,
  operation,
  plan,
  steady,
  unserved,
} from './states.ts';

jest.setTimeout(240_000);
/** Of HTML, script and styles, as sent. */
const PAGE_BYTES_MAX = 150_000;
const WAIT_MS = 60_000;

describeWith({ programs: ['chromium'] }, 'the dashboard', () => {
  let browser: Browser;
  let assets: Awaited<ReturnType<typeof buildPage>>;
  let fixture: Fixture;
  let opened: OpenPage | undefined;

  beforeAll(async () => {
    [browser, assets] = await Promise.all([startBrowser(), buildPage()]);
  });
  afterAll(async () => {
    await browser?.close();
    process.stderr.write(`screenshots: ${artefacts}\n`);
  });
  beforeEach(async () => {
    hash = '';
    fixture = await startFixture(assets);
  });
  afterEach(async () => {
    await opened?.close();
    opened = undefined;
    await fixture.stop();
  });

  /** A vip is chosen by the address; none: the worst one is shown. */
  let hash = '';
  async function open(...given: Parameters<typeof openPage> extends [unknown, ...infer Rest] ? Rest : never) {
    opened = await openPage(browser, ...given);
    await opened.page.goto(`${fixture.url}/api/dashboard${hash}`);
    return opened.page;
  }
  const textOf = async (selector: string): Promise<string> =>
    ((await opened?.page.locator(selector).first().textContent()) ?? '').replace(/\s+/g, ' ');

  const states: readonly (readonly [string, () => void, string, readonly string[]])[] = [
    [
      'steady',
      () => undefined,
      '.map',
      [
        ...['2 vips', '0 moving', '0 unserved', 'served by westeurope', '64500×12', '65515', 'proved'],
        ...['1.5 % lost lately', '41 ms without an answer'],
      ],
    ],
    [
      'moving',
      () => {
        fixture.status = moving;
      },
      '.map',
      [
        '1 moving',
        'app-unhealthy',
        'expected 65001 64500×9',
        'last resort',
        'dwell',
        'headroom-low',
        'in 1h: tonight',
        'monthly (drill) in 1d, last time missed',
        'unhealthy',
      ],
    ],
    [
      'unserved',
      () => {
        fixture.status = unserved;
      },
      '.map',
      ['1 unserved', 'no answer', 'served by nobody'],
    ],
    [
      'empty',
      () => {
        fixture.status = empty;
      },
      '.details',
      ['0 vips', 'Nothing to show yet', 'ledger is absent'],
    ],
    [
      'unauthorised',
      () => {
        fixture.status = denied;
        fixture.audit = denied;
      },
      '.problem',
      ['Not allowed', 'this needs the role Failover.Read', 'anycastctl status'],
    ],
  ];

  test.each(states)(
    '%s says what it is, wide and dark and on a phone, and is accessible',
    async (name, arrange, selector, words) => {
      arrange();
      hash = name === 'steady' ? '#orders' : '';
      const page = await open();
      await page.waitForSelector(selector);
      const shown = await textOf('body');
      for (const word of words) expect(shown).toContain(word);
      await shoot(page, `${name}-light`);
      expect(await accessibilityProblems(page)).toEqual([]);
      await page.emulateMedia({ colorScheme: 'dark' });
      await page.setViewportSize(PHONE);
      await shoot(page, `${name}-phone-dark`);
      // The colours are the same few everywhere: the richest state stands for all.
      if (name === 'moving') expect(await accessibilityProblems(page)).toEqual([]);
      // One column: nothing to scroll sideways for.
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(PHONE.width);
      expect(opened?.errors).toEqual([]);
    },
  );

  test('the worst vip stands first, is shown without being asked for, and the filter finds the others', async () => {
    fixture.status = moving;
    const page = await open();
    await page.waitForSelector('.vips li');
    expect(await page.locator('.vips .name').allTextContents()).toEqual(['orders', 'billing']);
    expect(await textOf('#vip-title')).toContain('orders');
    await page.getByRole('searchbox').fill('bill');
    expect(await page.locator('.vips .name').allTextContents()).toEqual(['billing']);
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForFunction(`document.querySelector('#vip-title').textContent.includes('billing')`);
  });

  test('a takeover is announced, and so is a proof that fails', async () => {
    const page = await open();
    await page.waitForSelector('.map');
    fixture.status = moving;
    const alert = page.locator('.changes [role=alert]');
    await alert.getByText('orders: westeurope → northeurope, app-unhealthy').waitFor({ timeout: WAIT_MS });
    fixture.status = () => {
      const after = moving();
      for (const vip of after.vips)
        for (const region of vip.regions)
          if (region.proofs.observer.proof === 'waiting') region.proofs.observer.proof = 'failed';
      return after;
    };
    await alert.getByText('orders: proof failed, northeurope observer').waitFor({ timeout: WAIT_MS });
  });

  test('without answers everything stays, becomes unknown, is hatched, and cannot be acted on; then it is live again', async () => {
    hash = '#orders';
    const page = await open();
    await page.waitForSelector('.map');
    fixture.status = undefined;
    await page.getByText('The control plane cannot be reached').first().waitFor({ timeout: WAIT_MS });
    await page.waitForSelector('.area.path.stale', { timeout: WAIT_MS });
    expect(await textOf('body')).toContain('served by westeurope');
    expect(await textOf('#vip-title')).toContain('unknown, last served');
    expect(await textOf('.vips li')).toContain('? unknown');
    expect(await page.getByRole('button', { name: 'Fail over' }).isDisabled()).toBe(true);
    expect(await textOf('#refusal')).toContain('too old');
    await shoot(page, 'stale-light');
    expect(await accessibilityProblems(page)).toEqual([]);
    fixture.status = steady;
    // Whoever comes back to the tab need not wait for the next slow look.
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`);
    await page.waitForSelector('.area.path:not(.stale)', { timeout: WAIT_MS });
  });

  test('each area fails alone', async () => {
    hash = '#orders';
    fixture.audit = {
      status: 503,
      body: { title: 'Something behind the control plane failed', code: 'outbox', status: 503, type: 'x' },
    };
    const page = await open();
    await page.getByText('Something behind the control plane failed').waitFor({ timeout: WAIT_MS });
    expect(await textOf('.map')).toContain('answered by westeurope');
    expect(await textOf('.area.why')).toContain('steady');
  });

  test('who lacks the role sees it named instead of failing afterwards; who follows is led to the leader', async () => {
    const page = await open(['Failover.Read']);
    await page.waitForSelector('.map');
    expect(await page.getByRole('button', { name: 'Drill' }).isDisabled()).toBe(true);
    expect(await textOf('#refusal')).toContain('needs the role Failover.Operate');
    expect(await textOf('.identity')).toContain('read only');
    fixture.status = () => ({ ...steady(), leader: 'seat-ne' });
    await opened?.close();
    await (await open(OPERATOR_ROLES)).waitForSelector('#refusal');
    expect(await textOf('#refusal')).toContain('seat-ne leads');
    expect(await opened?.page.locator('.seats a').first().getAttribute('href')).toBe(
      'http://127.0.0.1:7072/api/dashboard',
    );
  });

  test('a move is previewed, unlocked by the typed name, sent once with a key and the generation seen, and watched to its proof', async () => {
    let ended = false;
    fixture.operation = () =>
      ended
        ? operation({
            state: 'proved',
            finishedAtMs: NOW_MS + 2400,
            steps: [{ name: 'Route Server', proof: 'proved', detail: 'northeurope 2/2', atMs: NOW_MS }],
          })
        : operation();
    const page = await open();
    await page.waitForSelector('.map');
    await page.locator('.vips button', { hasText: 'orders' }).click();
    await page.getByRole('button', { name: 'Fail over' }).click();
    const dialog = page.getByRole('dialog');
    expect(await dialog.textContent()).toContain('A reason of at least 3 characters is required.');
    expect(await dialog.getByRole('button', { name: 'Preview' }).isDisabled()).toBe(true);
    expect(await accessibilityProblems(page)).toEqual([]);
    await dialog.getByLabel('reason').fill('patch window');
    expect(await dialog.textContent()).toContain(`anycastctl failover orders --to northeurope --reason 'patch window'`);
    await page.keyboard.press('Enter');
    const plan = page.getByRole('alertdialog');
    await plan.getByText('rung 5 -> 3').waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Cancel');
    expect(await accessibilityProblems(page)).toEqual([]);
    await shoot(page, 'preview-light');
    const act = plan.getByRole('button', { name: 'Move orders to northeurope' });
    expect(await act.isDisabled()).toBe(true);
    await plan.getByLabel('type orders to unlock').fill('order');
    expect(await act.isDisabled()).toBe(true);
    await plan.getByLabel('type orders to unlock').fill('orders');
    await page.keyboard.press('Enter');
    expect(fixture.asked.filter(({ method, body }) => method === 'POST' && body.dryRun !== true)).toEqual([]);
    await act.click();
    await page.getByRole('heading', { name: 'failover orders' }).waitFor();
    const [sent, ...more] = fixture.asked.filter(({ method, body }) => method === 'POST' && body.dryRun !== true);
    expect(more).toEqual([]);
    expect(sent).toMatchObject({
      path: '/vips/orders/failover',
      body: { to: 'northeurope', reason: 'patch window', seenGeneration: 413 },
    });
    expect(sent?.headers['idempotency-key']).toMatch(/^[0-9a-f-]{36}$/);
    expect(sent?.headers.authorization).toMatch(/^Bearer /);
    expect(await textOf('.operation')).toContain('under way');
    ended = true;
    await page.locator('.operation').getByText('✓ proved').first().waitFor({ timeout: WAIT_MS });
    await page.getByText('northeurope 2/2').waitFor({ timeout: WAIT_MS });
    expect(await textOf('.operation .outcome')).toContain('proved after 2s');
    await shoot(page, 'proved-light');
  });

  test('a refused plan offers no button; a policy that moved on shows its new plan instead of acting', async () => {
    const page = await open();
    fixture.change = () => ({
      status: 200,
      body: plan({ allowed: false, actions: [], explanation: ['refused: northeurope is unhealthy'] }),
    });
    await page.getByRole('button', { name: 'Fail over' }).click();
    await page.getByLabel('reason').fill('try it');
    await page.keyboard.press('Enter');
    await page.getByText('This would be refused').waitFor();
    expect(await page.locator('dialog .danger').count()).toBe(0);
    await page.keyboard.press('Escape');
    fixture.change = ({ body }) =>
      body.dryRun === true
        ? { status: 200, body: plan() }
        : {
            status: 409,
            body: {
              type: 'x',
              title: 'The ledger moved on since the preview',
              status: 409,
              code: 'moved-on',
              plan: plan({ generation: 500 }),
            },
          };
    await page.getByRole('button', { name: 'Fail over' }).click();
    await page.getByLabel('reason').fill('try it');
    await page.keyboard.press('Enter');
    await page.getByLabel('to unlock').fill('billing');
    await page.locator('dialog .danger').click();
    await page.getByText('The policy changed while you looked').waitFor();
    expect(await textOf('dialog')).toContain('seen at generation 500');
    expect(await page.locator('dialog .danger').isDisabled()).toBe(true);
  });

  test('drain, drill, hold, hold all, cancel and release ask for exactly what was meant', async () => {
    fixture.status = moving;
    const page = await open();
    await page.waitForSelector('.map');
    const ask = async (button: string, reason: string): Promise<void> => {
      await page.getByRole('button', { name: button, exact: true }).click();
      await page.getByLabel('reason').fill(reason);
      await page.keyboard.press('Enter');
      await page.locator('.plan').waitFor();
      await page.keyboard.press('Escape');
      await page.locator('dialog').waitFor({ state: 'detached' });
    };
    await ask('Drain', 'maintenance');
    await ask('Drill', 'monthly');
    await ask('Hold', 'look first');
    await page.getByRole('button', { name: 'Hold all' }).click();
    await page.getByLabel('reason').fill('storm');
    await page.getByRole('alertdialog').getByRole('button', { name: 'Hold all' }).click();
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.getByRole('button', { name: 'Cancel op-later' }).click();
    await page.getByLabel('reason').fill('not tonight');
    await page.getByRole('button', { name: 'Cancel operation' }).click();
    await page.locator('dialog').waitFor({ state: 'detached' });
    await page.locator('.vips button', { hasText: 'billing' }).click();
    await page.getByRole('button', { name: 'Release h-19' }).click();
    await page.getByLabel('reason').fill('over & out');
    await page.getByRole('button', { name: 'Release hold' }).click();
    await page.locator('dialog').waitFor({ state: 'detached' });
    const changes = fixture.asked
      .filter(({ method }) => method !== 'GET')
      .map(({ method, path, body }) => [method, path, body]);
    expect(changes).toEqual([
      ['POST', '/regions/northeurope/drain', { vip: 'orders', reason: 'maintenance', dryRun: true }],
      ['POST', '/drills', { vip: 'orders', to: 'westeurope', seconds: 60, reason: 'monthly', dryRun: true }],
      ['POST', '/holds', { vip: 'orders', reason: 'look first', seconds: 1800, dryRun: true }],
      ['POST', '/holds', { reason: 'storm', seconds: 3600 }],
      ['DELETE', '/operations/op-later', {}],
      ['DELETE', '/holds/h-19', {}],
    ]);
  });

  test('the history shows who acted when, and everything on record of a decision', async () => {
    fixture.status = moving;
    const page = await open();
    await page.locator('.entries li').first().waitFor();
    expect(await textOf('.bar-words')).toBe('primary: westeurope for 23h59m, then northeurope for 6s');
    expect(await page.locator('.entries summary').first().textContent()).toContain(
      'primary r4 announced → backup r4 announced',
    );
    await page.locator('.entries summary').first().click();
    expect(await textOf('.trail')).toMatch(/nva-2 ?ordered ?announced r3 x9/);
    await page.getByRole('button', { name: '1 h', exact: true }).click();
    expect(await page.locator('.entries li').count()).toBe(2);
  });

  test('a decision of the history shows the map as it was decided then, and the way back to now', async () => {
    fixture.status = moving;
    const page = await open();
    await page.locator('.entries li', { hasText: 'hold' }).first().waitFor();
    await page
      .getByRole('button', { name: /^map then: .* app-unhealthy$/ })
      .first()
      .click();
    const then = page.locator('.area.path');
    await then.getByText('was to carry traffic').waitFor();
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Back to now');
    const shown = await textOf('.area.path');
    for (const words of ['northeurope primary, was to carry', 'r3 ×9', 'was backup r5 announced', 'proved: 2/2'])
      expect(shown).toContain(words);
    expect(await accessibilityProblems(page)).toEqual([]);
    await shoot(page, 'then-light');
    // Before the takeover: nothing of it had happened.
    await page.getByRole('button', { name: /^map then: .* held$/ }).click();
    await until(
      'the earlier map',
      async () => (await textOf('.area.path')).includes('westeurope primary, was to carry'),
      WAIT_MS,
    );
    expect(await textOf('.area.path')).not.toContain('r3 ×9');
    await page.getByRole('button', { name: 'Back to now' }).click();
    await page.waitForSelector('.map');
  });

  test('a guard is overridden by its name, after a preview with it; a move can wait for its time', async () => {
    const page = await open();
    fixture.change = ({ body }) =>
      body.dryRun !== true
        ? { status: 202, body: operation() }
        : Array.isArray(body.force)
          ? { status: 200, body: plan() }
          : {
              status: 200,
              body: plan({
                allowed: false,
                actions: [],
                blocked: [
                  { vip: 'billing', guard: 'target-unhealthy', detail: 'HTTP 503' },
                  { vip: 'billing', guard: 'last-announcer', detail: 'no other route' },
                ],
              }),
            };
    await page.getByRole('button', { name: 'Fail over' }).click();
    await page.getByLabel('reason').fill('it answers me');
    await page.getByLabel('not before').fill('2026-11-23T04:30');
    expect(await textOf('dialog .twin')).toContain('--at 2026-11-2');
    await page.keyboard.press('Enter');
    await page.getByText('This would be refused').waitFor();
    expect(await page.locator('dialog .danger').count()).toBe(0);
    expect(await page.getByLabel('last-announcer').isDisabled()).toBe(true);
    const force = page.getByRole('button', { name: /^Preview with/ });
    expect(await force.isDisabled()).toBe(true);
    await page.getByLabel('target-unhealthy').check();
    expect(await accessibilityProblems(page)).toEqual([]);
    await shoot(page, 'force-light');
    await page.getByRole('button', { name: 'Preview with target-unhealthy overridden' }).click();
    await page.getByLabel('to unlock').fill('billing');
    await page.locator('dialog .danger').click();
    await page.locator('.operation').waitFor();
    const atMs = await page.evaluate<number>(`Date.parse('2026-11-23T04:30')`);
    const [sent] = fixture.asked.filter(({ method, body }) => method === 'POST' && body.dryRun !== true);
    expect(sent).toMatchObject({
      path: '/vips/billing/failover',
      body: { force: ['target-unhealthy'], atMs, reason: 'it answers me', seenGeneration: 413 },
    });
  });

  test('a region is drained for every vip by typing the name of the region', async () => {
    const page = await open();
    await page.getByRole('button', { name: 'Drain', exact: true }).click();
    await page.getByRole('combobox').nth(1).selectOption('all');
    await page.getByRole('combobox').first().selectOption('westeurope');
    await page.getByLabel('reason').fill('data centre');
    expect(await textOf('dialog .twin')).toContain(`anycastctl drain westeurope --reason 'data centre'`);
    await page.keyboard.press('Enter');
    await page.getByLabel('type westeurope to unlock').fill('westeurope');
    await page.getByRole('button', { name: 'Drain westeurope for every vip' }).click();
    await page.locator('.operation').waitFor();
    const [sent] = fixture.asked.filter(({ method, body }) => method === 'POST' && body.dryRun !== true);
    expect(sent?.body).toEqual({ reason: 'data centre', seenGeneration: 413 });
  });

  test('what others wrote is text, never markup or a link that runs', async () => {
    fixture.status = hostile;
    fixture.audit = history(HOSTILE);
    fixture.explain = [HOSTILE];
    const page = await open();
    await page.locator('.entries li').first().waitFor();
    expect(await textOf('h1')).toBe(HOSTILE);
    expect(await textOf('.area.why')).toContain(HOSTILE);
    expect(await page.locator('#app img, #app script, a[href^=javascript]').count()).toBe(0);
    expect(await page.evaluate('window.hacked')).toBeUndefined();
    expect(opened?.errors).toEqual([]);
  });

  test('is small, and an answer that changes nothing draws none of a hundred vips again', async () => {
    let answers = 0;
    fixture.status = () => {
      answers += 1;
      return { ...fleet(100), nowMs: NOW_MS + answers };
    };
    const page = await open();
    await page.locator('.vips li').nth(99).waitFor({ state: 'attached' });
    await page.evaluate(`window.drawn = 0; new MutationObserver((changes) => { window.drawn += changes.length; })
      .observe(document.querySelector('.vips'), { subtree: true, childList: true, characterData: true, attributes: true })`);
    const seen = answers;
    await until('three more answers', () => answers >= seen + 3, WAIT_MS);
    expect(await page.evaluate('window.drawn')).toBe(0);
    await shoot(page, 'fleet-light');
    expect(fixture.pageBytes).toBeGreaterThan(10_000);
    expect(fixture.pageBytes).toBeLessThan(PAGE_BYTES_MAX);
  });

  test('who is not signed in is asked to, and told when that fails', async () => {
    const page = await open(null);
    expect(await page.getByRole('button', { name: 'Sign in' }).isEnabled()).toBe(true);
    expect(await accessibilityProblems(page)).toEqual([]);
    await page.goto(`${fixture.url}/api/dashboard?code=stolen&state=other`);
    await page.getByText('this sign-in was not begun in this tab').waitFor();
    expect(page.url()).toBe(`${fixture.url}/api/dashboard`);
    expect(fixture.asked).toEqual([]);
  });
});
