/**
 * The script that keeps the console current: what has changed is put in place of what was there. It also says when the switches of
 * chaos are not what is applied.
 */

export const livePath = "/live.js"

// What was said last stays, a button that is being pressed too, and what was opened stays open.
export const liveScript = `
const everyMillis = 2000
let pressed = false
addEventListener("pointerdown", () => { pressed = true })
addEventListener("pointerup", () => { pressed = false })
addEventListener("pointercancel", () => { pressed = false })

const isSelectedIn = (part) => {
  const selection = getSelection()
  return selection !== null && !selection.isCollapsed && selection.containsNode(part, true)
}

/** The same page, without what it said of an act. */
const address = () => {
  const fields = new URLSearchParams(location.search)
  fields.delete("done")
  return "/?" + fields
}

const switches = () => document.querySelectorAll("#chaos input[type=checkbox]")
const notApplied = document.getElementById("not-applied")

const compareSwitches = () => {
  const isOther = [...switches()].some((one) => one.checked !== one.defaultChecked)
  const text = isOther ? "Not applied yet" : ""
  if (notApplied.textContent === text) return
  notApplied.textContent = text
  notApplied.className = isOther ? "badge warn" : ""
}
document.getElementById("chaos").addEventListener("change", compareSwitches)

const refresh = async () => {
  const response = await fetch(address(), { headers: { accept: "text/html" } })
  if (!response.ok) throw new Error(String(response.status))
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html")
  for (const one of switches()) {
    const applied = fresh.querySelector('#chaos [name="' + one.name + '"]')?.hasAttribute("checked") ?? false
    const isTouched = one.checked !== one.defaultChecked
    if (one.defaultChecked === applied) continue
    one.defaultChecked = applied
    if (!isTouched) one.checked = applied
  }
  compareSwitches()
  for (const part of document.querySelectorAll("[data-live]")) {
    const other = fresh.getElementById(part.id)
    if (other === null || pressed || part.contains(document.activeElement) || isSelectedIn(part)) continue
    const said = part.querySelector('[role="status"]')
    if (said !== null) other.querySelector("h2").after(said.cloneNode(true))
    for (const { id } of part.querySelectorAll("details[open][id]")) {
      const same = other.querySelector("#" + id)
      if (same !== null) same.open = true
    }
    if (other.innerHTML.replace(/\\s+/g, " ") !== part.innerHTML.replace(/\\s+/g, " ")) part.replaceWith(other)
  }
}

const problem = document.createElement("p")
problem.className = "message warn"
problem.setAttribute("role", "status")

const look = async () => {
  try {
    await refresh()
    problem.remove()
  } catch {
    if (problem.isConnected) return
    problem.textContent = "The simulator does not answer. This is as it was at " + new Date().toISOString().slice(11, 19) + " UTC; it is asked again by itself."
    document.getElementById("main").prepend(problem)
  }
}

const lookAgain = async () => {
  if (document.visibilityState === "visible") await look()
  setTimeout(lookAgain, everyMillis)
}
compareSwitches()
setTimeout(lookAgain, everyMillis)
`
