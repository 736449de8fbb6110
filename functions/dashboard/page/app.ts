// The page: signs in, follows the status, shows the fleet and one vip, starts operations and watches them.
import { html } from 'htm/preact';
import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Operation, Status } from '../../../shared/api.ts';
import { readIdentity } from './access.ts';
import { ActionDialog } from './action-dialog.ts';
import { type Wish, whyDisabled } from './actions-model.ts';
import { connect } from './control-plane.ts';
import { Problem } from './faces.ts';
import { useFeed, useNow } from './feed.ts';
import { Fleet } from './fleet.ts';
import { type Change, changesBetween, fleetRows } from './fleet-model.ts';
import { Headline } from './headline.ts';
import { LabFaults } from './lab-faults.ts';
import { OperationPanel } from './operation-panel.ts';
import { type MildWish, ReasonDialog } from './reason-dialog.ts';
import { beginSignIn, currentToken, type SignInConfig, signOut } from './sign-in.ts';
import { VipDetail } from './vip-detail.ts';

export interface PageConfig {
  readonly signIn: SignInConfig | null;
  readonly lab: string | null;
}

const PERIOD_MS = 1500;
const CHANGES_MAX = 4;

export interface AppProps {
  readonly config: PageConfig;
  /** What went wrong before the page was drawn. */
  readonly trouble: string | undefined;
}

export function App({ config, trouble }: AppProps) {
  const [token, setToken] = useState<string | undefined>(undefined);
  const [isKnown, setKnown] = useState(false);
  useEffect(() => {
    void currentToken(config.signIn ?? undefined).then((found) => {
      setToken(found);
      setKnown(true);
    });
  }, [config]);
  if (!isKnown) return '';
  if (token === undefined) return html`<${SignedOut} config=${config} trouble=${trouble} />`;
  return html`<${Console} config=${config} token=${token} onSignedOut=${() => setToken(undefined)} />`;
}

function SignedOut({ config, trouble }: AppProps) {
  const [problem, setProblem] = useState(trouble);
  const { signIn } = config;
  const begin = (): void => {
    if (signIn !== null)
      beginSignIn(signIn).catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)));
  };
  return html`<main class="signed-out">
    <h1>anycast-failover</h1>
    ${problem === undefined ? '' : html`<p role="alert" class="problem">${problem}</p>`}
    ${
      signIn === null
        ? html`<p>Nobody can sign in here: the function app has no <code>ANYCAST_DASHBOARD_CLIENT_ID</code>. <code>anycastctl status</code> works without it.</p>`
        : html`<p>What is shown here needs the role <b>Failover.Read</b>; moving traffic needs <b>Failover.Operate</b>.</p>
          <button type="button" class="primary" onClick=${begin}>Sign in</button>`
    }
  </main>`;
}

/** An address that somebody mangled chooses nothing. */
function selectedInHash(): string | undefined {
  try {
    return decodeURIComponent(location.hash.slice(1)) || undefined;
  } catch {
    return undefined;
  }
}

const WATCHED = 'anycast.operation';

/** The operation this tab watches, over a reload too. */
function useOperation(): [Operation | undefined, (operation: Operation | undefined) => void] {
  const [operation, setOperation] = useState<Operation | undefined>(() => {
    const kept = sessionStorage.getItem(WATCHED);
    return kept === null ? undefined : (JSON.parse(kept) as Operation);
  });
  return [
    operation,
    (next) => {
      if (next === undefined) sessionStorage.removeItem(WATCHED);
      else sessionStorage.setItem(WATCHED, JSON.stringify(next));
      setOperation(next);
    },
  ];
}

function useSelected(): [string | undefined, (vip: string) => void] {
  const [selected, setSelected] = useState(selectedInHash);
  useEffect(() => {
    const follow = (): void => setSelected(selectedInHash());
    addEventListener('hashchange', follow);
    return () => removeEventListener('hashchange', follow);
  }, []);
  return [
    selected,
    useCallback((vip: string) => {
      history.replaceState(null, '', `#${encodeURIComponent(vip)}`);
      setSelected(vip);
    }, []),
  ];
}

