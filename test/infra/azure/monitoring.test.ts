// Alerts, workbook, rules and dashboards: every query parsed, every metric one that the agent has.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { GUARDS, REASONS } from '../../../functions/engine/reasons.ts';
import { STATUS_LINE_MARK } from '../../../functions/status-lines.ts';
import { createMetrics } from '../../../nva-agent/control/metrics.ts';
import { AUDIT_KINDS, AUDIT_TABLE } from '../../../shared/audit.ts';
import { parseYaml } from '../../../shared/yaml.ts';

const ROOT = 'infra/azure/monitoring';
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');

interface Alert {
  readonly name: string;
  readonly severity: number;
  readonly every: string;
  readonly window: string;
  readonly periods: number;
  readonly dimensions: readonly string[];
  readonly summary: string;
  readonly why: string;
  readonly action: string;
  readonly query: string;
}

function yamlOf<T>(file: string): T {
  const parsed = parseYaml(read(file));
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.error));
  return parsed.value as T;
}

const { alerts } = yamlOf<{ alerts: readonly Alert[] }>('alerts.yaml');
const workbook = read('workbook.json');

/** Every KQL text of the workbook by the name of its item, with its parameters filled in. */
function workbookQueries(): Record<string, string> {
  const found: Record<string, string> = {};
  const visit = (node: unknown) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (node === null || typeof node !== 'object') return;
    const { content, name, query, queryType, label } = node as Record<string, unknown> & {
      content?: Record<string, unknown>;
    };
    if (typeof content?.query === 'string') found[String(name)] = content.query;
    // A parameter; type 1 asks Resource Graph, another language.
    if (label !== undefined && typeof query === 'string' && queryType === 0) found[`parameter ${String(name)}`] = query;
    Object.values(node).forEach(visit);
  };
  visit(JSON.parse(workbook));
  const values: Record<string, string> = {
    '{TimeRange:grain}': '5m',
    '{Deployment}': 'contoso',
    '{Vip}': 'orders',
    '{Search}': 'x',
  };
  return Object.fromEntries(
    Object.entries(found).map(([name, text]) => [
      name,
      Object.entries(values).reduce((filled, [mark, value]) => filled.replaceAll(mark, value), text),
    ]),
  );
}

const columns = JSON.parse(readFileSync('infra/azure/audit-columns.json', 'utf8')) as { name: string; type: string }[];
const functions = Object.fromEntries(
  readdirSync(join(ROOT, 'functions')).map((file) => [file.replace('.kql', ''), read(join('functions', file))]),
);

/** Columns of the tables of the service that the queries name, as its reference has them. */
const TABLES = {
  [AUDIT_TABLE]: `(${columns.map(({ name, type }) => `${name}: ${type}`).join(', ')})`,
  AppTraces: '(TimeGenerated: datetime, Message: string, SeverityLevel: int, Properties: dynamic, AppRoleName: string)',
  AZKVAuditLogs: '(TimeGenerated: datetime, OperationName: string, Id: string, RequestUri: string, ResultType: string)',
};

type Answers = Readonly<Record<string, { readonly problems: readonly string[]; readonly columns: readonly string[] }>>;

function ask(queries: Readonly<Record<string, string>>): Answers {
  const input = JSON.stringify({ tables: TABLES, functions, queries });
  const output = execFileSync(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', 'test/support/kql-check.ts'],
    {
      input,
      encoding: 'utf8',
    },
  );
  return JSON.parse(output) as Answers;
}

const answers = ask({
  ...Object.fromEntries(alerts.map((alert) => [`alert ${alert.name}`, alert.query])),
  ...Object.fromEntries(Object.entries(functions).map(([name, text]) => [`function ${name}`, text])),
  ...workbookQueries(),
  'a wrong column': 'AnycastAudit | where Vipp == "x"',
});

