/** Forms that were posted, and whether our own page posted them. */

/**
 * Whether a request comes from a page of the same origin. Browsers say so by themselves: `Origin` with every post, and
 * nobody but the browser can set it.
 */
export const isSameOrigin = (request: Request): boolean => {
  const own = new URL(request.url).origin
  const origin = request.headers.get("origin")
  return origin === null ? request.headers.get("sec-fetch-site") === "same-origin" : origin === own
}

const loopback = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/

/** Whether a request names this machine: a page elsewhere whose name was made to lead here does not. */
export const isLoopback = (request: Request): boolean => loopback.test(new URL(request.url).hostname)

const limit = 16 * 1024

/** The fields of a form; `undefined` when the body is too large, or no form. */
export const readForm = async (request: Request): Promise<URLSearchParams | undefined> => {
  const type = request.headers.get("content-type") ?? ""
  if (!/^application\/x-www-form-urlencoded\b/i.test(type)) return undefined
  if (request.body === null) return new URLSearchParams()
  const decoder = new TextDecoder()
  let size = 0
  let text = ""
  const reader = request.body.getReader()
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    size += read.value.byteLength
    if (size > limit) {
      await reader.cancel()
      return undefined
    }
    text += decoder.decode(read.value, { stream: true })
  }
  return new URLSearchParams(text + decoder.decode())
}
