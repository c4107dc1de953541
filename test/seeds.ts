/**
 * With which numbers the random tests start. In CI they are the same for every change, so that a run that fails fails again;
 * elsewhere each run has another, and finds what no run before it has found.
 */
import * as FastCheck from "effect/FastCheck"

const given = Number(process.env["PROVE_SEED"])
const inCi = 20261130

/** A whole number from 1. `PROVE_SEED` names one. */
export const testSeed =
  Number.isSafeInteger(given) && given > 0 ? given : process.env["CI"] ? inCi : 1 + Math.floor(Math.random() * 2 ** 31)

FastCheck.configureGlobal({ seed: testSeed })
