// The configuration of conntrackd, which shares the connection table between the two NVAs of a region. Text only.
import type { DataPlaneConfig } from './plan.ts';

/** UDP port between the two NVAs (conntrackd's customary one). */
const SYNC_PORT = 3780;
/** Buckets and entries of its caches; bounded like the kernel's own table. */
const HASH_SIZE = 32_768;
const HASH_LIMIT = 131_072;
const SOCKET_BUFFER_BYTES = 1_249_280;

export interface ConntrackdPlace {
  /** The interface that holds this NVA's address. */
  readonly interface: string;
  readonly controlSocket: string;
  readonly lockFile: string;
}

/**
 * Addresses by which conntrackd tells the connections to share: it looks at the sources of both directions, and the
 * one that answers a translated connection is the application.
 */
const sharedAddresses = (config: DataPlaneConfig): string[] => [
  ...new Set(config.vips.filter((vip) => vip.symmetry === 'shared-sessions').map((vip) => vip.appHost)),
];

export const needsSharedSessions = (config: DataPlaneConfig): boolean =>
  config.sessionPeer !== undefined && sharedAddresses(config).length > 0;

/**
 * Reliable mode (FTFW) over UDP. `DisableExternalCache`: the other NVA's connections go straight into the kernel's
 * table, because both NVAs carry packets at the same time. Only connections to shared vips are sent.
 */
export function renderConntrackd(config: DataPlaneConfig, place: ConntrackdPlace): string {
  const peer = config.sessionPeer;
  if (peer === undefined) throw new RangeError('no NVA to share sessions with');
  return `# Written by anycast-agent, which replaces it whole.
Sync {
  Mode FTFW {
    DisableExternalCache On
    StartupResync Yes
  }
  UDP {
    IPv4_address ${config.address}
    IPv4_Destination_Address ${peer.address}
    Port ${SYNC_PORT}
    Interface ${place.interface}
    SndSocketBuffer ${SOCKET_BUFFER_BYTES}
    RcvSocketBuffer ${SOCKET_BUFFER_BYTES}
    Checksum On
  }
}
General {
  HashSize ${HASH_SIZE}
  HashLimit ${HASH_LIMIT}
  Syslog Off
  Scheduler {
    Type RR
    Priority 1
  }
  LockFile ${place.lockFile}
  UNIX {
    Path ${place.controlSocket}
  }
  NetlinkBufferSize ${SOCKET_BUFFER_BYTES}
  NetlinkBufferSizeMaxGrowth ${SOCKET_BUFFER_BYTES * 4}
  Filter From Userspace {
    Protocol Accept {
      TCP
      UDP
    }
    Address Accept {
${sharedAddresses(config)
  .map((address) => `      IPv4_address ${address}`)
  .join('\n')}
    }
  }
}
`;
}
