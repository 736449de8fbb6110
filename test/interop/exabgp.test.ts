// Our session with ExaBGP.
import { EXABGP, startExabgpPeer } from '../support/exabgp.ts';
import { describeWith } from '../support/needs.ts';
import { testPeer } from './peer-suite.ts';

describeWith({ programs: [EXABGP.program], root: true }, 'ExaBGP', () => {
  testPeer({ start: startExabgpPeer });
});
