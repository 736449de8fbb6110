// Our session with OpenBGPD.
import { describeWith } from '../support/needs.ts';
import { OPENBGPD, startOpenbgpdPeer } from '../support/openbgpd.ts';
import { testPeer } from './peer-suite.ts';

describeWith({ programs: [OPENBGPD.program, OPENBGPD.control], root: true }, 'OpenBGPD', () => {
  testPeer({ start: startOpenbgpdPeer, sendsShutdownText: true });
});
