/** HTML that is escaped by construction: what is put into a template is text, unless a template made it. */

/** Markup that `html` made. Nothing else can make one. */
class Markup {
  readonly #text: string
  constructor(text: string) {
    this.#text = text
  }
  toString(): string {
    return this.#text
  }
}

export type Html = Markup

type Value = Html | string | number | null | undefined | false | ReadonlyArray<Value>

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

const written = (value: Value): string => {
  if (value instanceof Markup) return value.toString()
  if (value === null || value === undefined || value === false) return ""
  if (typeof value === "object") return value.map(written).join("")
  return String(value).replace(/[&<>"']/g, (character) => entities[character] ?? "")
}

/** ``html`<a href="${url}">${text}</a>` ``: values in attributes stand in quotes; lists are written one after the other. */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html =>
  new Markup(parts.map((part, index) => part + written(values[index])).join(""))
