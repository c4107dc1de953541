/**
 * HTML that is escaped by construction: whatever is put into a template is text, unless a template made it. (The simulator has
 * one like it, and a package for the app's own servers must not need the simulator.)
 */

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

export type Value = Html | string | number | null | undefined | false | ReadonlyArray<Value>

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
  "`": "&#96;"
}

const escaped = (text: string): string => text.replace(/[&<>"'`]/g, (character) => entities[character] ?? "")

const written = (value: Value): string => {
  if (value instanceof Markup) return value.toString()
  if (value === null || value === undefined || value === false) return ""
  return typeof value === "object" ? value.map(written).join("") : escaped(String(value))
}

/** A template of HTML. Values are text; those in attributes stand in quotes. Lists are written one after the other. */
export const html = (parts: TemplateStringsArray, ...values: ReadonlyArray<Value>): Html =>
  new Markup(parts.map((part, index) => part + written(values[index])).join(""))
