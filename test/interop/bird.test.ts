// Our session with BIRD 2.
import { BIRD, startBirdPeer } from '../support/bird.ts';
import { describeWith } from '../support/needs.ts';
import { testPeer } from './peer-suite.ts';

describeWith({ programs: [BIRD.program, BIRD.control] }, 'BIRD 2', () => {
  testPeer({
    start: startBirdPeer,
    holdExpiredLog: /Hold timer expired/,
    showsShutdownText: true,
    sendsShutdownText: true,
  });
});
