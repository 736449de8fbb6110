// The BIRD driver with a real BIRD.
import { BIRD } from '../../support/bird.ts';
import { describeWith } from '../../support/needs.ts';
import { createDrivenBird } from './driven-daemons.ts';
import { testDriver } from './driver-suite.ts';

describeWith({ programs: [BIRD.program, BIRD.control], root: true }, 'BIRD driver', () => {
  testDriver({ create: createDrivenBird, refusal: /refuses the configuration/, keepsOld: true });
});
