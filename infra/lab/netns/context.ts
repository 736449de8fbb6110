// What every part of one running lab shares: its plan, the folder of its files, the table of its processes.
import type { LabPlan } from './plan.ts';
import type { ProcessTable } from './processes.ts';

export interface LabContext {
  readonly plan: LabPlan;
  readonly folder: string;
  readonly processes: ProcessTable;
}
