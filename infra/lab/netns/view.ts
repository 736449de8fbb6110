// What the namespace lab shows while it runs: lines of text from facts. Text only.
import type { StatusVip } from '../../../shared/api.ts';
import { VERDICT_GLYPHS } from '../../../shared/vocabulary.ts';
import type { BirdRoute } from './bird-routes.ts';

export interface ViewRegion {
  readonly region: string;
  readonly app: string;
  readonly nva: string;
  readonly isBgpUp: boolean;
  /** The route at the on-premises router through this region, or undefined when there is none. */
  readonly route: BirdRoute | undefined;
}

export interface ViewFacts {
  readonly answeredBy: string | null;
  readonly regions: readonly ViewRegion[];
  /** Null while the control plane does not answer. */
  readonly status: StatusVip | null;
  readonly generation: number | null;
}

/** `12076 64500×12`: a run of the same number is written once with its count. */
export function formatPath(path: readonly number[]): string {
  const runs: { asn: number; count: number }[] = [];
  for (const asn of path) {
    const last = runs.at(-1);
    if (last?.asn === asn) last.count += 1;
    else runs.push({ asn, count: 1 });
  }
  return runs.map(({ asn, count }) => (count === 1 ? String(asn) : `${asn}×${count}`)).join(' ');
}

/** The whole picture, one line per region between who answers and what was decided. */
export function renderView(facts: ViewFacts): string[] {
  const decided =
    facts.status === null
      ? 'control plane: no answer; agents keep what they have'
      : `control plane: ${facts.status.acting} acts (${facts.status.reason}), generation ${facts.generation ?? '?'}`;
  return [
    `clients are answered by ${facts.answeredBy ?? 'nobody'}`,
    ...facts.regions.map((r) => regionLine(r, facts)),
    decided,
  ];
}

function regionLine(region: ViewRegion, facts: ViewFacts): string {
  const row = facts.status?.regions.find((candidate) => candidate.region === region.region);
  const judged =
    row === undefined ? '' : `${VERDICT_GLYPHS[row.verdict]} ${row.verdict}, ${row.role} on rung ${row.rung}`;
  const route =
    region.route === undefined
      ? 'no route on-premises'
      : `${region.route.isBest ? 'best' : 'spare'} on-premises: ${formatPath(region.route.asPath)}`;
  const parts = [`app ${region.app}`, `NVA ${region.nva}`, `BGP ${region.isBgpUp ? 'up' : 'DOWN'}`];
  return `  ${region.region.padEnd(13)} ${parts.join(', ').padEnd(38)} ${route.padEnd(42)} ${judged}`.trimEnd();
}
