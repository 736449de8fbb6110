// What the namespace lab needs of the machine, and the Debian packages that bring it.
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

const PROGRAMS: readonly { readonly program: string; readonly debianPackage: string }[] = [
  { program: 'ip', debianPackage: 'iproute2' },
  { program: 'nsenter', debianPackage: 'util-linux' },
  { program: 'setpriv', debianPackage: 'util-linux' },
  { program: 'chrt', debianPackage: 'util-linux' },
  { program: 'sysctl', debianPackage: 'procps' },
  { program: 'bird', debianPackage: 'bird2' },
  { program: 'birdc', debianPackage: 'bird2' },
  { program: 'haproxy', debianPackage: 'haproxy' },
  { program: 'nft', debianPackage: 'nftables' },
  { program: 'bridge', debianPackage: 'iproute2' },
];

/** Daemons live in sbin, which is not on everybody's PATH. */
const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

export const NEEDED_PROGRAMS: readonly string[] = PROGRAMS.map((entry) => entry.program);

/** Sentences about what is missing here; empty when the lab can run. */
export function findMissing(
  machine: {
    readonly platform: string;
    readonly uid: number | undefined;
    readonly has: (program: string) => boolean;
  } = {
    platform: process.platform,
    uid: process.getuid?.(),
    has: isInstalled,
  },
): string[] {
  if (machine.platform !== 'linux') return [`network namespaces are a feature of Linux, this is ${machine.platform}`];
  const absent = PROGRAMS.filter((entry) => !machine.has(entry.program));
  const packages = [...new Set(absent.map((entry) => entry.debianPackage))];
  return [
    ...(machine.uid === 0 ? [] : ['network namespaces need root: run it with sudo']),
    ...(absent.length === 0
      ? []
      : [
          `not installed: ${absent.map((entry) => entry.program).join(', ')}; on Debian: apt-get install ${packages.join(' ')}`,
        ]),
  ];
}

function isInstalled(program: string): boolean {
  return FOLDERS.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
