// Carries out second chances: tunnel, rules and kernel settings once, heartbeats and short refreshes while armed.
import { randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { OperatingError } from '../../shared/errors.ts';
import {
  type Arm,
  type ArmingConfig,
  type ArmingEffect,
  type ArmingEvent,
  type ArmingState,
  type Ending,
  HEARTBEAT_MS,
  initialArming,
  isHandingOver,
  isMutual,
  isProved,
  step,
} from './arming.ts';
import type { Execute } from './execution.ts';
import { type HeartbeatSocket, openHeartbeatSocket } from './heartbeat-socket.ts';
import { LOOSE_TRACKING, writeSetting } from './kernel-settings.ts';
import { type Applied, applyTable, listTable, readCounters } from './nftables.ts';
import { type DataPlaneConfig, SECOND_CHANCE_TABLE, TUNNEL_DEVICE } from './plan.ts';
import { HANDED_OVER, renderClear, renderRefresh, renderSecondChance } from './second-chance-rules.ts';

/** `arm` waits this long for the peer's confirmation before it answers `waiting`. */
const CONFIRM_WAIT_MS = 1000;
/** A refresh that takes longer than the element lives is of no use. */
const REFRESH_TIMEOUT_MS = 1500;
/** Connections that flow while tracking begins are taken in within this time, unless they are idle. */
const WARM_UP_MS = 2000;

export interface ArmOptions {
  /** The NVA that connections of the vip may still live on; may be left out when there is only one other. */
  readonly peer?: string;
  /** Ends it earlier than the vip's capSeconds. */
  readonly capSeconds?: number;
  /** Longest wait for the peer's confirmation; a second when absent. */
  readonly waitMs?: number;
}

export type ArmOutcome =
  /** Both kernels hand over to each other from now on: the route may move. */
  | { readonly type: 'active'; readonly peer: string }
  /** This one does; the peer has not said yet that it does so too. */
  | { readonly type: 'one-sided'; readonly peer: string }
  /** Asked for, but the peer has not confirmed yet; goes on trying until the cap. */
  | { readonly type: 'waiting'; readonly peer: string }
  | { readonly type: 'refused'; readonly why: 'no-second-chance' | 'peer-not-named' | 'unknown-peer' | 'not-applied' };

export interface SecondChanceStatus {
  readonly peers: readonly { readonly nva: string; readonly isProved: boolean }[];
  readonly vips: readonly (Pick<Arm, 'peer' | 'phase' | 'by'> & { readonly vip: string; readonly endsInMs: number })[];
  readonly ended: readonly {
    readonly vip: string;
    readonly peer: string;
    readonly why: Ending;
    readonly agoMs: number;
  }[];
  /** Packets handed over since the table stands. */
  readonly handedOver: number;
  /** Why the last refresh failed; absent while all is well. */
  readonly problem?: string;
}

export interface SecondChance {
  /** Call before the route changes. One call per switch: each starts the cap anew. */
  arm(vip: string, options?: ArmOptions): Promise<ArmOutcome>;
  /**
   * Before a stop: has each of these NVAs hand over packets of connections that live here, whichever takes over. Answers
   * those that said within the time that they do; the others are asked on until the vip's cap.
   */
  askBack(vip: string, peers: readonly string[], waitMs: number): Promise<readonly string[]>;
  disarm(vip: string): Promise<void>;
  /** Whether the tunnel to this NVA was proved lately, both ways and at full size. */
  isProved(peer: string): boolean;
  status(): Promise<SecondChanceStatus>;
}

export interface SecondChanceShell extends SecondChance {
  /** Rules and heartbeats for this configuration; the tunnel device stands already. */
  apply(config: DataPlaneConfig): Promise<Applied>;
  /** Takes in flowing connections; the caller makes tracking strict afterwards. */
  warmUp(config: DataPlaneConfig): Promise<void>;
  close(): void;
}

export function createSecondChance(execute: Execute, folder: string): SecondChanceShell {
  const boot = randomInt(1, 0xffffffff);
  let state: ArmingState = initialArming({ address: '0.0.0.0', boot, peers: [], vips: [] });
  let socket: HeartbeatSocket | undefined;
  let socketPlan = '';
  let timer: NodeJS.Timeout | undefined;
  let problem: string | undefined;
  let rulesQueue: Promise<void> = Promise.resolve();
  let isRefreshing = false;
  const waiters = new Set<() => void>();

  const now = () => performance.now();

  const handle = (event: ArmingEvent): void => {
    const result = step(state, event, now());
    state = result.state;
    for (const effect of result.effects) carryOut(effect, event.type === 'tick');
    for (const wake of waiters) wake();
  };

  const carryOut = (effect: ArmingEffect, isPeriodic: boolean): void => {
    if (effect.type === 'send') {
      const send = () => socket?.send(effect.heartbeat, effect.peer.innerAddress);
      // What a heartbeat says of this kernel must have happened; a tick's refresh changes nothing, and may be stuck.
      if (isPeriodic) send();
      else void rulesQueue.then(send);
      return;
    }
    const text = effect.type === 'refresh' ? renderRefresh(effect.elements) : renderClear(effect.elements);
    // At most one periodic refresh waits: a stuck kernel must not be met by a growing queue.
    if (isPeriodic && effect.type === 'refresh') {
      if (isRefreshing) return;
      isRefreshing = true;
    }
    rulesQueue = rulesQueue.then(async () => {
      try {
        await execute(['nft', '-f', '-'], { stdin: text, timeoutMs: REFRESH_TIMEOUT_MS });
        problem = undefined;
      } catch (error) {
        problem = error instanceof Error ? error.message : String(error);
      }
      if (isPeriodic) isRefreshing = false;
    });
  };

  const close = (): void => {
    clearInterval(timer);
    socket?.close();
    timer = undefined;
    socket = undefined;
    socketPlan = '';
  };

  const openSocket = async (config: DataPlaneConfig): Promise<void> => {
    const plan = JSON.stringify(config.tunnel);
    if (config.tunnel === undefined || (socket !== undefined && plan === socketPlan)) return;
    close();
    socket = await openHeartbeatSocket(config.tunnel, (heartbeat) => handle({ type: 'heard', heartbeat }));
    socketPlan = plan;
    timer = setInterval(() => handle({ type: 'tick' }), HEARTBEAT_MS);
    timer.unref();
  };

  return {
    close,
    warmUp: async (config) => {
      if (config.tunnel === undefined || (await listTable(execute, SECOND_CHANCE_TABLE)) !== undefined) return;
      await execute(['nft', '-f', '-'], { stdin: renderSecondChance(config, config.tunnel) });
      for (const [name, value] of Object.entries(LOOSE_TRACKING)) await writeSetting(execute, name, value);
      await sleep(WARM_UP_MS);
    },
    apply: async (config) => {
      const { tunnel } = config;
      const applied = await applyTable(execute, folder, {
        table: SECOND_CHANCE_TABLE,
        ruleset: tunnel === undefined ? undefined : renderSecondChance(config, tunnel),
      });
      handle({ type: 'reconfigured', config: armingConfigOf(config, boot) });
      if (tunnel === undefined) {
        close();
        return applied;
      }
      // Loose (2), so that clients' packets may come in by the tunnel whatever `conf.all` says.
      await writeSetting(execute, `net.ipv4.conf.${TUNNEL_DEVICE}.rp_filter`, '2');
      await openSocket(config);
      handle({ type: 'tick' });
      return applied;
    },
    arm: async (name, options = {}) => {
      const vip = state.config.vips.find((candidate) => candidate.vip === name);
      if (vip === undefined) return { type: 'refused', why: 'no-second-chance' };
      if (socket === undefined) return { type: 'refused', why: 'not-applied' };
      const peer = options.peer ?? (vip.peers.length === 1 ? vip.peers[0] : undefined);
      if (peer === undefined) return { type: 'refused', why: 'peer-not-named' };
      if (!vip.peers.includes(peer)) return { type: 'refused', why: 'unknown-peer' };
      const capMs = options.capSeconds === undefined ? {} : { capMs: options.capSeconds * 1000 };
      handle({ type: 'arm', vip: name, peer, ...capMs });
      const isHere = () => state.arms.get(name)?.peer === peer && state.arms.get(name)?.phase === 'active';
      await untilWoken(waiters, () => isHere() && isMutual(state, name), options.waitMs ?? CONFIRM_WAIT_MS);
      await rulesQueue;
      if (!isHere() || problem !== undefined) return { type: 'waiting', peer };
      return { type: isMutual(state, name) ? 'active' : 'one-sided', peer };
    },
    askBack: async (vip, peers, waitMs) => {
      if (socket === undefined) return [];
      handle({ type: 'ask', vip, peers });
      // An NVA whose tunnel is silent is asked, but not waited for.
      const awaited = peers.filter((peer) => isProved(state, peer, now()));
      await untilWoken(waiters, () => awaited.every((peer) => isHandingOver(state, vip, peer)), waitMs);
      return peers.filter((peer) => isHandingOver(state, vip, peer));
    },
    disarm: async (vip) => {
      handle({ type: 'disarm', vip });
      await rulesQueue;
      if (problem !== undefined) throw new OperatingError('not-disarmed', problem, { retryable: true });
    },
    isProved: (peer) => isProved(state, peer, now()),
    status: async () => {
      const counters =
        timer === undefined ? undefined : await readCounters(execute, SECOND_CHANCE_TABLE).catch(() => undefined);
      const nowMs = now();
      return {
        peers: state.config.peers.map(({ nva }) => ({ nva, isProved: isProved(state, nva, nowMs) })),
        vips: [...state.arms].map(([vip, { peer, phase, by, endsMs }]) => ({
          vip,
          peer,
          phase,
          by,
          endsInMs: endsMs - nowMs,
        })),
        ended: state.ended.map(({ vip, peer, why, atMs }) => ({ vip, peer, why, agoMs: nowMs - atMs })),
        handedOver: counters?.get(HANDED_OVER)?.packets ?? 0,
        ...(problem === undefined ? {} : { problem }),
      };
    },
  };
}

function armingConfigOf(config: DataPlaneConfig, boot: number): ArmingConfig {
  return {
    address: config.address,
    boot,
    peers: config.tunnel?.peers ?? [],
    vips: config.vips.flatMap((vip) =>
      vip.secondChance === undefined
        ? []
        : [
            {
              vip: vip.vip,
              address: vip.address,
              capMs: vip.secondChance.capSeconds * 1000,
              peers: vip.secondChance.peers,
            },
          ],
    ),
  };
}

/** Waits until the condition holds at a wake-up, at most this long. */
function untilWoken(wakers: Set<() => void>, condition: () => boolean, withinMs: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(patience);
      wakers.delete(look);
      resolve();
    };
    const look = () => {
      if (condition()) finish();
    };
    const patience = setTimeout(finish, withinMs);
    wakers.add(look);
    look();
  });
}
