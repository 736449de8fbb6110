// Pairs of octets and message, used to decode (whole, byte by byte, with trailing octets) and to encode.
// Text behind # explains the octets before it.
import type { Message } from '../../../nva-agent/bgp/messages.ts';

export interface Vector {
  readonly name: string;
  readonly hex: string;
  readonly message: Message;
  /** 2-octet AS paths. */
  readonly as2?: true;
  /** What we never write this way ourselves: decoded only. */
  readonly decodeOnly?: true;
}

const MARKER = 'ffffffff ffffffff ffffffff ffffffff';

const VIP_ROUTE = { origin: 'igp', asPath: [65001, 64500, 64500, 64500], nextHop: '10.1.1.4' } as const;

export const VECTORS: readonly Vector[] = [
  {
    name: 'KEEPALIVE',
    hex: `${MARKER} 0013 04`,
    message: { type: 'keepalive' },
  },
  {
    name: 'OPEN without optional parameters',
    hex: `${MARKER} 001d 01
      04        # version
      fde9      # AS 65001
      00b4      # hold 180 s
      0a000001  # router id
      00        # no parameters`,
    message: { type: 'open', version: 4, asn: 65001, holdSeconds: 180, routerId: '10.0.0.1', capabilities: [] },
  },
  {
    name: 'OPEN with four capabilities, as this speaker sends it',
    hex: `${MARKER} 002f 01
      04 fde9 001e 0a000001
      12                # 18 octets of parameters
      02 10             # capabilities, 16 octets
      01 04 0001 00 01  # multiprotocol, IPv4 unicast
      02 00             # route refresh
      41 04 0000fde9    # 4-octet ASN 65001
      46 00             # enhanced route refresh`,
    message: {
      type: 'open',
      version: 4,
      asn: 65001,
      holdSeconds: 30,
      routerId: '10.0.0.1',
      capabilities: [{ code: 1, afi: 1, safi: 1 }, { code: 2 }, { code: 65, asn: 65001 }, { code: 70 }],
    },
  },
  {
    name: 'OPEN of a 4-octet AS: AS_TRANS in the field',
    hex: `${MARKER} 0025 01
      04 5ba0           # AS 23456
      001e 0a000001
      08 02 06 41 04 fa56ea00  # 4-octet ASN 4200000000`,
    message: {
      type: 'open',
      version: 4,
      asn: 4200000000,
      holdSeconds: 30,
      routerId: '10.0.0.1',
      capabilities: [{ code: 65, asn: 4200000000 }],
    },
  },
  {
    name: 'OPEN with capabilities we do not know, one parameter each (RFC 5492 section 4)',
    hex: `${MARKER} 0031 01
      04 ffeb 00b4 0a000005
      14
      02 06 01 04 0002 00 01  # IPv6 unicast
      02 04 40 02 40 78       # graceful restart, 120 s
      02 04 49 02 01 61       # FQDN`,
    message: {
      type: 'open',
      version: 4,
      asn: 65515,
      holdSeconds: 180,
      routerId: '10.0.0.5',
      capabilities: [
        { code: 1, afi: 2, safi: 1 },
        { code: 64, value: '4078' },
        { code: 73, value: '0161' },
      ],
    },
    decodeOnly: true,
  },
  {
    name: 'OPEN with extended optional parameters (RFC 9072)',
    hex: `${MARKER} 0028 01
      04 fde9 001e 0a000001
      ff ff             # non-extended length, extended type
      0008              # extended length
      02 0005           # capabilities, 5 octets
      02 00             # route refresh
      80 01 07          # unknown`,
    message: {
      type: 'open',
      version: 4,
      asn: 65001,
      holdSeconds: 30,
      routerId: '10.0.0.1',
      capabilities: [{ code: 2 }, { code: 128, value: '07' }],
    },
    decodeOnly: true,
  },
  {
    name: 'UPDATE: End-of-RIB',
    hex: `${MARKER} 0017 02 0000 0000`,
    message: { type: 'update', withdrawn: [], announced: [] },
  },
  {
    name: 'UPDATE: a vip with three prepends',
    hex: `${MARKER} 003c 02
      0000              # nothing withdrawn
      0020              # 32 octets of attributes
      40 01 01 00       # ORIGIN IGP
      40 02 12          # AS_PATH
        02 04 0000fde9 0000fbf4 0000fbf4 0000fbf4
      40 03 04 0a010104 # NEXT_HOP
      20 c000020a       # 192.0.2.10/32`,
    message: { type: 'update', withdrawn: [], announced: ['192.0.2.10/32'], ...VIP_ROUTE },
  },
  {
    name: 'UPDATE: the same with 2-octet AS path',
    hex: `${MARKER} 0034 02
      0000 0018
      40 01 01 00
      40 02 0a 02 04 fde9 fbf4 fbf4 fbf4
      40 03 04 0a010104
      20 c000020a`,
    message: { type: 'update', withdrawn: [], announced: ['192.0.2.10/32'], ...VIP_ROUTE },
    as2: true,
  },
  {
    name: 'UPDATE: withdrawals of every prefix length class',
    hex: `${MARKER} 0026 02
      000f
      00                # 0.0.0.0/0
      07 0a             # 10.0.0.0/7
      09 0a80           # 10.128.0.0/9
      12 c0a840         # 192.168.64.0/18
      20 c000020a       # 192.0.2.10/32
      0000`,
    message: {
      type: 'update',
      withdrawn: ['0.0.0.0/0', '10.0.0.0/7', '10.128.0.0/9', '192.168.64.0/18', '192.0.2.10/32'],
      announced: [],
    },
  },
  {
    name: 'UPDATE: bits behind the prefix length are irrelevant (RFC 4271 section 4.3)',
    hex: `${MARKER} 001a 02 0003 0f c0a9 0000`,
    message: { type: 'update', withdrawn: ['192.168.0.0/15'], announced: [] },
    decodeOnly: true,
  },
  {
    name: 'UPDATE: every attribute that is read',
    hex: `${MARKER} 0078 02
      0000 0059
      40 01 01 02                          # ORIGIN incomplete
      40 02 10                             # AS_PATH
        02 01 0000fde9                     # sequence 65001
        01 02 00000001 00000002            # set {1, 2}
      40 03 04 0a010104                    # NEXT_HOP
      80 04 04 00000064                    # MED 100
      40 05 04 000000c8                    # LOCAL_PREF 200
      40 06 00                             # ATOMIC_AGGREGATE
      c0 07 08 0000fde9 0a000001           # AGGREGATOR
      c0 08 08 fde90001 ffffff02           # 65001:1, no-advertise
      c0 20 0c 0000fde9 00000001 00000002  # large 65001:1:2
      c0 63 02 abcd                        # unknown, transitive
      18 c63364                            # 198.51.100.0/24
      18 cb0071`,
    message: {
      type: 'update',
      withdrawn: [],
      announced: ['198.51.100.0/24', '203.0.113.0/24'],
      origin: 'incomplete',
      asPath: [65001, [1, 2]],
      nextHop: '10.1.1.4',
      med: 100,
      localPref: 200,
      atomicAggregate: true,
      aggregator: { asn: 65001, address: '10.0.0.1' },
      communities: ['65001:1', '65535:65282'],
      largeCommunities: ['65001:1:2'],
      otherAttributes: [{ flags: 0xc0, code: 99, value: Uint8Array.of(0xab, 0xcd) }],
    },
  },
  {
    name: 'UPDATE: a 4-octet AS on a 2-octet session (RFC 6793 section 4.2.2)',
    hex: `${MARKER} 0044 02
      0000 0028
      40 01 01 00
      40 02 06 02 02 fde9 5ba0             # 65001 23456
      40 03 04 0a010104
      c0 11 0a 02 02 0000fde9 fa56ea00     # AS4_PATH 65001 4200000000
      c0 08 04 fde90001
      20 c000020a`,
    message: {
      type: 'update',
      withdrawn: [],
      announced: ['192.0.2.10/32'],
      origin: 'igp',
      asPath: [65001, 4200000000],
      nextHop: '10.1.1.4',
      communities: ['65001:1'],
    },
    as2: true,
    decodeOnly: true,
  },
  {
    name: 'UPDATE: IPv4 unicast in MP_REACH_NLRI (RFC 4760)',
    hex: `${MARKER} 0039 02
      0000 0022
      80 0e 12
        0001 01 04 0a010104 00   # IPv4 unicast, next hop
        20 c000020a 18 cb0071
      40 01 01 00
      40 02 06 02 01 0000fde9`,
    message: {
      type: 'update',
      withdrawn: [],
      announced: ['192.0.2.10/32', '203.0.113.0/24'],
      origin: 'igp',
      asPath: [65001],
      nextHop: '10.1.1.4',
    },
    decodeOnly: true,
  },
  {
    name: 'ROUTE-REFRESH (RFC 2918)',
    hex: `${MARKER} 0017 05 0001 00 01`,
    message: { type: 'route-refresh', afi: 1, safi: 1, subtype: 0 },
  },
  {
    name: 'ROUTE-REFRESH: begin of the re-sent routes (RFC 7313)',
    hex: `${MARKER} 0017 05 0001 01 01`,
    message: { type: 'route-refresh', afi: 1, safi: 1, subtype: 1 },
  },
  {
    name: 'NOTIFICATION: hold timer expired',
    hex: `${MARKER} 0015 03 04 00`,
    message: { type: 'notification', code: 4, subcode: 0, data: new Uint8Array(0) },
  },
  {
    name: 'NOTIFICATION: administrative shutdown with text (RFC 9003)',
    hex: `${MARKER} 001a 03 06 02 04 627965 21`,
    message: { type: 'notification', code: 6, subcode: 2, data: Uint8Array.of(4, 0x62, 0x79, 0x65, 0x21) },
  },
];

/** The octets of a vector's annotated hex. */
export function octetsOf(hex: string): Uint8Array {
  const digits = hex.replace(/#.*$/gm, '').replace(/\s+/g, '');
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
