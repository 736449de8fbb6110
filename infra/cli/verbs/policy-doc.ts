// anycastctl policy-doc: the BGP policy of an anycast.yaml as Markdown, or one router's configuration.
import { EXIT, type ExitCode } from '../exit-codes.ts';
import { policyDocument } from '../policy-document.ts';
import { scenariosOf } from '../policy-scenarios.ts';
import { ROUTERS, type Router, snippetOf } from '../policy-snippets.ts';
import type { Terminal } from '../terminal.ts';
import { readTopologyFile } from '../topology-file.ts';

export interface PolicyOptions {
  readonly snippet: Router | undefined;
  /** AS number of the on-premises routers. */
  readonly asn: number;
  readonly json: boolean;
}

export function showPolicyDocument(terminal: Terminal, file: string, options: PolicyOptions): ExitCode {
  const topology = readTopologyFile(file);
  const { snippet, asn, json } = options;
  if (json) {
    const vips = topology.vips.map((vip) => ({ vip: vip.name, scenarios: scenariosOf(topology, vip) }));
    const snippets = Object.fromEntries(ROUTERS.map((router) => [router, snippetOf(router, topology, asn)]));
    terminal.print(JSON.stringify({ deployment: topology.name, vips, snippets }));
  } else
    terminal.print(
      (snippet === undefined ? policyDocument(topology, asn) : snippetOf(snippet, topology, asn)).trimEnd(),
    );
  return EXIT.done;
}
