/**
 * The script that keeps a page current. It asks for the page again and puts what has changed in place of what was there, node by
 * node, so that focus, what was opened and where one has scrolled stay. Without it every page is as good, and older.
 */
import { createHash } from "node:crypto"
import { type Html, html } from "./html.ts"

export const liveScript = `
"use strict"
const everyMillis = 5000
const bar = document.getElementById("live")
const said = document.createElement("span")
const button = document.createElement("button")
said.setAttribute("role", "status")
button.type = "button"
button.className = "link"
bar.append(said, " ", button)
bar.hidden = false

let timer, goesOn = true, isPressed = false
const time = () => new Date().toISOString().slice(11, 19) + " UTC"
const say = (text, action) => {
  if (said.textContent !== text) said.textContent = text
  if (button.textContent !== action) button.textContent = action
}
const stop = (text, action) => {
  goesOn = false
  clearTimeout(timer)
  say(text, action)
}

addEventListener("pointerdown", () => { isPressed = true })
addEventListener("pointerup", () => { isPressed = false })
addEventListener("pointercancel", () => { isPressed = false })

/** Text that somebody is selecting stays as it is. */
const isSelectedIn = (part) => {
  const selection = getSelection()
  return selection !== null && !selection.isCollapsed && selection.containsNode(part, true)
}

const keyOf = (node) => (node.nodeType === 1 ? node.id || node.dataset.key : undefined)

const update = (node, wanted) => {
  if (node.nodeType !== 1) {
    if (node.data !== wanted.data) node.data = wanted.data
    return
  }
  for (const { name } of [...node.attributes]) {
    if (!wanted.hasAttribute(name) && name !== "open") node.removeAttribute(name)
  }
  for (const { name, value } of wanted.attributes) {
    if (node.getAttribute(name) !== value) node.setAttribute(name, value)
  }
  become(node, wanted)
}

/** Rows are known by their keys: one that comes in between moves none of the others. */
const become = (node, wanted) => {
  const keys = new Set([...wanted.children].map(keyOf))
  for (const child of [...node.children]) if (keyOf(child) && !keys.has(keyOf(child))) child.remove()
  const byKey = new Map([...node.children].map((child) => [keyOf(child), child]))
  let place = node.firstChild
  for (const next of [...wanted.childNodes]) {
    const key = keyOf(next)
    const isLike = place !== null && !keyOf(place) && place.nodeName === next.nodeName
    const same = key ? byKey.get(key) : isLike ? place : undefined
    if (same === undefined) {
      const added = document.importNode(next, true)
      if (key) added.classList.add("fresh")
      node.insertBefore(added, place)
      continue
    }
    if (same === place) place = place.nextSibling
    else node.insertBefore(same, place)
    update(same, next)
  }
  while (place !== null) {
    const rest = place.nextSibling
    place.remove()
    place = rest
  }
}

const refresh = async () => {
  const response = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" })
  if (!response.ok || response.redirected) throw new Error(String(response.status))
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html")
  const parts = [...document.querySelectorAll("[data-live]")]
  if (!goesOn || isPressed || parts.some(isSelectedIn)) return
  const focused = document.activeElement
  for (const part of parts) {
    const wanted = fresh.getElementById(part.id)
    if (wanted === null) throw new Error(part.id)
    become(part, wanted)
  }
  // What had the focus is gone: whoever uses the keyboard goes on from here, and not from the top.
  if (!focused.isConnected) document.getElementById("main").focus({ preventScroll: true })
}

const look = async () => {
  if (!goesOn) return
  try {
    if (document.visibilityState === "visible") await refresh()
  } catch {
    stop("This page could not be updated, and is as it was at " + time() + ".", "Try again")
  }
  if (goesOn) timer = setTimeout(look, everyMillis)
}

const start = () => {
  goesOn = true
  say("This page keeps itself current.", "Pause")
  clearTimeout(timer)
}
button.addEventListener("click", () => {
  if (goesOn) return stop("This page is as it was at " + time() + ".", "Go on")
  start()
  look()
})
addEventListener("visibilitychange", () => {
  if (!goesOn || document.visibilityState !== "visible") return
  clearTimeout(timer)
  look()
})
start()
timer = setTimeout(look, everyMillis)
`

/** Where the script is, relative to the console: another one has another address. */
export const liveAddress = `?page=live.js&v=${createHash("sha256").update(liveScript).digest("hex").slice(0, 12)}`

/** What is kept current. Rows in it should have keys. */
export const live = (id: string, part: Html): Html => html`<div id="${id}" data-live>${part}</div>`
