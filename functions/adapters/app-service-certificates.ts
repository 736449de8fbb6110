// Client certificates as App Service hands them on: it ends TLS, verifies possession, and passes base64 of the DER.
import { X509Certificate } from 'node:crypto';
import type { CertificateOutcome, CertificateReader } from '../ports.ts';

/** Base64 of a certificate far larger than any that observers carry. */
const HEADER_LENGTH_MAX = 16 * 1024;

const refused = (detail: string): CertificateOutcome => ({ type: 'refused', code: 'certificate-invalid', detail });

/**
 * Only behind App Service with client certificates enabled may this be used: a certificate is no secret, and only the
 * platform's TLS proves that its sender has the key (learn.microsoft.com/azure/app-service, TLS mutual authentication).
 * No chain is built: topologies pin the certificates themselves.
 */
export const appServiceCertificates: CertificateReader = {
  read(header, nowMs) {
    const certificate = header.length > HEADER_LENGTH_MAX ? undefined : parse(header);
    if (certificate === undefined) return refused('no client certificate can be read');
    if (nowMs < certificate.validFromDate.getTime())
      return refused(`the certificate is valid from ${certificate.validFrom}`);
    if (nowMs > certificate.validToDate.getTime())
      return refused(`the certificate was valid until ${certificate.validTo}`);
    return { type: 'read', thumbprint: normalThumbprint(certificate.fingerprint256) };
  },
};

function parse(header: string): X509Certificate | undefined {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(header)) return undefined;
  try {
    return new X509Certificate(Buffer.from(header, 'base64'));
  } catch {
    return undefined;
  }
}

const normalThumbprint = (text: string): string => text.replaceAll(':', '').toLowerCase();
