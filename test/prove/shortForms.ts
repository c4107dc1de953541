/** The proofs as tests: the same runs, shorter. */
import { expect, test } from "vitest"
import { testSeed as seed } from "../seeds.ts"
import type { Proof, StoreName } from "./Proof.ts"

/** The seed is in the test's name, so that whoever sees it fail can have it again. */
export const proves = (proof: Proof, store: StoreName, count: number, fault?: string): void =>
  test(`${[proof.name, fault].filter(Boolean).join(" ")} on ${store}, ${count} (PROVE_SEED=${seed})`, {
    timeout: 180_000
  }, async () => {
    const { violations } = await proof.run({ store, count, seed, fault, isBrief: true, progress: () => {} })
    expect(violations).toEqual([])
  })
