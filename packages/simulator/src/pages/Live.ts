/** The script that keeps the console current: what has changed is put in place of what was there. */

export const livePath = "/live.js"

// What was said last stays, a button that is being pressed too, and what was opened stays open.
export const liveScript = `
let pressed = false
addEventListener("pointerdown", () => { pressed = true })
addEventListener("pointerup", () => { pressed = false })
addEventListener("pointercancel", () => { pressed = false })

const refresh = async () => {
  const response = await fetch("/", { headers: { accept: "text/html" } })
  if (!response.ok) return
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html")
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id)
    if (other === null || pressed || part.contains(document.activeElement)) continue
    const said = part.querySelector('[role="status"]')
    if (said !== null) other.querySelector("h2").after(said.cloneNode(true))
    for (const { id } of part.querySelectorAll("details[open][id]")) {
      const same = other.querySelector("#" + id)
      if (same !== null) same.open = true
    }
    if (other.innerHTML.replace(/\\s+/g, " ") !== part.innerHTML.replace(/\\s+/g, " ")) part.replaceWith(other)
  }
}

const lookAgain = async () => {
  if (document.visibilityState === "visible") await refresh().catch(() => {})
  setTimeout(lookAgain, 2000)
}
setTimeout(lookAgain, 2000)
`
