// Starts the page: reads where to sign in, finishes a sign-in that is under way, and draws.
import { html, render } from 'htm/preact';
import { App, type PageConfig } from './app.ts';
import { fetchJson } from './control-plane.ts';
import { finishSignIn } from './sign-in.ts';

async function start(root: HTMLElement): Promise<void> {
  const answer = await fetchJson<PageConfig>('/api/dashboard/config', {});
  const config: PageConfig = answer.ok ? answer.value : { signIn: null, lab: null };
  let trouble = answer.ok ? undefined : `${answer.problem.title}. Load the page again.`;
  try {
    if (config.signIn !== null) await finishSignIn(config.signIn);
  } catch (error) {
    trouble = `Signing in did not work: ${error instanceof Error ? error.message : String(error)}`;
  }
  root.replaceChildren();
  render(html`<${App} config=${config} trouble=${trouble} />`, root);
}

const root = document.getElementById('app');
if (root !== null) void start(root);
