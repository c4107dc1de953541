/**
 * Trims Polar's OpenAPI document (`GET https://api.polar.sh/2026-10/openapi.json`) to what the tests check: the paths that
 * the simulator has, all webhooks, and the schemas that these refer to. Only prose is taken out; no constraint is.
 *
 * node scripts/trim-openapi.mjs openapi.json > test/fixtures/polar-openapi-2026-10.json
 */
import { readFileSync } from "node:fs"

const prose = new Set(["description", "title", "summary", "example", "examples", "tags", "externalDocs", "x-mint"])
const resources =
  /^\/v1\/(checkouts|customers|customer-sessions|subscriptions|products|orders|webhooks)(\/$|\/\{id\}(\/state)?$|\/client\/|\/external\/\{external_id\}(\/state)?$|\/endpoints|\/deliveries|\/events|$)/

/** Keys of `properties` are names of fields, and no prose. */
const trim = (value, names = false) => {
  if (Array.isArray(value)) return value.map((item) => trim(item))
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => names || !prose.has(key))
      .map(([key, inner]) => [key, trim(inner, key === "properties" && !names)])
  )
}

const document = JSON.parse(readFileSync(process.argv[2] ?? "openapi.json", "utf8"))
const paths = Object.fromEntries(Object.entries(document.paths).filter(([path]) => resources.test(path)))
const schemas = {}
const keep = (value) => {
  if (Array.isArray(value)) return value.forEach(keep)
  if (typeof value !== "object" || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    const name = key === "$ref" && typeof inner === "string" ? inner.split("/").at(-1) : undefined
    if (name !== undefined && !(name in schemas)) {
      schemas[name] = document.components.schemas[name]
      keep(schemas[name])
    } else keep(inner)
  }
}
keep([paths, document.webhooks])
const { openapi, info } = document
process.stdout.write(
  `${JSON.stringify(
    trim({ openapi, info: { version: info.version }, paths, webhooks: document.webhooks, components: { schemas } })
  )}\n`
)
