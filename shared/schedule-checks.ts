// What scheduled drills and moves must mean: a time that comes, a vip that can move, a target it has.
import { Cron } from 'croner';
import type { Finding } from './result.ts';
import type { Schedule, Topology } from './topology-schema.ts';

/** Every schedule that could never do what it says. */
export const findScheduleRefusals = (topology: Topology): Finding[] =>
  topology.schedules.flatMap((schedule, i) => {
    const path = `schedules[${i}]`;
    const isTwice = topology.schedules.findIndex((other) => other.name === schedule.name) !== i;
    return [
      ...(isTwice ? [finding(`${path}.name`, 'duplicate-name', `${schedule.name} is named twice`)] : []),
      ...checkVip(topology, schedule, path),
      ...checkTime(schedule, path),
    ];
  });

const finding = (path: string, code: string, message: string): Finding => ({ path, code, message });

function checkVip(topology: Topology, schedule: Schedule, path: string): Finding[] {
  const vip = topology.vips.find((candidate) => candidate.name === schedule.vip);
  if (vip === undefined) return [finding(`${path}.vip`, 'unknown-vip', `${schedule.vip} is not among vips`)];
  if (vip.mode !== 'primary-backup')
    return [finding(`${path}.vip`, 'active-active', `all regions of ${vip.name} act: there is nothing to move`)];
  if (schedule.to !== undefined && !vip.regions.includes(schedule.to))
    return [finding(`${path}.to`, 'unknown-region', `${schedule.to} does not carry ${vip.name}`)];
  if (schedule.to !== undefined && schedule.kind === 'failback')
    return [finding(`${path}.to`, 'unused', 'a failback goes to the first region of the ranking')];
  return [];
}

function checkTime({ cron, timeZone }: Schedule, path: string): Finding[] {
  try {
    const next = new Cron(cron, { timezone: timeZone }).nextRun('2026-01-01T00:00:00');
    return next === null ? [finding(`${path}.cron`, 'never', `${cron} never comes`)] : [];
  } catch (error) {
    const isZone = String(error).includes('timezone');
    const message = isZone ? `${timeZone} is no time zone` : String((error as { message?: string }).message);
    return [finding(`${path}.${isZone ? 'timeZone' : 'cron'}`, 'malformed', message.slice(0, 200))];
  }
}
