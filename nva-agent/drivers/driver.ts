// Chooses who speaks BGP, as agent.yaml says: the agent itself, or a daemon that it drives.
import type { AgentFile } from '../control/config.ts';
import { type Speaker, type SpeakerOptions, startSpeaker } from '../speaker.ts';

/** Starts the speaker of this driver. Throws RangeError for options that nothing could run with. */
export async function startDriver(driver: AgentFile['driver'], options: SpeakerOptions): Promise<Speaker> {
  switch (driver.type) {
    case 'native':
      return await startSpeaker(options);
    // Loaded on demand: an agent that speaks itself carries neither.
    case 'bird': {
      const [{ createBird }, { startDaemonSpeaker }] = await Promise.all([
        import('./bird.ts'),
        import('./daemon-speaker.ts'),
      ]);
      return startDaemonSpeaker(createBird({ ...driver, peerRouteLimit: options.peerRouteLimit }), options);
    }
    case 'frr': {
      const [{ createFrr }, { startDaemonSpeaker }] = await Promise.all([
        import('./frr.ts'),
        import('./daemon-speaker.ts'),
      ]);
      return startDaemonSpeaker(createFrr({ ...driver, asn: options.localAsn }), options);
    }
  }
}
