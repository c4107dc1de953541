/**
 * What is used of a browser. Elsewhere there is none of it, so it is looked for, and the package compiles without the DOM's
 * types.
 */

export interface Message {
  readonly data: unknown
  readonly origin: string
  readonly source: unknown
}

export interface KeyPress {
  readonly key: string
  readonly preventDefault: () => void
}

type Listen = {
  (type: "message", listener: (event: Message) => void): void
  (type: "keydown", listener: (event: KeyPress) => void): void
  (type: "cancel", listener: (event: Pick<KeyPress, "preventDefault">) => void): void
  (type: "click" | "close", listener: () => void): void
}

export interface Element {
  textContent: string | null
  readonly style: { cssText: string }
  readonly addEventListener: Listen
  readonly append: (...children: ReadonlyArray<Element>) => void
  readonly remove: () => void
  readonly setAttribute: (name: string, value: string) => void
}

export interface Frame extends Element {
  allow: string
  src: string
  title: string
  readonly contentWindow: unknown
}

export interface Dialog extends Element {
  readonly showModal: () => void
  readonly close: () => void
}

type CreateElement = {
  (name: "dialog"): Dialog
  (name: "iframe"): Frame
  (name: "button"): Element
}

export interface Browser {
  readonly location: { readonly origin: string; readonly assign: (url: string) => void }
  readonly document: { readonly body: Element; readonly createElement: CreateElement }
  readonly addEventListener: Listen
  readonly removeEventListener: Listen
}

/** The page's window; `undefined` on a server and in a worker. */
export const browserHere = (): Browser | undefined => {
  const here = globalThis as Partial<Browser>
  return here.document === undefined || here.location === undefined ? undefined : (here as Browser)
}
