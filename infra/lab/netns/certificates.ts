// A certificate authority that lives as long as one run, and the server certificates it signs, made by openssl(1).
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { OperatingError } from '../../../shared/errors.ts';

const run = promisify(execFile);
const COMMAND_MS = 20_000;
const LIFETIME_DAYS = '7';

/** Paths of PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Makes `authority.pem` in the folder and one server certificate per name, valid for the given addresses. */
export async function issueCertificates<Name extends string>(
  folder: string,
  addresses: Readonly<Record<Name, readonly string[]>>,
): Promise<{ readonly authority: string; readonly issued: Readonly<Record<Name, CertificateFiles>> }> {
  const authority = filesOf(folder, 'authority');
  await openssl([...request(authority, 'netns lab authority'), '-addext', 'keyUsage=critical,keyCertSign']);
  const names = Object.keys(addresses) as Name[];
  const issued = await Promise.all(names.map((name) => issue(folder, name, addresses[name], authority)));
  return {
    authority: authority.certificate,
    issued: Object.fromEntries(names.map((name, i) => [name, issued[i]])) as Record<Name, CertificateFiles>,
  };
}

const filesOf = (folder: string, name: string): CertificateFiles => ({
  certificate: join(folder, `${name}.pem`),
  key: join(folder, `${name}.key`),
});

const request = (files: CertificateFiles, name: string): string[] => [
  ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', LIFETIME_DAYS],
  ...['-subj', `/CN=${name}`, '-keyout', files.key, '-out', files.certificate],
];

async function issue(
  folder: string,
  name: string,
  addresses: readonly string[],
  authority: CertificateFiles,
): Promise<CertificateFiles> {
  const files = filesOf(folder, name);
  await openssl([
    ...request(files, name),
    ...['-CA', authority.certificate, '-CAkey', authority.key],
    ...['-addext', 'basicConstraints=critical,CA:FALSE'],
    ...['-addext', `subjectAltName=${addresses.map((address) => `IP:${address}`).join(',')}`],
  ]);
  return files;
}

async function openssl(args: readonly string[]): Promise<void> {
  try {
    await run('openssl', args, { timeout: COMMAND_MS });
  } catch (error) {
    const said = (error as { stderr?: string }).stderr ?? String(error);
    throw new OperatingError('openssl-failed', `openssl ${args[0]}: ${said.trim()}`, {
      retryable: false,
      cause: error,
    });
  }
}
