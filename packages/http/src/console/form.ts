/** A form that was posted, and whether a page of the same site posted it. */

/**
 * Browsers say by themselves where a request comes from, and no page can say otherwise. The address is not compared: behind a
 * proxy an app knows itself by another one. Where a client says nothing, the token in the form decides alone.
 */
export const isFromElsewhere = (request: Request): boolean => {
  const site = request.headers.get("sec-fetch-site")
  return site !== null && site !== "same-origin"
}

const limit = 16 * 1024

/** `undefined` when the body is too large, was read before, or is no form. */
export const readForm = async (request: Request): Promise<URLSearchParams | undefined> => {
  const type = request.headers.get("content-type") ?? ""
  if (!/^application\/x-www-form-urlencoded\b/i.test(type) || request.bodyUsed) return undefined
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
