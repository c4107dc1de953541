/** `npm run prove`: runs one proof, shows how far it is, and prints a summary in JSON as its last line. */
import { parseArgs } from "node:util"
import { type Proof, type ProofOutcome, type StoreName, storeNames } from "./Proof.ts"
import { proofs } from "./proofs.ts"

/** The command was wrong; the sentence says how. */
class WrongCommand extends Error {}

const help = async (): Promise<string> => {
  const known = await Promise.all(Object.values(proofs).map((load) => load()))
  return [
    "npm run prove -- PROOF [--store NAME] [--driver NAME] [--fault NAME] [--count N] [--seed S] [--only-index I]",
    "",
    ...known.flatMap(({ defaultCount, name, promise, stores }) => [
      `  ${name.padEnd(9)} ${promise}`,
      `  ${" ".repeat(9)} Stores: ${stores.join(", ")}. Count: ${defaultCount} unless given.`
    ]),
    "",
    "  --store NAME    memory, sqlite, libsql, postgres, mysql or mariadb; the proof's first one unless given. A server is",
    "                  started and thrown away, unless TEST_POSTGRES_URL, TEST_MYSQL_URL or TEST_MARIADB_URL names one",
    "  --driver NAME   pg or postgres (postgres.js), on PostgreSQL and in the proof outage; pg unless given",
    "  --fault NAME    outage alone: cut, freeze, swallow or lock. All that there are on the store unless given",
    "  --count N       how much to do",
    "  --seed S        a whole number; the same seed makes the same cases. Random unless given",
    "  --only-index I  run only the case with this number, as a violation names it",
    "",
    "Exit code 0: the promise held. 1: it was broken, or the proof could not be run. 2: the command was wrong."
  ].join("\n")
}

interface Command {
  readonly proof: Proof
  readonly store: StoreName
  readonly count: number
  readonly seed: number
  readonly onlyIndex: number | undefined
  readonly fault: string | undefined
  readonly driver: "postgres" | undefined
}

const read = async (args: ReadonlyArray<string>): Promise<Command | "help"> => {
  const { positionals, values } = parse(args)
  if (values.help === true) return "help"
  const [name, ...rest] = positionals
  if (name === undefined) throw new WrongCommand("Say which proof to run.")
  if (rest.length > 0) throw new WrongCommand(`One proof at a time: "${rest[0]}" is too much.`)
  const load = Object.hasOwn(proofs, name) ? proofs[name] : undefined
  if (load === undefined) {
    throw new WrongCommand(`There is no proof "${name}"; there are ${Object.keys(proofs).join(", ")}.`)
  }
  const proof = await load()
  const [first] = proof.stores
  const store = values.store === undefined ? first : storeNames.find((known) => known === values.store)
  if (store === undefined) {
    throw new WrongCommand(`There is no store "${values.store}"; there are ${storeNames.join(", ")}.`)
  }
  if (!proof.stores.includes(store)) {
    throw new WrongCommand(`The proof "${name}" runs on ${proof.stores.join(", ")}, not on ${store}.`)
  }
  const faults = proof.faultsOn?.(store) ?? []
  if (values.fault !== undefined && !faults.includes(values.fault)) {
    const known = faults.length === 0 ? "it takes no --fault" : `on ${store} there are ${faults.join(", ")}`
    throw new WrongCommand(`The proof "${name}" has no fault "${values.fault}": ${known}.`)
  }
  return {
    proof,
    store,
    fault: values.fault,
    driver: driverOf(values.driver, proof, store),
    count: whole("count", values.count, 1) ?? proof.defaultCount,
    seed: whole("seed", values.seed, 0) ?? Math.floor(Math.random() * 2 ** 31),
    onlyIndex: whole("only-index", values["only-index"], 0)
  }
}

const driverOf = (driver: string | undefined, { faultsOn, name }: Proof, store: StoreName): "postgres" | undefined => {
  if (driver === undefined) return undefined
  if (store !== "postgres" || faultsOn === undefined) {
    throw new WrongCommand(`The proof "${name}" takes no --driver on ${store}.`)
  }
  if (driver !== "pg" && driver !== "postgres") {
    throw new WrongCommand(`--driver must be pg or postgres, and is "${driver}".`)
  }
  return driver === "postgres" ? driver : undefined
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        store: { type: "string" },
        driver: { type: "string" },
        fault: { type: "string" },
        count: { type: "string" },
        seed: { type: "string" },
        "only-index": { type: "string" },
        help: { type: "boolean", short: "h" }
      }
    })
  } catch (error) {
    throw new WrongCommand(error instanceof Error ? error.message : String(error))
  }
}

const whole = (option: string, text: string | undefined, least: number): number | undefined => {
  if (text === undefined) return undefined
  const value = Number(text.replaceAll("_", ""))
  if (!Number.isSafeInteger(value) || value < least || text.trim() === "") {
    throw new WrongCommand(`--${option} must be a whole number of ${least} or more, and is "${text}".`)
  }
  return value
}

const shownViolations = 5

const summary = (
  { count, driver, fault, proof, seed, store }: Command,
  { figures, violations }: ProofOutcome,
  millis: number
) => ({
  proof: proof.name,
  store,
  ...(driver === undefined ? {} : { driver }),
  ...(fault === undefined ? {} : { fault }),
  count,
  seed,
  violations: violations.length,
  ...figures,
  seconds: Math.round(millis / 100) / 10,
  node: process.version,
  ...(violations.length === 0 ? {} : { firstViolations: violations.slice(0, shownViolations) })
})

/** On a terminal each line replaces the one before it; elsewhere one is written now and then. */
const progressTo = (stream: NodeJS.WriteStream) => {
  let last = 0
  const show = (line: string): void => {
    const now = Date.now()
    if (now - last < (stream.isTTY ? 200 : 10_000)) return
    last = now
    stream.write(stream.isTTY ? `\r\u001b[K${line}` : `${line}\n`)
  }
  const end = (): void => {
    if (stream.isTTY && last > 0) stream.write("\r\u001b[K")
  }
  return { show, end }
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  let command: Command | "help"
  try {
    command = await read(args)
  } catch (error) {
    if (!(error instanceof WrongCommand)) throw error
    process.stderr.write(`${error.message} See npm run prove -- --help\n`)
    return 2
  }
  if (command === "help") {
    process.stdout.write(`${await help()}\n`)
    return 0
  }
  const { count, driver, fault, onlyIndex, proof, seed, store } = command
  process.stderr.write(`${proof.name} on ${store}: ${count}, seed ${seed}\n`)
  const progress = progressTo(process.stderr)
  const started = Date.now()
  try {
    const outcome = await proof.run({ store, driver, fault, count, seed, onlyIndex, progress: progress.show })
    progress.end()
    for (const violation of outcome.violations.slice(0, shownViolations)) process.stderr.write(`BROKEN: ${violation}\n`)
    process.stdout.write(`${JSON.stringify(summary(command, outcome, Date.now() - started))}\n`)
    return outcome.violations.length === 0 ? 0 : 1
  } catch (error) {
    progress.end()
    const detail = error instanceof Error ? error.message : String(error)
    process.stderr.write(`The proof could not be run: ${detail}\n`)
    if (process.env["PROVE_DEBUG"] !== undefined) process.stderr.write(`${error instanceof Error ? error.stack : ""}\n`)
    return 1
  }
}

// Until it is known that the promise held. Nothing may end the process before: throw-away servers do not keep it alive.
process.exitCode = 1
const alive = setInterval(() => {}, 60_000)
try {
  process.exitCode = await main(process.argv.slice(2))
} finally {
  clearInterval(alive)
}
