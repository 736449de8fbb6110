// The heartbeat between two NVAs inside the tunnel: what it says, as bytes. Knows no socket and no time.
//
//   0        4        8        12       16                24        28              36      38
//   | magic  | from   | to     | boot   | sentMs (float64) | echoBoot| echoMs (f64)  | count | count x (address, flags) | zeros
import { formatIpv4, parseIpv4 } from '../../shared/ip.ts';

/** `ASC1` */
const MAGIC = 0x41534331;
const FIXED_BYTES = 38;
const ENTRY_BYTES = 5;
const FLAG_ASKED = 1;
const FLAG_ACTIVE = 2;

/** One vip the sender serves. */
export interface HeartbeatVip {
  readonly address: string;
  /** The sender was ordered to hand this vip's unknown packets to the receiver, and asks the same of it. */
  readonly isAsked: boolean;
  /** The sender does hand them over. */
  readonly isActive: boolean;
}

export interface Heartbeat {
  /** NVA addresses: both sides must mean the same two machines. */
  readonly from: string;
  readonly to: string;
  /** Random per start of the sender. */
  readonly boot: number;
  /** On the sender's own clock; means something to the sender only. */
  readonly sentMs: number;
  /** Newest `boot` and `sentMs` heard from the receiver; zeros when nothing was. */
  readonly echoBoot: number;
  readonly echoMs: number;
  readonly vips: readonly HeartbeatVip[];
}

/** Bytes padded to `sizeBytes`, so that only a path that carries full packets confirms anything. */
export function encodeHeartbeat(heartbeat: Heartbeat, sizeBytes: number): Uint8Array {
  if (FIXED_BYTES + heartbeat.vips.length * ENTRY_BYTES > sizeBytes) {
    throw new RangeError(`${heartbeat.vips.length} vips do not fit ${sizeBytes} bytes`);
  }
  const bytes = new Uint8Array(sizeBytes);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC);
  view.setUint32(4, parseIpv4(heartbeat.from) ?? 0);
  view.setUint32(8, parseIpv4(heartbeat.to) ?? 0);
  view.setUint32(12, heartbeat.boot);
  view.setFloat64(16, heartbeat.sentMs);
  view.setUint32(24, heartbeat.echoBoot);
  view.setFloat64(28, heartbeat.echoMs);
  view.setUint16(36, heartbeat.vips.length);
  heartbeat.vips.forEach((vip, i) => {
    view.setUint32(FIXED_BYTES + i * ENTRY_BYTES, parseIpv4(vip.address) ?? 0);
    const flags = (vip.isAsked ? FLAG_ASKED : 0) | (vip.isActive ? FLAG_ACTIVE : 0);
    view.setUint8(FIXED_BYTES + i * ENTRY_BYTES + 4, flags);
  });
  return bytes;
}

/** The heartbeat in these bytes, or undefined when it is none, or not of the full size. */
export function decodeHeartbeat(bytes: Uint8Array, sizeBytes: number): Heartbeat | undefined {
  if (bytes.length !== sizeBytes || bytes.length < FIXED_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint16(36);
  if (view.getUint32(0) !== MAGIC || FIXED_BYTES + count * ENTRY_BYTES > bytes.length) return undefined;
  return {
    from: formatIpv4(view.getUint32(4)),
    to: formatIpv4(view.getUint32(8)),
    boot: view.getUint32(12),
    sentMs: view.getFloat64(16),
    echoBoot: view.getUint32(24),
    echoMs: view.getFloat64(28),
    vips: Array.from({ length: count }, (_, i) => {
      const at = FIXED_BYTES + i * ENTRY_BYTES;
      const flags = view.getUint8(at + 4);
      return {
        address: formatIpv4(view.getUint32(at)),
        isAsked: (flags & FLAG_ASKED) !== 0,
        isActive: (flags & FLAG_ACTIVE) !== 0,
      };
    }),
  };
}