describe('KQL', () => {
  test('of every alert, function and workbook item is right by the parser of Kusto', () => {
    const { 'a wrong column': wrong, ...rest } = answers;
    expect(wrong?.problems).not.toEqual([]);
    expect(Object.keys(rest).length).toBeGreaterThan(35);
    expect(Object.fromEntries(Object.entries(rest).filter(([, answer]) => answer.problems.length > 0))).toEqual({});
  });

  test('of alerts answers with the columns that the alert is split by', () => {
    const lacking = alerts.flatMap(({ name, dimensions }) =>
      dimensions
        .filter((column) => !answers[`alert ${name}`]?.columns.includes(column))
        .map((column) => `${name}: ${column}`),
    );
    expect(lacking).toEqual([]);
  });

  test('cuts off exactly the mark that status lines begin with', () => {
    expect(functions.AnycastStatus).toContain(`startswith "${STATUS_LINE_MARK}"`);
    expect(functions.AnycastStatus).toContain(`substring(Message, ${STATUS_LINE_MARK.length})`);
  });

  test('asks for words that the engine has', () => {
    const text = [...alerts.map((alert) => alert.query), ...Object.values(workbookQueries())].join('\n');
    const listed = (column: string) =>
      [...text.matchAll(new RegExp(`\\b${column} (?:==|in|!in) (?:"([^"]+)"|\\(([^)]+)\\))`, 'g'))].flatMap((match) =>
        (match[1] ?? match[2] ?? '').split(',').map((word) => word.replaceAll('"', '').trim()),
      );
    expect(listed('Kind').filter((kind) => !(AUDIT_KINDS as readonly string[]).includes(kind))).toEqual([]);
    // Outcomes of proofs, drift and drills are words of the control plane, not of the engine.
    const others = ['proof-failed', 'drift', 'proved', 'already-so', 'running'];
    const known: readonly string[] = [...REASONS, ...GUARDS, ...others];
    expect(listed('Reason').filter((word) => !known.includes(word))).toEqual([]);
  });
});

describe('alerts', () => {
  const required = [
    ['AnycastVipUnserved', 0],
    ['AnycastNoLeader', 0],
    ['AnycastDecisionOld', 0],
    ['AnycastVerifyFailed', 0],
    ['AnycastNvaIsolated', 1],
    ['AnycastAllUnhealthy', 1],
    ['AnycastMassFailureHold', 1],
    ['AnycastPrependNotVisible', 1],
    ['AnycastSessionDownLong', 2],
    ['AnycastFlapping', 2],
    ['AnycastHeadroomLow', 2],
    ['AnycastOutboxDeep', 2],
    ['AnycastCertificateExpiring', 2],
    ['AnycastKeyExpiring', 2],
    ['AnycastTookOver', 3],
    ['AnycastHoldExpiring', 3],
    ['AnycastDrillOverdue', 3],
  ] as const;

  test.each(required)('%s is there, of severity %i', (name, severity) => {
    expect(alerts.find((alert) => alert.name === name)?.severity).toBe(severity);
  });

  test('each say what happened, why it matters and what to do, once each', () => {
    expect(alerts.filter(({ summary, why, action }) => !summary || !why || !action)).toEqual([]);
    expect(new Set(alerts.map((alert) => alert.name)).size).toBe(alerts.length);
  });

  test('look at windows and frequencies that log alerts have', () => {
    const minutes = (text: string) => {
      const [, day, amount, unit] = /^P(?:(\d+)D)?(?:T(\d+)([HM]))?$/.exec(text) ?? [];
      return Number(day ?? 0) * 1440 + Number(amount ?? 0) * (unit === 'H' ? 60 : 1);
    };
    for (const { every, window } of alerts) {
      expect([1, 5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440]).toContain(minutes(every));
      expect([1, 5, 10, 15, 30, 45, 60, 120, 180, 240, 300, 360, 1440, 2880]).toContain(minutes(window));
      expect(minutes(window)).toBeGreaterThanOrEqual(minutes(every));
    }
  });
});

