// The FRR driver with a real bgpd and vtysh.
import { BIRD } from '../../support/bird.ts';
import { FRR } from '../../support/frr.ts';
import { describeWith } from '../../support/needs.ts';
import { createDrivenFrr } from './driven-daemons.ts';
import { testDriver } from './driver-suite.ts';

describeWith({ programs: [FRR.program, FRR.control, BIRD.program], root: true }, 'FRR driver', () => {
  testDriver({ create: createDrivenFrr, refusal: /is not sent to/, keepsOld: false });
});
