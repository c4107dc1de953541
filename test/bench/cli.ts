/** `npm run bench`: measures, prints a table, and one JSON object as the last line. */
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { type Findings, type Scale, type StoreName, storeNames } from "./Bench.ts"
import { withServer } from "./databases/withServer.ts"
import { conditionsOf, type PartRecord } from "./PartRecord.ts"
import { writePages } from "./pages.ts"
import { inFlightNumbers } from "./parts/ingest.ts"
import { machineParts, partNames, storeParts } from "./parts/parts.ts"
import { lastLine, textTable } from "./report.ts"

/** Parts in which another checkout can take part. */
const comparing = [...machineParts, ...storeParts].filter(({ compares }) => compares).map(({ name }) => name)

/** The command was wrong; the sentence says how. */
class WrongCommand extends Error {}

const help = `npm run bench -- [--only PART,...] [--store NAME] [--quick] [--write]

  --only PARTS    some of ${partNames.join(", ")}; all unless given
  --store NAME    ${storeNames.join(", ")}; all of them unless given. A server is started and thrown away, unless
                  TEST_POSTGRES_URL, TEST_MYSQL_URL or TEST_MARIADB_URL names one
  --quick         fewer and shorter turns
  --rounds N      so many turns of each subject
  --seconds S     so long a turn, about
  --in-flight N,… only these of ingest's numbers of deliveries in flight: ${inFlightNumbers.join(", ")}
  --against DIR   another checkout, built, whose ours takes part in the same rounds. Parts that can: ${comparing.join(", ")}
  --profile DIR   write a CPU profile of each subject's process into this folder, which slows them
  --write         also keep the figures in docs/performance.json and docs/performance.md, where each part takes the
                  place of the one before. A run that is neither quick nor shortened does so by itself

The figures go to the standard output, the last line is one JSON object: {"ratios": …, "figures": …}.`

interface Command {
  readonly parts: ReadonlyArray<string>
  readonly stores: ReadonlyArray<StoreName>
  readonly scale: Scale
  readonly write: boolean
}

const read = (args: ReadonlyArray<string>): Command | "help" => {
  const { values } = parse(args)
  if (values.help === true) return "help"
  const quick = values.quick === true
  const against = values.against
  const chosen = values.only?.split(",").map((name) => name.trim()) ?? (against === undefined ? partNames : comparing)
  const unknown = chosen.find((name) => !partNames.includes(name))
  if (unknown !== undefined) {
    throw new WrongCommand(`There is no part "${unknown}"; there are ${partNames.join(", ")}.`)
  }
  const alone = chosen.find((name) => !comparing.includes(name))
  if (against !== undefined && alone !== undefined) {
    throw new WrongCommand(`--against has no effect on "${alone}", only on ${comparing.join(", ")}.`)
  }
  if (against !== undefined && values.write === true) {
    throw new WrongCommand("--write keeps figures of this checkout alone: leave out --against.")
  }
  const store = storeNames.find((known) => known === values.store)
  if (values.store !== undefined && store === undefined) {
    throw new WrongCommand(`There is no store "${values.store}"; there are ${storeNames.join(", ")}.`)
  }
  const inFlight = values["in-flight"]?.split(",").map((text) => positive("in-flight", text))
  const unsent = inFlight?.find((number) => !inFlightNumbers.includes(number))
  if (unsent !== undefined) {
    throw new WrongCommand(`--in-flight takes ${inFlightNumbers.join(", ")}, and not ${unsent}.`)
  }
  const shortened = [values.rounds, values.seconds, inFlight, values.profile, against].some(
    (value) => value !== undefined
  )
  return {
    parts: chosen,
    stores: store === undefined ? storeNames : [store],
    scale: {
      quick,
      rounds: given("rounds", values.rounds) ?? (quick ? 2 : 5),
      seconds: given("seconds", values.seconds) ?? (quick ? 1 : 3),
      ...(inFlight === undefined ? {} : { inFlight }),
      // Where the other checkout's programs were bundled to.
      ...(against === undefined ? {} : { against: join(import.meta.dirname, "against") }),
      ...(values.profile === undefined ? {} : { profiles: resolve(values.profile) })
    },
    write: values.write === true || !(quick || shortened)
  }
}

const parse = (args: ReadonlyArray<string>) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        only: { type: "string" },
        store: { type: "string" },
        quick: { type: "boolean" },
        rounds: { type: "string" },
        seconds: { type: "string" },
        "in-flight": { type: "string" },
        against: { type: "string" },
        profile: { type: "string" },
        write: { type: "boolean" },
        help: { type: "boolean", short: "h" }
      }
    })
  } catch (error) {
    throw new WrongCommand(error instanceof Error ? error.message : String(error))
  }
}

const given = (option: string, text: string | undefined): number | undefined =>
  text === undefined ? undefined : positive(option, text)

const positive = (option: string, text: string): number => {
  const value = Number(text)
  if (!(value > 0)) throw new WrongCommand(`--${option} must be a positive number, and is "${text}".`)
  return value
}

const progress = (line: string): void => {
  process.stderr.write(`${line}\n`)
}

/** Runs the parts, and hands over what each of them found as soon as it has. */
const measure = async (
  { parts, scale, stores }: Command,
  found: (findings: Findings, part: string, server?: Pick<PartRecord, "store" | "server" | "durability">) => void
): Promise<void> => {
  const assignment = { scale, progress }
  const chosen = <P extends { readonly name: string }>(all: ReadonlyArray<P>) =>
    all.filter(({ name }) => parts.includes(name))
  for (const part of chosen(machineParts)) found(await part.run(assignment), part.name)
  for (const store of stores) {
    const onStore = chosen(storeParts).filter(({ long }) => !(long && scale.quick) || store === stores[0])
    if (onStore.length === 0) continue
    progress(`${store} starts`)
    await withServer(store, async (server) => {
      const { durability, version } = server
      for (const part of onStore) {
        found(await part.run(server, assignment), part.name, { store, server: version, durability })
      }
    })
  }
}

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  let command: Command | "help"
  try {
    command = read(args)
  } catch (error) {
    if (!(error instanceof WrongCommand)) throw error
    process.stderr.write(`${error.message} See npm run bench -- --help\n`)
    return 2
  }
  if (command === "help") {
    process.stdout.write(`${help}\n`)
    return 0
  }
  const root = process.cwd()
  const conditions = await conditionsOf(root, args)
  const { write } = command
  const records: Array<PartRecord> = []
  await measure(command, (findings, part, server = { store: null, server: null, durability: null }) => {
    const record: PartRecord = { part, ...server, ...conditions, ...findings }
    records.push(record)
    process.stdout.write(`${textTable(findings)}\n`)
    // At once, because a later part may fail, and this one has been measured.
    if (write) writePages(root, [record])
  })
  const settings = new Set(
    records.flatMap(({ durability, server }) => (server === null ? [] : `${server}: ${durability}`))
  )
  for (const line of settings) process.stdout.write(`${line}\n`)
  process.stdout.write(
    `${lastLine({
      comparisons: records.flatMap(({ comparisons }) => comparisons),
      figures: records.flatMap(({ figures }) => figures)
    })}\n`
  )
  return 0
}

// So that what is to be removed at the end is removed: a signal alone ends the process without it.
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130))

// Throw-away servers do not keep the process alive, and it must not end before they are asked to.
process.exitCode = 1
const alive = setInterval(() => {}, 60_000)
try {
  process.exitCode = await main(process.argv.slice(2))
} finally {
  clearInterval(alive)
}
