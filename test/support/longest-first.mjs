// The order of the suites: the longest begin first, so that no worker is left alone with one at the end.
import Sequencer from '@jest/test-sequencer';

const LONGEST = [
  'infra/lab/chaos-run',
  'netns/netns',
  'dataplane/second-chance',
  'nva-agent/packaging/package',
  'browser/dashboard',
  'infra/lab/lab',
  'dataplane/serving',
  'simulation/simulation',
];

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const place = ({ path }) => {
      const at = LONGEST.findIndex((suite) => path.endsWith(`/test/${suite}.test.ts`));
      return at === -1 ? LONGEST.length : at;
    };
    return super.sort(tests).sort((one, other) => place(one) - place(other));
  }
}
