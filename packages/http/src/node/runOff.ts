/** What becomes of a body that nobody wants to its end. */
import type { IncomingMessage } from "node:http"

const longestMillis = 1000
const mostBytes = 64 * 1024
const mostPieces = 256
/** So many connections at once wait for their client to have seen the answer. */
const mostLingering = 32

const running = new WeakMap<IncomingMessage, Promise<void>>()
let lingering = 0

/**
 * Lets what is left of the body run off, for a moment and up to a size. A connection that is closed with bytes of the
 * client's unread is reset, and the answer may be lost with it: so a client that sends more is not read any further, and
 * gets the rest of the moment to see the answer. Where many do so at once, they are strangers and get none.
 */
export const runOff = (incoming: IncomingMessage): Promise<void> => {
  const begun = running.get(incoming)
  if (begun !== undefined) return begun
  const over = new Promise<void>((resolve) => {
    if (incoming.complete || incoming.destroyed || lingering >= mostLingering) return resolve()
    lingering += 1
    let size = 0
    let pieces = 0
    const stop = () => {
      clearTimeout(timer)
      incoming.off("readable", drop).off("end", stop).off("close", stop)
      lingering -= 1
      resolve()
    }
    const drop = () => {
      for (let piece: Uint8Array | null = incoming.read(); piece !== null; piece = incoming.read()) {
        size += piece.length
        pieces += 1
        if (size > mostBytes) return void incoming.off("readable", drop)
        if (pieces > mostPieces) return stop()
      }
    }
    const timer = setTimeout(stop, longestMillis)
    incoming.on("readable", drop).once("end", stop).once("close", stop)
  })
  running.set(incoming, over)
  return over
}

/** Begins to, and says whether the end has come as soon as Node has gone through what was there already. */
export const ranOff = async (incoming: IncomingMessage): Promise<boolean> => {
  void runOff(incoming)
  await turn()
  return incoming.complete
}

/** One turn of Node's loop. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
