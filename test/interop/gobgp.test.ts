// Our session with GoBGP.
import { GOBGP, startGobgpPeer } from '../support/gobgp.ts';
import { describeWith } from '../support/needs.ts';
import { testPeer } from './peer-suite.ts';

describeWith({ programs: [GOBGP.program, GOBGP.control] }, 'GoBGP', () => {
  testPeer({
    start: startGobgpPeer,
    sendsShutdownText: true,
    cannotRefresh: 'it keeps what it received and evaluates that again',
  });
});
