/** Requests as no HTTP client would make them: what goes over the wire is what is written here. */
import { connect } from "node:net"

/** All that the server says until it closes, or says no more for a moment. */
export const rawRequest = (
  url: string,
  pieces: ReadonlyArray<string | Uint8Array>,
  { quietMillis = 1500 } = {}
): Promise<string> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    let received = ""
    const socket = connect(Number(port), hostname, () => {
      for (const piece of pieces) socket.write(piece)
    })
    socket.setTimeout(quietMillis, () => socket.destroy())
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1")
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve(received))
  })

/** Sends the pieces, and goes away `afterMillis` later without having heard anything. */
export const abortedRequest = (
  url: string,
  pieces: ReadonlyArray<string | Uint8Array>,
  afterMillis: number
): Promise<void> =>
  new Promise((resolve) => {
    const { hostname, port } = new URL(url)
    const socket = connect(Number(port), hostname, () => {
      for (const piece of pieces) socket.write(piece)
      setTimeout(() => socket.resetAndDestroy(), afterMillis)
    })
    socket.on("error", () => {})
    socket.on("close", () => resolve())
  })
