// Our session with FRR's bgpd.
import { FRR, startFrrPeer } from '../support/frr.ts';
import { describeWith } from '../support/needs.ts';
import { testPeer } from './peer-suite.ts';

describeWith({ programs: [FRR.program, FRR.control], root: true }, 'FRR', () => {
  testPeer({ start: startFrrPeer, sendsShutdownText: true });
});
