// The OpenAPI 3.1 document, made from the same schemas that requests are parsed with.
import { z } from 'zod';
import * as api from '../../shared/api.ts';
import { observerReportSchema, reportSchema } from '../../shared/report.ts';
import type { Route } from '../http/call.ts';
import { RATES } from '../http/rates.ts';

const BODIES: Readonly<Record<string, z.ZodType>> = {
  failover: api.failoverRequestSchema,
  failback: api.failbackRequestSchema,
  drain: api.drainRequestSchema,
  undrain: api.drainRequestSchema,
  hold: api.holdRequestSchema,
  drill: api.drillRequestSchema,
  'trust-ledger': api.trustRequestSchema,
  report: z.union([reportSchema, observerReportSchema]),
};

const ANSWERS: Readonly<Record<string, z.ZodType>> = {
  status: api.statusSchema,
  vip: api.statusVipSchema,
  explain: api.explainSchema,
  audit: api.auditPageSchema,
  health: api.healthSchema,
  operation: api.operationSchema,
};

const schemaOf = (schema: z.ZodType, io: 'input' | 'output'): unknown =>
  z.toJSONSchema(schema, { target: 'draft-2020-12', io, unrepresentable: 'any' });

const PROBLEM = {
  type: 'object',
  required: ['type', 'title', 'status', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string' },
    detail: { type: 'string' },
    next: { type: 'string' },
  },
};

/** Queries that a reading understands. */
const QUERIES: Readonly<Record<string, readonly string[]>> = {
  audit: ['vip', 'kind', 'group', 'after', 'limit', 'last'],
  'release-hold': ['reason'],
  cancel: ['reason'],
};

export function openApi(routes: readonly Route[], audience: string): unknown {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const route of routes) {
    for (const method of route.methods) {
      const path = `/${route.path}`;
      paths[path] = { ...paths[path], [method.toLowerCase()]: toOperation(route) };
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'anycast-failover', version: '1', description: `Bearer tokens of Entra ID for ${audience}.` },
    servers: [{ url: '/api' }],
    paths,
    components: {
      schemas: { Problem: PROBLEM },
      securitySchemes: { entra: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
    },
  };
}

/** Who is counted, and how often it may ask. */
function tooOften({ role }: Route): string {
  const { perSecond, burst } = RATES[role ?? 'open'];
  const whom = role === null ? 'address' : role === 'Agent.Report' ? 'caller and name' : 'caller';
  return `Asked too often: ${perSecond} a second per ${whom}, ${burst} at once`;
}

function toOperation(route: Route): unknown {
  const body = BODIES[route.name];
  const starts = body !== undefined && route.name !== 'report';
  const answers = ['release-hold', 'cancel'].includes(route.name) || starts ? api.operationSchema : ANSWERS[route.name];
  const content = answers && { content: { 'application/json': { schema: schemaOf(answers, 'output') } } };
  const dryRun = {
    description: 'Dry run',
    content: { 'application/json': { schema: schemaOf(api.planSchema, 'output') } },
  };
  const isMutation = route.methods.some((method) => method !== 'GET') && route.name !== 'report';
  return {
    operationId: route.name,
    parameters: [
      ...[...route.path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...(QUERIES[route.name] ?? []).map((name) => ({ name, in: 'query', schema: { type: 'string' } })),
      ...(isMutation ? [{ name: 'Idempotency-Key', in: 'header', schema: { type: 'string', maxLength: 200 } }] : []),
    ],
    ...(body && {
      requestBody: { required: true, content: { 'application/json': { schema: schemaOf(body, 'input') } } },
    }),
    responses: {
      ...(isMutation
        ? { 202: { description: 'Accepted', ...content } }
        : { 200: { description: 'Answer', ...content } }),
      ...(starts && { 200: dryRun }),
      429: {
        description: tooOften(route),
        headers: { 'Retry-After': { description: 'Seconds', schema: { type: 'integer' } } },
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
      default: {
        description: 'Problem',
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
    ...(route.role !== null && { security: [{ entra: [route.role] }], description: `Needs ${route.role}.` }),
  };
}
