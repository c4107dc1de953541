/** A guess at whether a framework parsed a delivery's body and wrote it again, which breaks its signature. */
import { Buffer } from "node:buffer"

/** No more of a stranger's body is looked at: what costs microseconds costs them whatever it holds. */
const lookedAt = 4 * 1024

/**
 * Whether the body looks re-encoded. A body without numbers such as `0.0` looks the same before and after, so `true` is
 * a hint; `false` of a body of up to 4 KB means that it is not what JavaScript writes, and of a larger one that its first
 * 4 KB are not. Never throws.
 */
export const looksReencoded = (body: Uint8Array): boolean => {
  const bytes = Buffer.from(body.buffer, body.byteOffset, Math.min(body.byteLength, lookedAt))
  const start = bytes.toString("latin1", 0, serializedBuffer.length)
  return (
    start === "" ||
    start.startsWith('"') ||
    start === serializedBuffer ||
    hasSpaceBetweenTokens(bytes) ||
    (body.byteLength > lookedAt ? beginsAsSerialized(bytes) : isOwnSerialization(bytes))
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

/** A number as Polar writes some, and JavaScript none: `0.0`, `1e5`. */
const foreignNumber = /[:,[]-?\d+(?:\.\d*0|(?:\.\d+)?[eE][+-]?\d+)[,}\]]/

const beginsAsSerialized = (bytes: Buffer): boolean => {
  const text = bytes.toString("latin1")
  return text.startsWith('{"') && !foreignNumber.test(text)
}
