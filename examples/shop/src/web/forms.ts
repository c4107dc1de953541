/** Forms that were posted, and whether a page of ours posted them. */

/** Browsers say where a form comes from, and no page can make them say otherwise. */
export const isSameOrigin = (request: Request): boolean => {
  const origin = request.headers.get("origin")
  return origin === null
    ? request.headers.get("sec-fetch-site") === "same-origin"
    : origin === new URL(request.url).origin
}

const limit = 16 * 1024

/** The fields of a form; `undefined` when the body is too large, or no form. */
export const readForm = async (request: Request): Promise<URLSearchParams | undefined> => {
  if (!request.headers.get("content-type")?.startsWith("application/x-www-form-urlencoded")) return undefined
  if (request.body === null) return new URLSearchParams()
  const decoder = new TextDecoder()
  const reader = request.body.getReader()
  let size = 0
  let text = ""
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    size += read.value.length
    if (size > limit) {
      await reader.cancel()
      return undefined
    }
    text += decoder.decode(read.value, { stream: true })
  }
  return new URLSearchParams(text + decoder.decode())
}
