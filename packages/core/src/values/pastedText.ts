/** Secrets, tokens and addresses as environments hand them over. */

/**
 * Without the space around it, and without the quotation marks that some ways of setting a variable leave there: `docker run
 * --env-file` and systemd take them for a part of the value. What is no text is an unset variable, and blank.
 */
export const pastedText = (value: unknown): string => {
  if (typeof value !== "string") return ""
  const text = value.trim()
  const inner = /^(["'`])([\s\S]*)\1$/.exec(text)?.[2]
  return inner === undefined ? text : inner.trim()
}

/** What a secret that was copied badly holds; it finishes the sentence "It holds …". `undefined` when it looks whole. */
export const damageOf = (text: string): string | undefined => {
  if (/[\t\r\n]/.test(text)) return "a line break or a tab, as if another value came along"
  if (/^["'`\u2018-\u201d]|["'`\u2018-\u201d]$/.test(text)) return "a quotation mark, as if a quoted value was cut off"
  return undefined
}