/** What changed since the page was opened, newest first. */
function useChanges(status: Status | undefined): readonly Change[] {
  const before = useRef<Status | undefined>(undefined);
  const [changes, setChanges] = useState<readonly Change[]>([]);
  useEffect(() => {
    if (status === undefined) return;
    const news = changesBetween(before.current, status);
    before.current = status;
    if (news.length > 0) setChanges((old) => [...news.reverse(), ...old].slice(0, CHANGES_MAX));
  }, [status]);
  return changes;
}

interface ConsoleProps {
  readonly config: PageConfig;
  readonly token: string;
  readonly onSignedOut: () => void;
}

function Console({ config, token, onSignedOut }: ConsoleProps) {
  const plane = useMemo(() => connect(config.signIn ?? undefined, onSignedOut), [config]);
  const feed = useFeed<Status>('status', PERIOD_MS, () => plane.get('/status'));
  const status = feed.value;
  const ageMs = Math.max(0, useNow() - feed.atMs);
  const isStale = status !== undefined && ageMs > 3000 * Math.max(2, status.timing?.reportSeconds ?? 2);
  const identity = useMemo(() => readIdentity(token), [token]);
  const changes = useChanges(status);
  const [selected, select] = useSelected();
  const [wish, setWish] = useState<Wish | undefined>(undefined);
  const [mild, setMild] = useState<MildWish | undefined>(undefined);
  const [operation, setOperation] = useOperation();
  const vip = useMemo(
    () => status?.vips.find((one) => one.vip === selected) ?? (status && fleetRows(status, '')[0]?.vip),
    [status, selected],
  );
  // The clock draws this every second; the list is drawn when something in it can have changed.
  const fleet = useMemo(
    () => status && html`<${Fleet} status=${status} isStale=${isStale} selected=${vip?.vip} onSelect=${select} />`,
    [status, isStale, vip?.vip, select],
  );
  const refusal = status && vip && whyDisabled(identity, status, vip, isStale);
  const started = (begun: Operation): void => {
    setWish(undefined);
    setMild(undefined);
    setOperation(begun);
  };
  return html`<${Headline} feed=${feed} ageMs=${ageMs} isStale=${isStale} identity=${identity} holdAllRefusal=${refusal} onHoldAll=${() => setMild({ type: 'hold-all' })} onSignOut=${() => {
    signOut();
    onSignedOut();
  }} />
    <${Changes} changes=${changes} />
    ${feed.problem && status === undefined ? html`<main><div role="alert"><${Problem} problem=${feed.problem} /></div><p>Without the page: <code>anycastctl status</code></p></main>` : ''}
    ${
      status &&
      html`<div class="columns">
      ${fleet}
      <div class="details">
        ${operation && html`<${OperationPanel} key=${operation.id} plane=${plane} started=${operation} onCancel=${() => setMild({ type: 'cancel', id: operation.id })} onDismiss=${() => setOperation(undefined)} />`}
        ${vip ? html`<${VipDetail} plane=${plane} status=${status} vip=${vip} ageMs=${ageMs} isStale=${isStale} refusal=${refusal} onAsk=${setWish} onMild=${setMild} />` : html`<main><${Empty} status=${status} /></main>`}
        ${config.lab && html`<${LabFaults} origin=${config.lab} status=${status} />`}
      </div>
    </div>`
    }
    ${wish && vip && html`<${ActionDialog} plane=${plane} vip=${vip} wish=${wish} onStarted=${started} onClose=${() => setWish(undefined)} />`}
    ${mild && html`<${ReasonDialog} plane=${plane} wish=${mild} onStarted=${started} onClose=${() => setMild(undefined)} />`}`;
}

/** Two regions that exist from the beginning: what comes into them is announced. */
function Changes({ changes }: { changes: readonly Change[] }) {
  const of = (level: Change['level']) =>
    changes.filter((change) => change.level === level).map(({ text }) => html`<p>${text}</p>`);
  return html`<div class="changes"><div role="alert">${of('alert')}</div><div role="status">${of('status')}</div></div>`;
}

const Empty = ({ status }: { status: Status }) => html`<h2>Nothing to show yet</h2>
  <p>${status.ledger === 'ok' ? 'No vip is decided yet: the first decision comes with the first reports.' : `The ledger is ${status.ledger}: what is on the wire stays as it is.`}</p>
  ${status.alerts.map((alert) => html`<p class="face look">! ${alert.reason}: ${alert.detail}</p>`)}`;