describe('the workbook', () => {
  test('asks for its parameters first, names no resource, and says what an empty answer means', () => {
    const { items } = JSON.parse(workbook) as { items: { type: number }[] };
    expect(items.map((item) => item.type)).toEqual([9, 11, 12, 12, 12, 12]);
    expect(workbook).not.toMatch(/\/subscriptions\//);
    const grids = workbook.match(/"version": "KqlItem\/1\.0"/g)?.length;
    expect(workbook.match(/"noDataMessage": "[^"]+/g)?.length).toBe(grids);
  });

  test('runs the queries of a tab only when it is open', () => {
    const { items } = JSON.parse(workbook) as {
      items: { type: number; conditionalVisibility?: object; content: object }[];
    };
    const tabs = items.filter((item) => item.type === 12);
    expect(tabs.every((tab) => tab.conditionalVisibility !== undefined && !('loadType' in tab.content))).toBe(true);
  });
});

describe('Prometheus', () => {
  const metrics = () => createMetrics('0.0.0', 'nva').registry.getMetricsAsArray();
  const suffixes = (name: string, type: string) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name];
  const known = new Set(metrics().flatMap(({ name, type }) => suffixes(name, String(type))));
  const labels = new Map(
    metrics().flatMap((metric) =>
      suffixes(metric.name, String(metric.type)).map(
        (name) => [name, [...((metric as unknown as { labelNames: string[] }).labelNames ?? []), 'le']] as const,
      ),
    ),
  );

  interface Rule {
    readonly alert: string;
    readonly expr: string;
    readonly labels: { readonly severity: string };
    readonly annotations: Readonly<Record<string, string>>;
  }
  const rules = yamlOf<{ groups: { rules: Rule[] }[] }>('prometheus-rules.yaml').groups.flatMap((group) => group.rules);
  const dashboard = JSON.parse(read('grafana-agents.json')) as {
    panels: { id: number; title: string; gridPos: object; targets: { expr: string }[] }[];
    annotations: { list: { expr: string }[] };
    templating: { list: { query: string | { query: string } }[] };
  };
  const expressions = [
    ...rules.map((rule) => rule.expr),
    ...dashboard.panels.flatMap((panel) => panel.targets.map((target) => target.expr)),
    ...dashboard.annotations.list.map((annotation) => annotation.expr),
    ...dashboard.templating.list.flatMap(({ query }) => (typeof query === 'string' ? [] : [query.query])),
  ];

  test('expressions name only metrics that the agent has, by labels that they have', () => {
    expect(expressions.length).toBeGreaterThan(20);
    const wrong = expressions.flatMap((expr) =>
      [...expr.matchAll(/\b(anycast_agent_[a-z_]+)(\{[^}]*\})?/g)].flatMap(([, name, selector]) => {
        if (!known.has(name ?? '')) return [`${name} in ${expr}`];
        const used = [...(selector ?? '').matchAll(/([a-z_]+)(?:=~|!~|!=|=)"/g)].map((match) => match[1] ?? '');
        return used
          .filter((label) => label !== 'instance' && !labels.get(name ?? '')?.includes(label))
          .map((label) => `${name} has no label ${label}`);
      }),
    );
    expect(wrong).toEqual([]);
  });

  test('expressions are balanced', () => {
    const isBalanced = (text: string) => {
      const closing: Record<string, string> = { ')': '(', ']': '[', '}': '{' };
      const open: string[] = [];
      for (const sign of text.replace(/"[^"]*"/g, '')) {
        if ('([{'.includes(sign)) open.push(sign);
        else if (sign in closing && open.pop() !== closing[sign]) return false;
      }
      return open.length === 0;
    };
    expect(expressions.filter((expr) => !isBalanced(expr))).toEqual([]);
    expect(isBalanced('sum(x[5m)')).toBe(false);
  });

  test('rules are of three severities, each with what a person at night needs', () => {
    for (const rule of rules) {
      expect(['critical', 'warning', 'info']).toContain(rule.labels.severity);
      expect(Object.keys(rule.annotations).sort()).toEqual(['dashboard_url', 'description', 'runbook_url', 'summary']);
      expect(rule.annotations.summary).not.toMatch(/\{\{/);
      expect(rule.annotations.runbook_url).toBe(`docs/alerts/${rule.alert}.md`);
    }
  });

  test('panels have numbers of their own and use every metric but none twice in vain', () => {
    const ids = dashboard.panels.map((panel) => panel.id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(dashboard.panels[0]?.title).toBe('Sessions with Route Server');
  });
});
