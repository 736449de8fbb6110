// What a look before a deployment finds, and what a check is.
import type { AzureSection } from '../../../shared/azure-schema.ts';
import type { Topology } from '../../../shared/topology-schema.ts';
import type { Az } from './az.ts';

export interface PreflightFinding {
  readonly severity: 'error' | 'warning';
  readonly code: string;
  readonly message: string;
  readonly fix: string;
}

export interface Look {
  readonly az: Az;
  readonly topology: Topology;
  readonly azure: AzureSection;
  readonly assignsRoles: boolean;
}

export type Check = (look: Look) => Promise<PreflightFinding[]>;

export const error = (code: string, message: string, fix: string): PreflightFinding => ({
  severity: 'error',
  code,
  message,
  fix,
});
export const warning = (code: string, message: string, fix: string): PreflightFinding => ({
  ...error(code, message, fix),
  severity: 'warning',
});
