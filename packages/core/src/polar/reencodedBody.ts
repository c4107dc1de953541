/** A guess at whether a framework parsed a delivery's body and wrote it again, which breaks its signature. */
import { Buffer } from "node:buffer"

// Enough for any delivery of Polar's, and little enough for a stranger to make us parse.
const parsedBytesLimit = 256 * 1024

/**
 * Whether the body looks re-encoded. A body without numbers such as `0.0` looks the same before and after, so `true` is
 * a hint; `false` of a body below 256 KB means that it is not what JavaScript writes. Never throws.
 */
export const looksReencoded = (body: Uint8Array): boolean => {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
  const start = bytes.toString("latin1", 0, serializedBuffer.length)
  return (
    start === "" ||
    start.startsWith('"') ||
    start === serializedBuffer ||
    (bytes.byteLength < parsedBytesLimit && (hasSpaceBetweenTokens(bytes) || isOwnSerialization(bytes)))
  )
}

const serializedBuffer = '{"type":"Buffer","data":['

const quote = 0x22
const backslash = 0x5c
const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09

// Polar sends compact JSON objects; `[object Object]` has its space too. Spaces in any other text say nothing.
const hasSpaceBetweenTokens = (bytes: Uint8Array): boolean => {
  const first = bytes.find((byte) => !isSpace(byte))
  if (first !== 0x7b && first !== 0x5b) return false
  let inString = false
  let escaped = false
  for (const byte of bytes) {
    if (escaped) escaped = false
    else if (byte === quote) inString = !inString
    else if (inString) escaped = byte === backslash
    else if (isSpace(byte)) return true
  }
  return false
}

const isOwnSerialization = (bytes: Uint8Array): boolean => {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes)
    return JSON.stringify(JSON.parse(text)) === text
  } catch {
    return false
  }
}
