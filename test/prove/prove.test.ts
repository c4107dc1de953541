/** The proofs' short forms, on stores that need no server. */
import { describe } from "vitest"
import { callback } from "./callback.ts"
import { fuzz } from "./fuzz.ts"
import { proves } from "./shortForms.ts"
import { shuffle } from "./shuffle.ts"
import { storm } from "./storm.ts"

describe("proofs", () => {
  proves(shuffle, "memory", 100)
  proves(shuffle, "sqlite", 15)
  proves(storm, "memory", 8)
  proves(storm, "sqlite", 8)
  proves(fuzz, "memory", 4000)
  proves(callback, "sqlite", 20)
})
