// Which of two connections with one peer stays (RFC 4271 section 6.8).
// It must never know sockets or states, only who opened what.

/** `close-existing` or `close-new`, the connection on which an OPEN was just received. */
export type CollisionVerdict = 'close-existing' | 'close-new';

export interface Collision {
  /** BGP identifiers as unsigned integers. */
  readonly localId: number;
  readonly peerId: number;
  readonly localAsn: number;
  readonly peerAsn: number;
  readonly isExistingEstablished: boolean;
  /** Did the peer open the new connection? The existing one then is ours. */
  readonly isNewFromPeer: boolean;
}

/**
 * The connection opened by the speaker with the higher identifier stays; equal identifiers (RFC 6286) are decided by
 * the higher ASN. An established session is never given up for a new connection (CollisionDetectEstablishedState off).
 */
export function resolveCollision(collision: Collision): CollisionVerdict {
  if (collision.isExistingEstablished) return 'close-new';
  const isPeerHigher =
    collision.peerId === collision.localId
      ? collision.peerAsn > collision.localAsn
      : collision.peerId > collision.localId;
  return isPeerHigher === collision.isNewFromPeer ? 'close-existing' : 'close-new';
}
