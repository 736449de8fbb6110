// Stands in for `az` and `azd`: answers by the first words of a command, keeps Graph's applications and role assignments.
import type { Az, AzAnswer } from '../../infra/azure/hooks/az.ts';

type Json = Record<string, unknown>;

export interface GraphState {
  readonly applications: Json[];
  readonly servicePrincipals: Json[];
  readonly assignments: Json[];
}

export interface FakeAzure {
  readonly az: Az;
  readonly azd: Az;
  readonly graph: GraphState;
  /** Every command, program first. */
  readonly calls: string[][];
  /** First words of a command -> answer, or `{error}`; the longest match counts. */
  answers: Readonly<Record<string, unknown>>;
}

export function createFakeAzure(answers: Readonly<Record<string, unknown>>): FakeAzure {
  const graph: GraphState = { applications: [], servicePrincipals: [], assignments: [] };
  const fake: FakeAzure = { az: run('az'), azd: run('azd'), graph, calls: [], answers };

  function run(program: string): Az {
    return async (...args) => {
      fake.calls.push([program, ...args]);
      return (args[0] === 'rest' ? answerGraph(graph, args) : undefined) ?? answerListed(fake.answers, args);
    };
  }
  return fake;
}

function answerListed(answers: Readonly<Record<string, unknown>>, args: readonly string[]): AzAnswer {
  const line = args.join(' ');
  const [, found] =
    Object.entries(answers)
      .filter(([start]) => line.startsWith(start))
      .sort(([a], [b]) => b.length - a.length)[0] ?? [];
  if (found !== null && typeof found === 'object' && 'error' in found) {
    return { ok: false, isMissing: found.error === 'ENOENT', detail: String(found.error) };
  }
  return { ok: true, value: found ?? null };
}

const ok = (value: unknown): AzAnswer => ({ ok: true, value });

function answerGraph(graph: GraphState, args: readonly string[]): AzAnswer | undefined {
  const optionOf = (name: string) => args[args.indexOf(name) + 1] ?? '';
  const url = decodeURIComponent(optionOf('--url'));
  const path = url.replace('https://graph.microsoft.com/v1.0', '');
  if (path === url) return undefined;
  const body = args.includes('--body') ? (JSON.parse(optionOf('--body')) as Json) : {};
  const named = /eq '([^']*)'/.exec(path)?.[1];
  if (path.startsWith('/applications?')) {
    return ok({ value: graph.applications.filter((app) => app.displayName === named) });
  }
  if (path === '/applications') {
    graph.applications.push({ id: 'object-1', appId: '11111111-2222-3333-4444-555555555555', ...body });
    return ok(graph.applications.at(-1));
  }
  if (path.startsWith('/applications/')) {
    Object.assign(graph.applications.find((app) => path.endsWith(String(app.id))) ?? {}, body);
    return ok(null);
  }
  if (path.startsWith('/servicePrincipals?')) {
    return ok({ value: graph.servicePrincipals.filter((principal) => principal.appId === named) });
  }
  if (path === '/servicePrincipals') {
    graph.servicePrincipals.push({ id: 'principal-1', ...body });
    return ok(graph.servicePrincipals.at(-1));
  }
  if (!path.includes('/appRoleAssignedTo')) {
    return ok({ ...graph.servicePrincipals[0], appRoles: graph.applications[0]?.appRoles });
  }
  if (optionOf('--method') === 'get') return ok({ value: graph.assignments });
  graph.assignments.push(body);
  return ok(body);
}
