/**
 * The script that keeps a page current: when the shop is told of a change, it loads the parts that may have changed. A page that
 * waits also looks by itself: what it waits for may be known at Polar only.
 */

export const livePath = "/live.js"

export const script = `
const parts = () => document.querySelectorAll("[data-version]")

const refresh = async () => {
  const response = await fetch(location.href, { headers: { accept: "text/html" } })
  if (!response.ok) return
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html")
  document.title = fresh.title
  document.body.toggleAttribute("data-waits", fresh.body.hasAttribute("data-waits"))
  for (const part of parts()) {
    const other = fresh.getElementById(part.id)
    if (other === null) continue
    const hadFocus = part.contains(document.activeElement)
    part.replaceWith(other)
    if (hadFocus) document.getElementById("main").focus()
  }
}

if (parts().length > 0) {
  new EventSource("/activity/stream").onmessage = ({ data }) => {
    if ([...parts()].some((part) => part.dataset.version !== data)) refresh()
  }
}

const lookAgain = async () => {
  await refresh().catch(() => {})
  if (document.body.hasAttribute("data-waits")) setTimeout(lookAgain, 3000)
}
if (document.body.hasAttribute("data-waits")) setTimeout(lookAgain, 3000)
`
