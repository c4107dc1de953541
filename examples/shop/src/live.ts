/** The script that keeps a page current: when the shop is told of a change, it loads the parts that may have changed. */

export const livePath = "/live.js"

export const script = `
const parts = () => document.querySelectorAll("[data-version]")

const refresh = async (version) => {
  if ([...parts()].every((part) => part.dataset.version === version)) return
  const response = await fetch(location.href, { headers: { accept: "text/html" } })
  if (!response.ok) return
  const fresh = new DOMParser().parseFromString(await response.text(), "text/html")
  for (const part of parts()) {
    const other = fresh.getElementById(part.id)
    if (other === null) continue
    const hadFocus = part.contains(document.activeElement)
    part.replaceWith(other)
    if (hadFocus) document.getElementById("main").focus()
  }
}

if (parts().length > 0) {
  new EventSource("/activity/stream").onmessage = ({ data }) => refresh(data)
}
`
