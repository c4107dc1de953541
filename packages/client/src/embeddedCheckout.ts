/**
 * Polar's checkout in a frame over the page. The frame says with messages how far it is (Polar: its package for embedding
 * checkouts): `loaded`; `confirmed`, from when on it is being paid and must not be closed; `success`, with the address to go
 * to; `close`.
 */
import type { Browser, KeyPress, Message } from "./browser.ts"

export interface EmbeddedCheckoutOptions {
  readonly browser: Browser
  readonly url: string
  readonly label: string
  readonly theme: string | undefined
  readonly loadTimeoutMillis: number
  /** Whether the page goes where Polar says once it is paid. */
  readonly redirect: boolean
  readonly signal: AbortSignal | undefined
}

interface PolarMessage {
  readonly type?: unknown
  readonly event?: unknown
  readonly successURL?: unknown
  readonly redirect?: unknown
}

/** `notLoaded`: nobody has seen anything, so that the buyer can be sent to Polar's page. */
export type EmbeddedCheckoutEnd = "closed" | "succeeded" | "redirected" | "notLoaded"

export const openEmbeddedCheckout = ({
  browser,
  label,
  loadTimeoutMillis,
  redirect,
  signal,
  theme,
  url
}: EmbeddedCheckoutOptions): Promise<EmbeddedCheckoutEnd> =>
  new Promise((resolve) => {
    const { document, location } = browser
    const address = new URL(url)
    address.searchParams.set("embed", "true")
    address.searchParams.set("embed_origin", location.origin)
    if (theme !== undefined) address.searchParams.set("theme", theme)

    let mayClose = true
    let succeeded = false

    const end = (how: EmbeddedCheckoutEnd) => {
      clearTimeout(timer)
      browser.removeEventListener("message", onMessage)
      signal?.removeEventListener("abort", close)
      // Gives the focus back to what had it.
      dialog.close()
      dialog.remove()
      resolve(how)
    }
    const close = () => end(succeeded ? "succeeded" : "closed")
    const allowClose = (allowed: boolean) => {
      mayClose = allowed
      button.setAttribute("aria-disabled", String(!allowed))
    }
    const closeIfAllowed = () => {
      if (mayClose) close()
    }
    const timer = setTimeout(() => end("notLoaded"), loadTimeoutMillis)

    const onMessage = ({ data, origin, source }: Message) => {
      if (source !== frame.contentWindow || origin !== address.origin) return
      const { event, redirect: isToGo, successURL, type } = Object(data) as PolarMessage
      if (type !== "POLAR_CHECKOUT") return
      if (event === "loaded") {
        clearTimeout(timer)
        frame.style.cssText = frameStyle
      } else if (event === "confirmed") allowClose(false)
      else if (event === "close") close()
      else if (event === "success") {
        succeeded = true
        allowClose(true)
        if (!redirect) close()
        // Else the frame shows that it is paid, until the buyer closes it.
        else if (isToGo === true && typeof successURL === "string" && /^https?:/.test(successURL)) {
          location.assign(successURL)
          end("redirected")
        }
      }
    }

    const frame = document.createElement("iframe")
    frame.title = label
    frame.allow = "payment; publickey-credentials-get"
    frame.style.cssText = `${frameStyle};visibility:hidden`
    frame.src = address.href

    const button = document.createElement("button")
    button.textContent = "✕"
    button.setAttribute("aria-label", "Close")
    button.style.cssText = buttonStyle
    button.addEventListener("click", closeIfAllowed)

    const dialog = document.createElement("dialog")
    dialog.setAttribute("aria-label", label)
    dialog.style.cssText = dialogStyle
    // A browser closes a dialog itself on a second Escape, whatever is said to the first.
    dialog.addEventListener("keydown", (event: KeyPress) => {
      if (event.key !== "Escape") return
      event.preventDefault()
      closeIfAllowed()
    })
    dialog.addEventListener("cancel", (event) => {
      event.preventDefault()
      closeIfAllowed()
    })
    dialog.addEventListener("close", close)
    dialog.append(button, frame)
    browser.addEventListener("message", onMessage)
    signal?.addEventListener("abort", close)
    document.body.append(dialog)
    dialog.showModal()
  })

const dialogStyle =
  "position:fixed;inset:0;width:100%;height:100%;max-width:none;max-height:none;margin:0;padding:0;border:0;background:rgba(0,0,0,.5)"
const frameStyle = "width:100%;height:100%;border:0;color-scheme:auto"
const buttonStyle =
  "position:absolute;top:8px;right:8px;width:40px;height:40px;border:0;border-radius:50%;background:#fff;color:#000;font-size:18px;cursor:pointer"
