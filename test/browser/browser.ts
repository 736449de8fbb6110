// A real Chromium for tests: one browser, a new profile for each page, screenshots kept where a person finds them.
import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AxeBuilder } from '@axe-core/playwright';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const ARGUMENTS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** For a machine with much else to do. */
const PATIENCE_MS = 90_000;
export const WIDE = { width: 1280, height: 900 };
export const PHONE = { width: 360, height: 740 };

/** Where screenshots go: ANYCAST_ARTEFACTS, or a new folder below the system's own for temporary files. */
export const artefacts = process.env.ANYCAST_ARTEFACTS ?? mkdtempSync(join(tmpdir(), 'anycast-browser-'));
mkdirSync(artefacts, { recursive: true });

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({ executablePath: '/usr/bin/chromium', headless: true, args: ARGUMENTS });

/** An unsigned token: the page only shows what it says. */
export function tokenOf(roles: readonly string[], expiresInSeconds = 3600): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const exp = Math.floor(Date.now() / 1000) + expiresInSeconds;
  return `${part({ alg: 'none' })}.${part({ preferred_username: 'ops@contoso.com', roles, exp })}.x`;
}

export const OPERATOR_ROLES = ['Failover.Read', 'Failover.Operate'];

export interface OpenPage {
  readonly page: Page;
  /** Errors of scripts and of the content security policy. */
  readonly errors: string[];
  close(): Promise<void>;
}

/** A page of its own profile. @param roles of who is signed in; null: nobody */
export async function openPage(
  browser: Browser,
  roles: readonly string[] | null = OPERATOR_ROLES,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: WIDE, reducedMotion: 'reduce', ...options });
  if (roles !== null) {
    const kept = JSON.stringify({ accessToken: tokenOf(roles), expiresAtMs: Date.now() + 3600_000 });
    await context.addInitScript(`sessionStorage.setItem('anycast.token', ${JSON.stringify(kept)})`);
  }
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  const errors: string[] = [];
  page.on('pageerror', (error) => errors.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && /Content Security Policy|Trusted/i.test(message.text()))
      errors.push(message.text());
  });
  return { page, errors, close: () => context.close() };
}

/** Violations of WCAG 2.2 A and AA, in a form that a failing test can print. */
export async function accessibilityProblems(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page })
    .setLegacyMode(true)
    .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'])
    .analyze();
  return violations.map(
    ({ id, nodes }) =>
      `${id}: ${nodes
        .slice(0, 3)
        .map(({ target, failureSummary }) => `${target.join(' ')} ${failureSummary}`)
        .join('; ')}`,
  );
}

export const shoot = (page: Page, name: string): Promise<Buffer> =>
  page.screenshot({ path: join(artefacts, `${name}.png`), fullPage: true });
