/** Which of Polar's products does the app sell, and what does it call them? */
import * as Schema from "effect/Schema"
import { isPolarId, ProductId } from "../values/ids.ts"
import { nearestName } from "../values/nearestName.ts"

/**
 * What the app sells: ids of Polar's, or names of the app's own with the id of each. `undefined` is an environment variable
 * that is not set.
 */
export type Products =
  | ReadonlyArray<string | undefined>
  | { readonly [name: string]: string | { readonly id: string | undefined } | undefined }

/** Said aloud: every product of the organization is for sale. */
export type AnyProduct = "any"

export interface Catalogue {
  readonly ids: ReadonlySet<string>
  /** The id of a product of the catalogue, by its name or its id. */
  readonly offered: (nameOrId: string) => ProductId | undefined
  /** What the app calls a product; `undefined` for one that has no name of its own. */
  readonly nameOf: (id: string) => string | undefined
  /** What is wrong with a name that is neither in the catalogue nor an id of Polar's. */
  readonly problemOf: (name: string) => string
}

export interface ProductsProblem {
  readonly path: ReadonlyArray<string | number>
  readonly problem: string
  /** Whether something is only not there yet, as while a build imports the app. */
  readonly isMissing: boolean
}

/** The first fault of what is given as `products`. */
export const productsProblem = (given: Products): ProductsProblem | undefined => {
  const entries = entriesOf(given)
  if (entries.length === 0) {
    return { path: [], problem: "it names no product. Leave it out to sell any", isMissing: false }
  }
  let missing: ProductsProblem | undefined
  for (const [name, value] of entries) {
    const problem = typeof name === "string" ? nameProblem(name) : undefined
    if (problem !== undefined) return { path: [name], problem, isMissing: false }
    const excess = excessOf(value)
    if (excess !== undefined) {
      return { path: [name, excess], problem: "there is no such option. There is id.", isMissing: false }
    }
    const id = idIn(value)
    const path = isGroup(value) ? [name, "id"] : [name]
    if (id === undefined || (typeof id === "string" && id.trim() === "")) {
      missing ??= { path, problem: "it is missing. Is its environment variable set?", isMissing: true }
    } else if (typeof id !== "string" || !isPolarId(id.trim())) {
      return {
        path,
        problem: "it must be a product's id at Polar, a UUID, as its dashboard shows it",
        isMissing: false
      }
    }
  }
  return missing
}

/** Of products that have no fault. */
export const catalogueOf = (products: Products): Catalogue => {
  const names = new Map<string, ProductId>()
  const ids = new Set<string>()
  for (const [name, value] of entriesOf(products)) {
    const id = ProductId.make(String(idIn(value)).trim().toLowerCase())
    ids.add(id)
    if (typeof name === "string") names.set(name, id)
  }
  const called = [...names.keys()]
  const namesById = new Map([...names].map(([name, id]) => [id as string, name]))
  return {
    ids,
    offered: (nameOrId) => {
      const id = nameOrId.toLowerCase()
      return names.get(nameOrId) ?? (ids.has(id) ? ProductId.make(id) : undefined)
    },
    nameOf: (id) => namesById.get(id),
    problemOf: (name) => {
      const nearest = nearestName(name, called)
      if (nearest !== undefined) return `\`products\` has no such name. Did you mean ${nearest}?`
      return called.length === 0
        ? notAnId
        : called.length <= mostNamesListed
          ? `\`products\` has no such name. It has ${called.join(", ")}.`
          : "`products` has no such name"
    }
  }
}

/** What is wrong with a product's name where no names are given. */
export const notAnId =
  "it must be a product's id at Polar, a UUID. Names are for apps that give `products` as an object"

/** The catalogue, where what is given names one. */
export const catalogueIn = (products: Products | AnyProduct | undefined): Catalogue | undefined =>
  products === undefined || products === "any" ? undefined : catalogueOf(products)

/** Products as an option; each fault is told at its own place. What is only missing is let through where `missing` says so. */
export const productsSchema = ({
  missing
}: {
  readonly missing: "allowed" | "refused"
}): Schema.Schema<Products | AnyProduct> =>
  Schema.declare(
    (value): value is Products | AnyProduct => value === "any" || (typeof value === "object" && value !== null)
  )
    .annotations({
      message: () => ({
        message: 'it must be a list of products\' ids, an object of names with ids, or "any"',
        override: true
      })
    })
    .pipe(
      Schema.filter((given) => {
        const found = given === "any" ? undefined : productsProblem(given)
        return found === undefined || (found.isMissing && missing === "allowed")
          ? undefined
          : { path: found.path, message: found.problem }
      })
    )

const mostNamesListed = 12

type Entry = readonly [name: string | number, value: unknown]

const entriesOf = (products: Products): ReadonlyArray<Entry> =>
  Array.isArray(products) ? products.map((id, index): Entry => [index, id]) : Object.entries(products)

const nameProblem = (name: string): string | undefined =>
  name.trim() === "" || !isProductName(name)
    ? "a product's name must be text of 1 to 64 characters"
    : isPolarId(name)
      ? "a product's name must not be an id: give a list, or a name of your own"
      : undefined

const isProductName = Schema.is(ProductId)

const isGroup = (value: unknown): value is { readonly id?: unknown } => typeof value === "object" && value !== null

const idIn = (value: unknown): unknown => (isGroup(value) ? value.id : value)

const excessOf = (value: unknown): string | undefined =>
  isGroup(value) ? Object.keys(value).find((key) => key !== "id") : undefined
