// Declares doctor: end-to-end checks of a deployment.
import type { DoctorOptions } from '../verbs/doctor.ts';
import { type Shell, verb } from './shell.ts';

export function declareDoctor(shell: Shell): void {
  verb(shell, 'doctor', 'check a deployment end to end; each finding comes with its fix')
    .argument('[file]', 'the deployed anycast.yaml (default: anycast.yaml here; in the lab its own)')
    .option('--ca <file>', "CA of the agents' certificates")
    .option('--arm-endpoint <url>', 'Azure Resource Manager other than the public cloud')
    .option('--workspace-id <id>', 'resource id of the Log Analytics workspace: also check the audit table')
    .option('--dcr-id <id>', 'resource id of the data collection rule: also check it')
    .option('--no-arm', 'do not look at Azure resources')
    .option('--no-agents', 'do not ask the agents')
    .option('--bundle <file>', 'write everything that was gathered into a file for a colleague')
    .action(async (file: string | undefined, flags: Omit<DoctorOptions, 'file'>) => {
      const { runDoctor } = await import('../verbs/doctor.ts');
      shell.done(await runDoctor(shell.session(), { ...flags, file }));
    });
}
