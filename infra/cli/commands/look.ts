// Declares the verbs that only look: status, topology, watch, explain, which-seat, api.
import { type Shell, seconds, verb } from './shell.ts';

export function declareLooking(shell: Shell): void {
  const { session, done } = shell;
  verb(shell, 'status', 'who serves each vip, how well, and what is proved')
    .argument('[vip]')
    .option('--wide', 'also NVA, hold and latency', false)
    .option('--watch [duration]', 'keep looking (default every 2 s)', (text: string) => seconds(text))
    .action(async (vip: string | undefined, flags: { watch?: number | true; wide: boolean }) => {
      const { showStatus, watchStatus } = await import('../verbs/status.ts');
      const options = { vip, isWide: flags.wide };
      if (flags.watch === undefined) return done(await showStatus(session(), options));
      done(await watchStatus(session(), { ...options, everySeconds: flags.watch === true ? 2 : flags.watch }));
    });
  verb(shell, 'watch', 'status, live: redrawn on a terminal, a line per change on a pipe')
    .argument('[vip]')
    .option('--every <duration>', 'look this often', seconds, 2)
    .action(async (vip: string | undefined, flags: { every: number }) => {
      const { watchStatus } = await import('../verbs/status.ts');
      done(await watchStatus(session(), { vip, isWide: false, everySeconds: flags.every }));
    });
  verb(shell, 'topology', 'the way of a vip from on-premises to the NVAs, hop by hop')
    .argument('<vip>')
    .action(async (vip: string) => {
      const { showTopology } = await import('../verbs/topology.ts');
      done(await showTopology(session(), vip));
    });
  verb(shell, 'explain', 'why a vip is where it is, what blocks it, what comes next')
    .argument('<vip>')
    .action(async (vip: string) => {
      const { showExplanation } = await import('../verbs/status.ts');
      done(await showExplanation(session(), vip));
    });
  verb(shell, 'which-seat', 'every seat: whether it answers, who leads, how old the last decision is').action(
    async () => {
      const { showSeats } = await import('../verbs/seats.ts');
      done(await showSeats(session()));
    },
  );
  verb(shell, 'api', 'one raw request below /api, answered as it comes')
    .argument('<method>', 'GET, POST or DELETE')
    .argument('<path>', 'such as /status')
    .option('--data <json>', 'body of the request')
    .action(async (method: string, path: string, flags: { data?: string }) => {
      const { callApi } = await import('../verbs/seats.ts');
      done(await callApi(session(), method, path, flags.data));
    });
}
